/* SPDX-License-Identifier: MIT */
/*
 * From tmp/ into new/ and into the state: doc/exactly-once.md tells what the next
 * session finds when this one dies between any two lines here.
 */
#include "client/fetch_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

/* When the destination has put off so many messages in a row, the rest isn't tried. */
#define UNTAKEN_MAX 10

static int remember(struct session *s, struct message *m)
{
	const struct state_stored stored = {
		.key = m->key,
		.header = m->header,
		.uidl = listing_uidl(&s->listing, m),
		.octets = m->octets,
		.pending = fetch_deletes_new(s, m),
		.maildir = s->place,
	};

	return state_add(s->state, s->account, &stored, &m->row, s->err);
}

/* All that changes() changes, or nothing. */
static int in_transaction(struct session *s, int (*changes)(struct session *s))
{
	int r = state_begin(s->state, s->err);

	if (r < 0)
		return r;
	r = changes(s);
	if (r == 0)
		r = state_commit(s->state, s->err);
	if (r < 0)
		state_abort(s->state);
	return r;
}

static int remember_group(struct session *s)
{
	struct group *const g = &s->group;
	int r = 0;

	for (size_t i = 0; i < g->n && r == 0; i++)
		r = remember(s, g->messages[i]);
	return r;
}

void fetch_group_abort(struct session *s)
{
	if (s->target == NULL)
		return;
	destination_abort(s->target, &s->incoming);
	for (size_t i = 0; i < s->group.n; i++)
		destination_abort(s->target, &s->group.in[i]);
	s->group.n = 0;
}

/* The one message of the group stays on the server, and comes again the next time. */
static enum fetch_status leave(struct session *s, bool for_good)
{
	struct message *const m = s->group.messages[0];

	m->fate = FATE_LEAVE;
	fetch_remark(s, "message %lu: %s", (unsigned long)m->number, s->err->text);
	fetch_group_abort(s);
	if (for_good) {
		s->result->undelivered++;
		return FETCH_OK;
	}
	s->result->deferred++;
	/* It may be this message; when it is one after the other, it isn't. */
	return ++s->untaken < UNTAKEN_MAX ? FETCH_OK : FETCH_LATER;
}

static enum fetch_status store(struct session *s)
{
	struct group *const g = &s->group;
	int r;

	for (size_t i = 0; i < g->n; i++) {
		g->in[i].key = g->messages[i]->key;
		g->in[i].uidl = listing_uidl(&s->listing, g->messages[i]);
	}
	r = destination_place(s->target, g->in, g->n, s->err);
	if (r == -EAGAIN || r == -EBADMSG)
		return leave(s, r == -EBADMSG);
	if (r < 0)
		return fetch_disk_status(r);
	s->untaken = 0;
	r = in_transaction(s, remember_group);
	if (r == 0)
		destination_settle(s->target);
	return fetch_state_status(r);
}

enum fetch_status fetch_group_store(struct session *s)
{
	struct group *const g = &s->group;
	enum fetch_status fs;

	if (g->n == 0)
		return FETCH_OK;
	fs = store(s);
	if (fs != FETCH_OK) {
		fetch_group_abort(s);
		return fs;
	}
	for (size_t i = 0; i < g->n; i++) {
		struct message *const m = g->messages[i];

		m->fate = FATE_KNOWN;
		m->pending = fetch_deletes_new(s, m);
		s->result->octets += g->in[i].bytes;
		destination_abort(s->target, &g->in[i]);
	}
	s->result->fetched += g->n;
	g->n = 0;
	g->octets = 0;
	return FETCH_OK;
}

enum fetch_status fetch_group_add(struct session *s, struct message *m)
{
	struct group *const g = &s->group;

	assert(g->n < GROUP_MESSAGES);
	if (g->n == 0)
		g->began_ms = clock_mono_ms();
	g->messages[g->n] = m;
	g->in[g->n++] = s->incoming;
	g->octets += s->incoming.bytes;
	s->incoming = (struct incoming){.bytes = 0};
	if (g->n == destination_together(s->target) || g->octets >= GROUP_OCTETS)
		return fetch_group_store(s);
	return fetch_group_wait(s);
}

enum fetch_status fetch_group_wait(struct session *s)
{
	struct group *const g = &s->group;

	return g->n > 0 && clock_mono_ms() - g->began_ms >= GROUP_MS ? fetch_group_store(s)
								     : FETCH_OK;
}

static void adopted(struct session *s, struct message *m)
{
	m->fate = FATE_KNOWN;
	m->pending = fetch_deletes_new(s, m);
	s->result->adopted++;
}

enum fetch_status fetch_adopt(struct session *s, struct message *m)
{
	int r = destination_sync(s->target, s->err);

	if (r < 0)
		return fetch_disk_status(r);
	r = state_begin(s->state, s->err);
	if (r == 0)
		r = remember(s, m);
	if (r == 0)
		r = state_commit(s->state, s->err);
	if (r < 0) {
		state_abort(s->state);
		return fetch_state_status(r);
	}
	adopted(s, m);
	return FETCH_OK;
}

/* The header of a file that was left behind is as good as the message's. */
static enum fetch_status complete_adopted(struct session *s, bool *ret_any)
{
	*ret_any = false;
	for (size_t i = 0; i < s->listing.n; i++) {
		struct message *const m = &s->listing.messages[i];

		if (m->fate != FATE_ADOPT)
			continue;
		*ret_any = true;
		if (m->headed)
			continue;

		const int r = destination_header(s->target, &m->key, &m->header, s->err);

		if (r == -ENOENT)
			m->fate = FATE_FETCH;
		else if (r < 0)
			return fetch_disk_status(r);
	}
	return FETCH_OK;
}

/* In a transaction. */
static int remember_all(struct session *s)
{
	int r = 0;

	for (size_t i = 0; i < s->listing.n && r == 0; i++) {
		struct message *const m = &s->listing.messages[i];

		if (m->fate == FATE_KNOWN && m->resized)
			r = state_set_octets(s->state, m->row, m->octets, s->err);
		if (m->fate == FATE_ADOPT)
			r = remember(s, m);
	}
	return r;
}

enum fetch_status fetch_remember(struct session *s)
{
	bool adopts;
	enum fetch_status fs = complete_adopted(s, &adopts);
	int r;

	/* It died before it synced the folder, perhaps. */
	if (fs == FETCH_OK && adopts)
		fs = fetch_disk_status(destination_sync(s->target, s->err));
	if (fs != FETCH_OK)
		return fs;
	r = in_transaction(s, remember_all);
	if (r < 0)
		return fetch_state_status(r);
	for (size_t i = 0; i < s->listing.n; i++) {
		struct message *const m = &s->listing.messages[i];

		if (m->fate == FATE_ADOPT)
			adopted(s, m);
	}
	return FETCH_OK;
}
