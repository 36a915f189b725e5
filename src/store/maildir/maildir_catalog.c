/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_priv.h"

#include <assert.h>

void maildir_catalog_init(struct maildir_catalog *c)
{
	*c = (struct maildir_catalog){0};
}

void maildir_catalog_done(struct maildir_catalog *c)
{
	free(c->text.p);
	free(c->v);
	free(c->buckets);
	free(c->uidls);
	*c = (struct maildir_catalog){0};
}

/* FNV-1a with a finish. Who can choose file names here can only slow down his own maildrop. */
uint32_t maildir_hash(struct span s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

bool maildir_key_make(struct span name, struct maildir_key *ret_key)
{
	struct maildir_name parts;

	maildir_name_parse(name, &parts);
	ret_key->name = name;
	ret_key->base = parts.base;
	if (!maildir_uidl_make(parts.stem, &ret_key->uidl))
		return false;
	ret_key->hash = maildir_hash(maildir_uidl_span(&ret_key->uidl));
	return true;
}

/*
 *	0            8             19           30
 *	| key's hash | base digest | key digest |
 *
 * The hash in hexadecimal digits; of the digests what comes behind their '~'.
 */
#define LOCATOR_BASE 8
#define LOCATOR_KEY 19
#define LOCATOR_DIGEST 11

bool maildir_locator_make(const struct maildir_key *k, struct maildir_locator *ret_locator)
{
	struct maildir_uidl base;
	struct maildir_uidl key;
	char hash[LOCATOR_BASE + 1];

	if (!maildir_uidl_digest(k->base, &base) ||
	    !maildir_uidl_digest(maildir_uidl_span(&k->uidl), &key))
		return false;
	(void)snprintf(hash, sizeof(hash), "%08x", k->hash);
	memcpy(ret_locator->text, hash, LOCATOR_BASE);
	memcpy(ret_locator->text + LOCATOR_BASE, base.text + 1, LOCATOR_DIGEST);
	memcpy(ret_locator->text + LOCATOR_KEY, key.text + 1, LOCATOR_DIGEST);
	return true;
}

bool maildir_locator_hash(struct span locator, uint32_t *ret_hash)
{
	uint32_t hash = 0;

	if (locator.n != MAILDIR_LOCATOR)
		return false;
	for (size_t i = 0; i < LOCATOR_BASE; i++) {
		const char c = locator.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		hash = hash << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret_hash = hash;
	return true;
}

bool maildir_locator_matches(struct span locator, const struct maildir_key *k,
			     enum maildir_match how)
{
	const size_t at = how == MAILDIR_SAME_BASE ? LOCATOR_BASE : LOCATOR_KEY;
	struct maildir_locator own;

	return maildir_locator_make(k, &own) &&
	       memcmp(locator.p + at, own.text + at, LOCATOR_DIGEST) == 0;
}

static void chain_in(struct maildir_catalog *c, uint32_t i)
{
	uint32_t *const bucket = &c->buckets[c->v[i].hash & c->mask];

	c->v[i].next = *bucket;
	*bucket = i;
}

/* A table with at least as many buckets as messages. */
static int grow_buckets(struct maildir_catalog *c)
{
	const size_t n = c->cap;
	uint32_t *const buckets = malloc(n * sizeof(*buckets));

	if (buckets == NULL)
		return -ENOMEM;
	free(c->buckets);
	c->buckets = buckets;
	c->mask = (uint32_t)n - 1;
	memset(buckets, 0xff, n * sizeof(*buckets));
	for (uint32_t i = 0; i < c->count; i++)
		chain_in(c, i);
	return 0;
}

static int reserve(struct maildir_catalog *c)
{
	/* A power of two, for the mask. */
	const uint32_t cap = c->cap == 0 ? 64 : c->cap * 2;
	struct maildir_message *v;

	if (c->count < c->cap)
		return 0;
	if (c->count >= INDEX_COUNT_MAX / 2 + 1)
		return -ENOMEM;
	v = realloc(c->v, cap * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	c->v = v;
	c->cap = cap;
	return grow_buckets(c);
}

uint32_t maildir_chain(const struct maildir_catalog *c, uint32_t hash)
{
	return c->buckets == NULL ? MAILDIR_NOWHERE : c->buckets[hash & c->mask];
}

/* The name as the record has it: on its own, or the UIDL and what follows it. */
static size_t record_name(const struct index_record *r, char out[static MAILDIR_NAME_MAX])
{
	const struct span uidl = index_record_uidl(r);
	const struct span rest = index_record_name(r);
	size_t n = 0;

	if (r->flags & INDEX_NAME_ELSEWHERE)
		return 0;
	if (r->flags & INDEX_NAME_DERIVED) {
		memcpy(out, uidl.p, uidl.n);
		n = uidl.n;
	}
	memcpy(out + n, rest.p, rest.n);
	return n + rest.n;
}

bool maildir_place_of(const struct index_record *r, struct maildir_place *ret_place)
{
	const size_t n = record_name(r, ret_place->name);

	if (!journal_name_valid(span_of(ret_place->name, n)))
		return false;
	ret_place->name[n] = '\0';
	ret_place->where = r->flags & INDEX_IN_CUR ? MAILDIR_CUR : MAILDIR_NEW;
	return true;
}

#define FLAGS_OF_NAME (INDEX_IN_CUR | INDEX_NAME_DERIVED | INDEX_NAME_ELSEWHERE)

/* -EBADMSG for a name that we wouldn't have written. */
static int load_name(struct maildir_catalog *c, const struct index_record *r,
		     struct maildir_message *m)
{
	struct maildir_place place;
	struct maildir_key key;

	if (r->flags & INDEX_NAME_ELSEWHERE) {
		if (!maildir_locator_hash(index_record_name(r), &m->hash))
			return -EBADMSG;
		m->name = maildir_pool_put(&c->text, index_record_name(r));
	} else {
		if (!maildir_place_of(r, &place))
			return -EBADMSG;
		if (!maildir_key_make(span_str(place.name), &key))
			return -ENOMEM;
		m->hash = key.hash;
		m->name_len = (uint8_t)key.name.n;
		m->name = maildir_pool_put(&c->text, key.name);
	}
	return m->name == MAILDIR_NOWHERE ? -ENOMEM : 0;
}

static int load_one(struct maildir_catalog *c, const struct index_record *r)
{
	struct maildir_message m = {
		.octets = r->octets,
		.bytes = r->bytes,
		.flags = r->flags & ~(uint32_t)FLAGS_OF_NAME,
		.uidl_len = r->uidl_len,
		.growth = r->growth,
		.where = r->flags & INDEX_IN_CUR ? MAILDIR_CUR : MAILDIR_NEW,
		.state = MAILDIR_LISTED,
	};
	int e;

	if (reserve(c) < 0)
		return -ENOMEM;
	e = load_name(c, r, &m);
	if (e < 0)
		return e;
	m.uidl = r->flags & INDEX_NAME_DERIVED ? m.name
					       : maildir_pool_put(&c->text, index_record_uidl(r));
	if (m.uidl == MAILDIR_NOWHERE)
		return -ENOMEM;
	c->v[c->count] = m;
	chain_in(c, c->count++);
	return 0;
}

int maildir_catalog_load(struct maildir_catalog *c, int index_fd, uint32_t count)
{
	struct index_reader reader;
	struct index_record record;
	uint32_t seen = 0;
	uint32_t bad = 0;
	int r = index_reader_init(&reader, index_fd, count);

	/* A file of nothing but holes can be of any length: it isn't read to its end. */
	while (r == 0 && bad <= c->count + 64) {
		int got = index_reader_next(&reader, &record);

		if (got == 0)
			break;
		seen++;
		if (got > 0)
			got = load_one(c, &record);
		if (got == -EBADMSG)
			bad++;
		else
			r = got;
	}
	c->old = c->count;
	c->damaged = bad > 0 || seen != count;
	index_reader_done(&reader);
	return r;
}

bool maildir_matches(const struct maildir_catalog *c, const struct maildir_message *m,
		     const struct maildir_key *k, enum maildir_where where, enum maildir_match how)
{
	const struct span name = maildir_message_name(c, m);

	if (m->hash != k->hash)
		return false;
	if (how == MAILDIR_SAME_NAME)
		return m->where == where && span_eq(name, k->name);
	if (m->name_len == 0)
		return maildir_locator_matches(span_of(c->text.p + m->name, MAILDIR_LOCATOR), k,
					       how);
	if (how == MAILDIR_SAME_BASE)
		return span_eq(maildir_name_base(name), k->base);

	struct maildir_key own;

	return maildir_key_make(name, &own) &&
	       span_eq(maildir_uidl_span(&own.uidl), maildir_uidl_span(&k->uidl));
}

uint32_t maildir_catalog_add(struct maildir_catalog *c, const struct maildir_key *k,
			     enum maildir_where where)
{
	struct maildir_message m = {
		.hash = k->hash,
		.name_len = (uint8_t)k->name.n,
		.where = (uint8_t)where,
		.state = MAILDIR_FRESH,
	};

	if (reserve(c) < 0)
		return MAILDIR_NOWHERE;
	m.name = maildir_pool_put(&c->text, k->name);
	if (m.name == MAILDIR_NOWHERE)
		return MAILDIR_NOWHERE;
	c->v[c->count] = m;
	chain_in(c, c->count);
	return c->count++;
}

int maildir_catalog_rename(struct maildir_catalog *c, struct maildir_message *m, struct span name,
			   enum maildir_where where)
{
	const uint32_t at = maildir_pool_put(&c->text, name);

	if (at == MAILDIR_NOWHERE)
		return -ENOMEM;
	m->name = at;
	m->name_len = (uint8_t)name.n;
	m->where = (uint8_t)where;
	m->changed = true;
	return 0;
}

/* The slot of this UIDL, or the free one where it would go. */
static struct maildir_slot *uidl_slot(const struct maildir_catalog *c, struct span uidl,
				      uint32_t hash)
{
	uint32_t at = hash & c->uidl_mask;

	/* The hash first: the text of another message is somewhere else in memory. */
	while (c->uidls[at].message != 0 &&
	       (c->uidls[at].hash != hash ||
		!span_eq(maildir_message_uidl(c, &c->v[c->uidls[at].message - 1]), uidl)))
		at = (at + 1) & c->uidl_mask;
	return &c->uidls[at];
}

/* An empty table that is at most half full once every message has a UIDL. */
static int uidls_new(struct maildir_catalog *c)
{
	const size_t n = (size_t)c->cap * 2;

	free(c->uidls);
	c->uidls = calloc(n, sizeof(*c->uidls));
	c->uidl_mask = (uint32_t)(n - 1);
	return c->uidls != NULL ? 0 : -ENOMEM;
}

/* False: another message has it already. */
static bool uidl_put(struct maildir_catalog *c, uint32_t i, struct span uidl)
{
	const uint32_t hash = maildir_hash(uidl);
	struct maildir_slot *const slot = uidl_slot(c, uidl, hash);

	if (slot->message != 0)
		return false;
	*slot = (struct maildir_slot){.message = i + 1, .hash = hash};
	return true;
}

/* All UIDLs there are. */
static int uidls_fill(struct maildir_catalog *c)
{
	if (c->uidls != NULL && c->uidl_mask == c->cap * 2 - 1)
		return 0;
	if (uidls_new(c) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->v[i].uidl_len > 0 && c->v[i].state != MAILDIR_GONE)
			(void)uidl_put(c, i, maildir_message_uidl(c, &c->v[i]));
	}
	return 0;
}

int maildir_catalog_has(struct maildir_catalog *c, struct span uidl)
{
	if (c->count == 0)
		return 0;
	if (uidls_fill(c) < 0)
		return -ENOMEM;
	return uidl_slot(c, uidl, maildir_hash(uidl))->message != 0 ? 1 : 0;
}

int maildir_catalog_unique(struct maildir_catalog *c)
{
	if (c->count == 0)
		return 0;
	if (uidls_new(c) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->count; i++) {
		if (!uidl_put(c, i, maildir_message_uidl(c, &c->v[i])))
			c->v[i].state = MAILDIR_GONE;
	}
	return 0;
}

/*
 * The stem is the UIDL where nobody has it yet. A second file of one stem gets a
 * digest of its base, a second one of that base a digest of its whole name, and
 * whoever made names that collide even then gets digests of digests.
 */
static bool next_uidl(struct span name, int turn, struct maildir_uidl *uidl)
{
	struct maildir_name parts;

	maildir_name_parse(name, &parts);
	switch (turn) {
	case 0:
		return maildir_uidl_make(parts.stem, uidl);
	case 1:
		return maildir_uidl_digest(parts.base, uidl);
	case 2:
		return maildir_uidl_digest(name, uidl);
	default: {
		const struct maildir_uidl last = *uidl;

		return maildir_uidl_digest(maildir_uidl_span(&last), uidl);
	}
	}
}

int maildir_catalog_name(struct maildir_catalog *c, uint32_t i, const struct maildir_given *g,
			 struct span given)
{
	struct maildir_message *const m = &c->v[i];
	const struct span name = maildir_message_name(c, m);
	struct maildir_uidl uidl;
	int r = 0;

	if (uidls_fill(c) < 0)
		return -ENOMEM;
	if (given.n > 0 && uidl_put(c, i, given)) {
		memcpy(uidl.text, given.p, given.n);
		uidl.len = (uint8_t)given.n;
	} else {
		r = given.n > 0 ? 1 : 0;
		for (int turn = 0;; turn++) {
			if (!next_uidl(name, turn, &uidl))
				return -ENOMEM;
			if (g != NULL && maildir_given_has(g, maildir_uidl_span(&uidl)))
				continue;
			if (uidl_put(c, i, maildir_uidl_span(&uidl)))
				break;
		}
	}
	m->uidl_len = uidl.len;
	/* Mostly it is the front of the name. */
	if (name.n >= uidl.len && memcmp(name.p, uidl.text, uidl.len) == 0)
		m->uidl = m->name;
	else
		m->uidl = maildir_pool_put(&c->text, maildir_uidl_span(&uidl));
	return m->uidl == MAILDIR_NOWHERE ? -ENOMEM : r;
}
