/* SPDX-License-Identifier: MIT */
#include "client/plan.h"

#include <errno.h>

/* Messages with one UIDL, or one header, that are looked at. */
#define ALIKE_MAX 64

static int no_memory(struct err *err)
{
	return err_sys(err, ENOMEM, "cannot decide about messages");
}

static void know(const struct plan *p, struct message *m, const struct state_message *row)
{
	uint64_t bytes;

	m->fate = FATE_KNOWN;
	m->row = row->id;
	m->pending = row->status != STATE_STORED;
	m->resized = !row->elsewhere && row->octets != m->octets;
	m->old = row->stored_at < p->old_before;
	/* Of what was stored elsewhere, when the account had another Maildir, nobody knows. */
	m->away = row->maildir == p->maildir && !destination_has(p->target, &row->key, &bytes);
}

/* Without the header: only what leaves no doubt. */
static int plan_one(const struct plan *p, struct message *m, struct err *err)
{
	const struct span uidl = listing_uidl(p->listing, m);
	struct state_message rows[ALIKE_MAX];
	uint64_t bytes;
	size_t n;
	int r;

	m->fate = FATE_ASK;
	if (uidl.n == 0 || m->shared)
		return 0;
	r = state_find(p->state, p->account, uidl, rows, ALIKE_MAX, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		/*
		 * One that was gone may be another message now: some servers count
		 * from 1 again.
		 */
		if ((rows[i].elsewhere || rows[i].octets == m->octets) && !rows[i].vanished &&
		    rows[i].status != STATE_GONE) {
			know(p, m, &rows[i]);
			return 0;
		}
	}
	if (n > 0)
		return 0;
	if (!message_key_make(p->identity, uidl, NULL, 0, &m->key))
		return no_memory(err);
	if (!destination_has(p->target, &m->key, &bytes))
		m->fate = FATE_FETCH;
	else if (bytes == m->octets)
		m->fate = FATE_ADOPT;
	return 0;
}

int plan_all(const struct plan *p, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < p->listing->n && r == 0; i++)
		r = plan_one(p, &p->listing->messages[i], err);
	return r;
}

/* How many messages before this one in the list are alike in all that can be told. */
static size_t alike_before(const struct plan *p, const struct message *m)
{
	const struct span uidl = listing_uidl(p->listing, m);
	size_t n = 0;

	for (const struct message *o = p->listing->messages; o < m; o++) {
		if (o->headed && header_digest_equal(&o->header, &m->header) &&
		    span_eq(listing_uidl(p->listing, o), uidl))
			n++;
	}
	return n;
}

/* Another message of this session is to be stored by that key. */
static bool is_taken(const struct plan *p, const struct message *m, const struct message_key *key)
{
	for (const struct message *o = p->listing->messages; o < m; o++) {
		if ((o->fate == FATE_FETCH || o->fate == FATE_ADOPT) && o->headed &&
		    message_key_equal(&o->key, key))
			return true;
	}
	return false;
}

/*
 * It isn't remembered: a key of UIDL and header that nobody has, and perhaps there is
 * a file by that key, which a session has left that died before it could remember it.
 */
static int plan_new(const struct plan *p, struct message *m, struct err *err)
{
	const struct span uidl = listing_uidl(p->listing, m);
	uint64_t bytes;

	for (unsigned ordinal = 0;; ordinal++) {
		bool has;
		int r;

		if (!message_key_make(p->identity, uidl, &m->header, ordinal, &m->key))
			return no_memory(err);
		r = state_has_key(p->state, p->account, &m->key, &has, err);
		if (r < 0)
			return r;
		if (!has && !is_taken(p, m, &m->key))
			break;
	}
	m->fate = destination_has(p->target, &m->key, &bytes) ? FATE_ADOPT : FATE_FETCH;
	return 0;
}

/* The file with the key of the UIDL alone is this message, and not remembered. */
static int plan_file(const struct plan *p, struct message *m, struct err *err)
{
	const struct span uidl = listing_uidl(p->listing, m);
	struct header_digest header;
	uint64_t bytes;
	bool has;
	int r;

	if (uidl.n == 0)
		return 0;
	if (!message_key_make(p->identity, uidl, NULL, 0, &m->key))
		return no_memory(err);
	if (!destination_has(p->target, &m->key, &bytes))
		return 0;
	r = state_has_key(p->state, p->account, &m->key, &has, err);
	if (r < 0 || has || is_taken(p, m, &m->key))
		return r;
	r = destination_header(p->target, &m->key, &header, err);
	if (r == 0 && header_digest_equal(&header, &m->header))
		m->fate = FATE_ADOPT;
	/* Somebody has taken it away since: it was this message or not, and is fetched. */
	return r == -ENOENT ? 0 : r;
}

int plan_header(const struct plan *p, struct message *m, const struct header_digest *header,
		struct err *err)
{
	const struct span uidl = listing_uidl(p->listing, m);
	struct state_message rows[ALIKE_MAX];
	size_t before;
	size_t n;
	int r = state_find_header(p->state, p->account, uidl, header, rows, ALIKE_MAX, &n, err);

	if (r < 0)
		return r;
	m->header = *header;
	m->headed = true;
	before = alike_before(p, m);
	for (size_t i = 0; i < n; i++) {
		/* Without a UIDL, one that was gone and one like it that has come are two. */
		if (uidl.n == 0 && (rows[i].vanished || rows[i].status == STATE_GONE))
			continue;
		if (before-- == 0) {
			know(p, m, &rows[i]);
			return 0;
		}
	}
	m->fate = FATE_ASK;
	r = plan_file(p, m, err);
	return r < 0 || m->fate == FATE_ADOPT ? r : plan_new(p, m, err);
}

int plan_fetched(const struct plan *p, struct message *m, const struct header_digest *header,
		 struct err *err)
{
	const struct span uidl = listing_uidl(p->listing, m);
	struct message_key key;
	uint64_t bytes;
	bool has;
	int r;

	if (m->unsure)
		return plan_header(p, m, header, err);
	/* TOP's, where it was asked for: that is what the next session will compare with. */
	if (m->headed)
		return 0;
	m->header = *header;
	m->headed = true;
	/* It shared its UIDL when an earlier session stored it, and died. */
	if (!message_key_make(p->identity, uidl, header, 0, &key))
		return no_memory(err);
	if (!destination_has(p->target, &key, &bytes))
		return 0;
	r = state_has_key(p->state, p->account, &key, &has, err);
	if (r == 0 && !has) {
		m->key = key;
		m->fate = FATE_ADOPT;
	}
	return r;
}
