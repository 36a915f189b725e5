/* SPDX-License-Identifier: MIT */
#include "store/uidl_list.h"

#include <assert.h>

#include "base/num.h"
#include "base/out.h"
#include "codec/index/index_record.h"
#include "store/journal.h"

static const char head[] = "restante-uidl 1";
static const char tail[] = "end ";

/* One line without its LF. False when there is no whole one. */
static bool take_line(struct span *s, struct span *ret_line)
{
	const size_t n = span_find(*s, '\n');

	if (n == s->n)
		return false;
	*ret_line = span_of(s->p, n);
	span_skip(s, n + 1);
	return true;
}

bool uidl_list_next(struct uidl_list *l, struct span *ret_uidl, struct span *ret_name)
{
	struct span line;
	size_t n;

	if (l->left == 0 || !take_line(&l->rest, &line))
		return false;
	n = span_find(line, ' ');
	if (n == line.n)
		return false;

	const struct span uidl = span_of(line.p, n);
	const struct span name = span_of(line.p + n + 1, line.n - n - 1);

	if (!index_uidl_valid(uidl) || !journal_name_valid(name))
		return false;
	l->left--;
	*ret_uidl = uidl;
	*ret_name = name;
	return true;
}

/* Where the last line begins; file ends with LF. */
static size_t last_line(struct span file)
{
	size_t n = file.n - 1;

	while (n > 0 && file.p[n - 1] != '\n')
		n--;
	return n;
}

bool uidl_list_open(struct uidl_list *l, struct span file)
{
	struct uidl_list walk;
	struct span end;
	struct span line;
	struct span uidl;
	struct span name;
	uint64_t count;

	if (file.n == 0 || file.n > UIDL_LIST_BYTES_MAX || file.p[file.n - 1] != '\n')
		return false;

	const size_t at = last_line(file);

	end = span_of(file.p + at, file.n - at - 1);
	if (end.n < sizeof(tail) - 1 || memcmp(end.p, tail, sizeof(tail) - 1) != 0)
		return false;
	span_skip(&end, sizeof(tail) - 1);
	if (!num_parse_u64(end, INDEX_COUNT_MAX, &count))
		return false;

	walk.rest = span_of(file.p, at);
	walk.left = (uint32_t)count;
	if (!take_line(&walk.rest, &line) || !span_eq(line, span_str(head)))
		return false;
	*l = walk;
	while (uidl_list_next(&walk, &uidl, &name))
		;
	return walk.left == 0 && walk.rest.n == 0;
}

static int put(struct buf *b, const struct span *parts, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = buf_put(b, parts[i]);
	return r;
}

int uidl_list_begin(struct buf *b)
{
	buf_init(b, UIDL_LIST_BYTES_MAX);
	return put(b, (struct span[]){span_str(head), SPAN_LIT("\n")}, 2);
}

int uidl_list_put(struct buf *b, struct span uidl, struct span name)
{
	assert(index_uidl_valid(uidl) && journal_name_valid(name));
	return put(b, (struct span[]){uidl, SPAN_LIT(" "), name, SPAN_LIT("\n")}, 4);
}

int uidl_list_end(struct buf *b, uint32_t count)
{
	char digits[20];
	struct out out = {.p = digits, .cap = sizeof(digits)};

	(void)out_u64(&out, count);
	return put(b, (struct span[]){span_str(tail), out_span(&out), SPAN_LIT("\n")}, 3);
}
