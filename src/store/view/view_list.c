/* SPDX-License-Identifier: MIT */
#include "store/view/view_list.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/limits.h"
#include "base/rand.h"
#include "codec/index/index_record.h"

/*
 *	0       16           24
 *	| magic | generation | batch | batch | ...
 *
 *	batch:  | 4 octets of entries | 4 count | entries | SHA-256 of head, lengths and entries |
 *	entry:  | 1 kind | 8 seconds | 1 length | 1 length | 1 length | folder | UIDL | key |
 */
#define MAGIC "restante-list-1\n"
#define MAGIC_SIZE 16
#define BATCH_SIZE 8
#define ENTRY_SIZE 12
#define SUM_SIZE 32

static void put_le(char *out, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(v >> (8 * i) & 0xff);
}

static uint64_t get_le(const char *in, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i > 0; i--)
		v = v << 8 | (uint8_t)in[i - 1];
	return v;
}

/* The head belongs to it: a batch of an older list of this name proves nothing in this one. */
static bool checksum(struct span head, struct span batch, char out[static SUM_SIZE])
{
	EVP_MD_CTX *const ctx = EVP_MD_CTX_new();
	const bool done = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
			  EVP_DigestUpdate(ctx, head.p, VIEW_LIST_HEAD) == 1 &&
			  EVP_DigestUpdate(ctx, batch.p, batch.n) == 1 &&
			  EVP_DigestFinal_ex(ctx, (unsigned char *)out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return done;
}

int view_list_new(struct buf *out)
{
	char head[VIEW_LIST_HEAD] = MAGIC;

	put_le(head + MAGIC_SIZE, rand_u64(), 8);
	return buf_put(out, span_of(head, sizeof(head)));
}

int view_batch_begin(struct view_batch *b, struct buf *out)
{
	char head[BATCH_SIZE] = {0};

	*b = (struct view_batch){.out = out, .at = out->n};
	return buf_put(out, span_of(head, sizeof(head)));
}

int view_batch_put(struct view_batch *b, const struct view_entry *e)
{
	char fixed[ENTRY_SIZE] = {(char)e->kind};
	int r;

	put_le(fixed + 1, e->seconds, 8);
	fixed[9] = (char)e->folder.n;
	fixed[10] = (char)e->uidl.n;
	fixed[11] = (char)e->key.n;
	r = buf_put(b->out, span_of(fixed, sizeof(fixed)));
	if (r == 0)
		r = buf_put(b->out, e->folder);
	if (r == 0)
		r = buf_put(b->out, e->uidl);
	if (r == 0)
		r = buf_put(b->out, e->key);
	if (r == 0)
		b->count++;
	return r;
}

int view_batch_seal(struct view_batch *b, struct span list)
{
	const size_t n = b->out->n - b->at;
	char sum[SUM_SIZE];

	put_le(b->out->p + b->at, n - BATCH_SIZE, 4);
	put_le(b->out->p + b->at + 4, b->count, 4);
	return checksum(list, span_of(b->out->p + b->at, n), sum)
		       ? buf_put(b->out, span_of(sum, sizeof(sum)))
		       : -ENOMEM;
}

static bool is_uidl_or_nothing(struct span s)
{
	return s.n == 0 || index_uidl_valid(s);
}

/* A folder's name is one component of a path. */
static bool entry_valid(const struct view_entry *e)
{
	if (e->kind < VIEW_HAD || e->kind > VIEW_MOVED || e->folder.n > VIEW_FOLDER_MAX ||
	    span_find(e->folder, '/') < e->folder.n || span_find(e->folder, '\0') < e->folder.n)
		return false;
	return (e->uidl.n == 0) == (e->kind == VIEW_MOVED) && is_uidl_or_nothing(e->uidl) &&
	       (e->key.n == 0) == (e->kind != VIEW_TRASHED) && is_uidl_or_nothing(e->key);
}

static bool take_entry(struct span *s, struct view_entry *ret_entry)
{
	struct view_entry e;

	if (s->n < ENTRY_SIZE)
		return false;
	e.kind = (enum view_kind)(uint8_t)s->p[0];
	e.seconds = get_le(s->p + 1, 8);
	e.folder.n = (uint8_t)s->p[9];
	e.uidl.n = (uint8_t)s->p[10];
	e.key.n = (uint8_t)s->p[11];
	if (e.folder.n + e.uidl.n + e.key.n > s->n - ENTRY_SIZE)
		return false;
	e.folder.p = s->p + ENTRY_SIZE;
	e.uidl.p = e.folder.p + e.folder.n;
	e.key.p = e.uidl.p + e.uidl.n;
	if (!entry_valid(&e))
		return false;
	span_skip(s, ENTRY_SIZE + e.folder.n + e.uidl.n + e.key.n);
	*ret_entry = e;
	return true;
}

/* The batch in front, with its sum; 0: there is no whole one. */
static size_t whole_batch(struct span head, struct span rest)
{
	struct view_entry e;
	struct span entries;
	char sum[SUM_SIZE];
	uint64_t left;
	uint64_t n;

	if (rest.n < BATCH_SIZE + SUM_SIZE)
		return 0;
	n = get_le(rest.p, 4);
	left = get_le(rest.p + 4, 4);
	if (n > rest.n - BATCH_SIZE - SUM_SIZE ||
	    !checksum(head, span_of(rest.p, BATCH_SIZE + n), sum) ||
	    memcmp(sum, rest.p + BATCH_SIZE + n, SUM_SIZE) != 0)
		return 0;
	entries = span_of(rest.p + BATCH_SIZE, n);
	for (; left > 0 && take_entry(&entries, &e); left--)
		;
	return left == 0 && entries.n == 0 ? BATCH_SIZE + n + SUM_SIZE : 0;
}

size_t view_list_whole(struct span file)
{
	size_t at = VIEW_LIST_HEAD;
	size_t n;

	if (file.n < VIEW_LIST_HEAD || file.n > VIEW_LIST_BYTES_MAX ||
	    memcmp(file.p, MAGIC, MAGIC_SIZE) != 0)
		return 0;
	while ((n = whole_batch(file, span_of(file.p + at, file.n - at))) > 0)
		at += n;
	return at;
}

struct view_reader view_list_entries(struct span whole)
{
	struct view_reader r = {.rest = whole};

	span_skip(&r.rest, whole.n < VIEW_LIST_HEAD ? whole.n : VIEW_LIST_HEAD);
	return r;
}

bool view_list_next(struct view_reader *r, struct view_entry *ret_entry)
{
	/* Into the next batch, over those that have no entry. */
	while (r->left == 0 && r->rest.n >= BATCH_SIZE) {
		r->left = (uint32_t)get_le(r->rest.p + 4, 4);
		span_skip(&r->rest, BATCH_SIZE);
		if (r->left == 0)
			span_skip(&r->rest, r->rest.n < SUM_SIZE ? r->rest.n : SUM_SIZE);
	}
	if (r->left == 0 || !take_entry(&r->rest, ret_entry))
		return false;
	if (--r->left == 0)
		span_skip(&r->rest, r->rest.n < SUM_SIZE ? r->rest.n : SUM_SIZE);
	return true;
}
