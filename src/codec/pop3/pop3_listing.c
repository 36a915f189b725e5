/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_listing.h"

#include "base/num.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_spaces(struct span *s)
{
	while (s->n > 0 && is_space(s->p[0]))
		span_skip(s, 1);
}

/* Takes a number off the front, up to the next space. */
static bool take_number(struct span *s, uint64_t max, uint64_t *ret_number)
{
	size_t n = 0;

	skip_spaces(s);
	while (n < s->n && !is_space(s->p[n]))
		n++;
	if (!num_parse_u64(span_of(s->p, n), max, ret_number))
		return false;
	span_skip(s, n);
	return true;
}

static bool take_message_number(struct span *s, uint32_t *ret_number)
{
	uint64_t number;

	if (!take_number(s, UINT32_MAX, &number) || number == 0)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

bool pop3_listing_stat(struct span text, uint32_t *ret_count, uint64_t *ret_octets)
{
	uint64_t count, octets;

	if (!take_number(&text, UINT32_MAX, &count) || !take_number(&text, UINT64_MAX, &octets))
		return false;
	*ret_count = (uint32_t)count;
	*ret_octets = octets;
	return true;
}

bool pop3_listing_size(struct span line, uint32_t *ret_number, uint64_t *ret_octets)
{
	uint32_t number;
	uint64_t octets;

	if (!take_message_number(&line, &number) || !take_number(&line, UINT64_MAX, &octets))
		return false;
	*ret_number = number;
	*ret_octets = octets;
	return true;
}

bool pop3_listing_uidl(struct span line, uint32_t *ret_number, struct span *ret_uidl)
{
	if (!take_message_number(&line, ret_number))
		return false;
	skip_spaces(&line);
	while (line.n > 0 && is_space(line.p[line.n - 1]))
		line.n--;
	*ret_uidl = line;
	return true;
}
