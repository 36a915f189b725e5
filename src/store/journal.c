/* SPDX-License-Identifier: MIT */
#include "store/journal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

/*
 *	0        16      20        24
 *	| magic  | count | 0 0 0 0 | entry | entry | ... | SHA-256 of all before |
 *
 *	entry:   | 1 in_cur | 8 inode | 1 length | name |
 */
#define MAGIC "restante-jrnl-1\n"
#define MAGIC_SIZE 16
#define HEAD_SIZE 24
#define ENTRY_SIZE 10
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

static bool checksum(struct span s, char out[static SUM_SIZE])
{
	return EVP_Digest(s.p, s.n, (unsigned char *)out, NULL, EVP_sha256(), NULL) == 1;
}

bool journal_name_valid(struct span name)
{
	return name.n >= 1 && name.n <= 255 && name.p[0] != '.' && span_find(name, '/') == name.n &&
	       span_find(name, '\0') == name.n;
}

void journal_init(struct journal *j)
{
	buf_init(&j->buf, JOURNAL_BYTES_MAX);
	j->count = 0;
}

void journal_done(struct journal *j)
{
	buf_done(&j->buf);
	j->count = 0;
}

static int put_head(struct journal *j)
{
	char head[HEAD_SIZE] = MAGIC;

	return buf_put(&j->buf, span_of(head, sizeof(head)));
}

int journal_put(struct journal *j, const struct journal_entry *e)
{
	char fixed[ENTRY_SIZE];
	int r = j->buf.n == 0 ? put_head(j) : 0;

	assert(journal_name_valid(e->name) && e->in_cur <= 1);
	fixed[0] = (char)e->in_cur;
	put_le(fixed + 1, e->inode, 8);
	fixed[9] = (char)e->name.n;
	if (r == 0)
		r = buf_put(&j->buf, span_of(fixed, sizeof(fixed)));
	if (r == 0)
		r = buf_put(&j->buf, e->name);
	if (r == 0)
		j->count++;
	return r;
}

int journal_seal(struct journal *j)
{
	char sum[SUM_SIZE];
	const int r = j->buf.n == 0 ? put_head(j) : 0;

	if (r < 0)
		return r;
	put_le(j->buf.p + MAGIC_SIZE, j->count, 4);
	return checksum(buf_span(&j->buf), sum) ? buf_put(&j->buf, span_of(sum, sizeof(sum)))
						: -ENOMEM;
}

struct journal_reader journal_entries(const struct journal *j)
{
	struct journal_reader r = {.rest = buf_span(&j->buf), .left = j->count};

	if (r.rest.n > 0)
		span_skip(&r.rest, HEAD_SIZE);
	return r;
}

bool journal_next(struct journal_reader *r, struct journal_entry *ret_entry)
{
	struct journal_entry e;

	if (r->left == 0 || r->rest.n < ENTRY_SIZE)
		return false;
	e.in_cur = (uint8_t)r->rest.p[0];
	e.inode = get_le(r->rest.p + 1, 8);
	e.name = span_of(r->rest.p + ENTRY_SIZE, (uint8_t)r->rest.p[9]);
	if (e.in_cur > 1 || e.name.n > r->rest.n - ENTRY_SIZE || !journal_name_valid(e.name))
		return false;
	span_skip(&r->rest, ENTRY_SIZE + e.name.n);
	r->left--;
	*ret_entry = e;
	return true;
}

bool journal_open(struct journal_reader *r, struct span file)
{
	struct journal_reader walk;
	struct journal_entry e;
	char sum[SUM_SIZE];

	if (file.n < HEAD_SIZE + SUM_SIZE || file.n > JOURNAL_BYTES_MAX ||
	    memcmp(file.p, MAGIC, MAGIC_SIZE) != 0 || get_le(file.p + MAGIC_SIZE + 4, 4) != 0)
		return false;

	const struct span body = span_of(file.p, file.n - SUM_SIZE);

	if (!checksum(body, sum) || memcmp(sum, file.p + body.n, SUM_SIZE) != 0)
		return false;

	walk.rest = span_of(body.p + HEAD_SIZE, body.n - HEAD_SIZE);
	walk.left = (uint32_t)get_le(file.p + MAGIC_SIZE, 4);
	*r = walk;
	while (journal_next(&walk, &e))
		;
	return walk.left == 0 && walk.rest.n == 0;
}
