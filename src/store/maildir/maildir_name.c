/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_name.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/rand.h"
#include "codec/index/index_record.h"
#include "store/uidl_digest.h"

/*
 * The info begins at the last ":2," (or ":1,", which the format keeps for
 * experiments). A colon elsewhere is an odd name, not an info.
 */
struct span maildir_name_base(struct span name)
{
	const char *p;

	for (size_t n = name.n; (p = memrchr(name.p, ':', n)) != NULL; n = (size_t)(p - name.p)) {
		if (name.p + name.n - p >= 3 && (p[1] == '2' || p[1] == '1') && p[2] == ',')
			return span_of(name.p, (size_t)(p - name.p));
	}
	return name;
}

/* "S=123": which of S, W and D, and how much. */
static bool parse_size(struct span part, char *ret_key, uint64_t *ret_value)
{
	if (part.n < 3 || part.p[1] != '=')
		return false;
	if (part.p[0] != 'S' && part.p[0] != 'W' && part.p[0] != 'D')
		return false;
	if (!num_parse_u64(span_of(part.p + 2, part.n - 2), UINT64_MAX, ret_value))
		return false;
	*ret_key = part.p[0];
	return true;
}

/* "I=12", "I=-12". */
static bool parse_growth(struct span part, int16_t *ret_growth)
{
	const bool negative = part.n > 2 && part.p[2] == '-';
	uint64_t v;

	if (part.n < 3 || part.p[0] != 'I' || part.p[1] != '=')
		return false;
	span_skip(&part, negative ? 3 : 2);
	if (!num_parse_u64(part, INT16_MAX, &v))
		return false;
	*ret_growth = (int16_t)(negative ? -(int)v : (int)v);
	return true;
}

/* Each LF may need a CR and the last line an end: no file is longer on the wire than that. */
static bool sizes_possible(uint64_t bytes, uint64_t octets)
{
	return bytes <= MAILDIR_BYTES_MAX && octets >= bytes && octets <= 2 * bytes + 2;
}

void maildir_name_parse(struct span name, struct maildir_name *ret)
{
	int seen[3] = {0, 0, 0}; /* S, W, D */
	uint64_t value[3] = {0, 0, 0};
	int growths = 0;

	assert(name.n <= MAILDIR_NAME_MAX);
	ret->base = maildir_name_base(name);
	ret->growth = 0;

	struct span rest = ret->base;
	const size_t first = span_find(rest, ',');

	ret->stem = span_of(rest.p, first);
	span_skip(&rest, first);
	while (rest.n > 0) {
		/* rest is ",part,part". */
		const size_t n = span_find(span_of(rest.p + 1, rest.n - 1), ',') + 1;
		uint64_t v;
		char key;

		if (parse_size(span_of(rest.p + 1, n - 1), &key, &v)) {
			const int i = key == 'S' ? 0 : key == 'W' ? 1 : 2;

			seen[i]++;
			value[i] = v;
		} else if (parse_growth(span_of(rest.p + 1, n - 1), &ret->growth)) {
			growths++;
		} else if (ret->stem.p == name.p && ret->stem.p + ret->stem.n == rest.p) {
			ret->stem.n += n;
		} else {
			/* After a size: the stem isn't one run of the name any more. */
			if (ret->stem.p == name.p)
				memcpy(ret->_stem, name.p, ret->stem.n);
			memcpy(ret->_stem + ret->stem.n, rest.p, n);
			ret->stem = span_of(ret->_stem, ret->stem.n + n);
		}
		span_skip(&rest, n);
	}

	ret->bytes = value[0];
	ret->octets = value[1];
	ret->has_sizes = seen[0] == 1 && seen[1] == 1 && sizes_possible(value[0], value[1]);
	ret->dots = value[2];
	ret->has_dots = seen[2] == 1;
	ret->has_growth = growths == 1 && (ret->growth >= 0 || value[1] >= (uint64_t)-ret->growth);
	if (!ret->has_growth)
		ret->growth = 0;
}

/* The digits at the front of *s, which are taken off; 0 when there are none or too many. */
static uint64_t take_number(struct span *s)
{
	uint64_t v = 0;
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	(void)num_parse_u64(span_of(s->p, n), UINT64_MAX, &v);
	span_skip(s, n);
	return v;
}

void maildir_name_order(struct span name, struct maildir_order *ret_order)
{
	struct span s = maildir_name_base(name);

	*ret_order = (struct maildir_order){.seconds = take_number(&s)};
	if (s.n == 0 || s.p[0] != '.')
		return;
	span_skip(&s, 1);
	s.n = span_find(s, '.');

	/* Letters with numbers, such as M123P456Q7. Hexadecimal ones have no M and no Q. */
	while (s.n > 0) {
		const char key = s.p[0];

		span_skip(&s, 1);
		if (key == 'M')
			ret_order->micros = take_number(&s);
		else if (key == 'Q')
			ret_order->sequence = take_number(&s);
	}
}

bool maildir_uidl_digest(struct span s, struct maildir_uidl *ret_uidl)
{
	if (!uidl_digest(s, ret_uidl->text))
		return false;
	ret_uidl->len = UIDL_DIGEST;
	return true;
}

bool maildir_uidl_make(struct span s, struct maildir_uidl *ret_uidl)
{
	if (!index_uidl_valid(s))
		return maildir_uidl_digest(s, ret_uidl);
	memcpy(ret_uidl->text, s.p, s.n);
	ret_uidl->len = (uint8_t)s.n;
	return true;
}

void maildir_name_make(const char *hostname, uint64_t octets, uint64_t dot_lines,
		       char out[static MAILDIR_NAME_MAX + 1])
{
	static atomic_uint sequence;
	const unsigned int q = atomic_fetch_add(&sequence, 1) + 1;
	const uint64_t now = clock_wall_ns();
	const int n = snprintf(
		out, MAILDIR_NAME_MAX + 1, "%llu.M%06lluP%dQ%uR%08lx.%s,S=%llu,W=%llu,D=%llu",
		(unsigned long long)(now / 1000000000U),
		(unsigned long long)(now / 1000U % 1000000U), (int)getpid(), q,
		(unsigned long)(rand_u64() & 0xffffffffU), hostname, (unsigned long long)octets,
		(unsigned long long)octets, (unsigned long long)dot_lines);

	assert(n > 0 && n <= MAILDIR_NAME_MAX);
}

int maildir_name_put_growth(char name[static MAILDIR_NAME_MAX + 1], int16_t growth)
{
	const size_t used = strlen(name);
	const size_t room = MAILDIR_NAME_MAX + 1 - used;
	const int n = snprintf(name + used, room, ",I=%d", growth);

	if (n > 0 && (size_t)n < room)
		return 0;
	name[used] = '\0';
	return -ENAMETOOLONG;
}
