/* SPDX-License-Identifier: MIT */
#include "codec/sasl/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* All ones when first <= u <= last, else 0. Octets only: a difference below 0 has bit 31. */
static unsigned in_range(unsigned u, unsigned first, unsigned last)
{
	return (((u - first) | (last - u)) >> 31) - 1;
}

/*
 * What a character stands for; 64 for any other. Passwords go through here: no
 * table is looked up in, and no branch taken, that depends on which it is.
 */
static unsigned value(char c)
{
	const unsigned u = (unsigned char)c;

	return 64 ^ (in_range(u, 'A', 'Z') & (64 ^ (u - 'A'))) ^
	       (in_range(u, 'a', 'z') & (64 ^ (u - 'a' + 26))) ^
	       (in_range(u, '0', '9') & (64 ^ (u - '0' + 52))) ^
	       (in_range(u, '+', '+') & (64 ^ 62)) ^ (in_range(u, '/', '/') & (64 ^ 63));
}

bool base64_encode(struct out *out, struct span s)
{
	/* BASE64_ENCODED() could wrap for what no memory can hold. */
	if (s.n > out_room(out) || BASE64_ENCODED(s.n) > out_room(out))
		return false;
	while (s.n > 0) {
		const size_t n = s.n < 3 ? s.n : 3;
		uint32_t bits = 0;
		char quad[4];

		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < n ? (unsigned char)s.p[i] : 0);
		for (size_t i = 0; i < 4; i++)
			quad[i] = i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
		(void)out_put(out, span_of(quad, 4));
		span_skip(&s, n);
	}
	return true;
}

enum base64_status base64_decode(struct out *out, struct span s)
{
	size_t padding = 0;

	if (s.n % 4 != 0)
		return BASE64_BAD;
	while (padding < 2 && padding < s.n && s.p[s.n - 1 - padding] == '=')
		padding++;

	const size_t characters = s.n - padding;
	unsigned bad = 0;

	for (size_t i = 0; i < characters; i++)
		bad |= value(s.p[i]) & 64;
	/* With padding, the last character has 2 or 4 bits that nothing is made of. */
	if (padding > 0)
		bad |= value(s.p[characters - 1]) & (padding == 1 ? 3U : 15U);
	if (bad != 0)
		return BASE64_BAD;
	if (BASE64_DECODED(s.n) - padding > out_room(out))
		return BASE64_NO_ROOM;

	for (size_t i = 0; i < s.n; i += 4) {
		const size_t n = i + 4 < s.n ? 3 : 3 - padding;
		uint32_t bits = 0;
		char triple[3];

		for (size_t j = 0; j < 4; j++)
			bits = bits << 6 | (i + j < characters ? value(s.p[i + j]) : 0);
		for (size_t j = 0; j < 3; j++)
			triple[j] = (char)(unsigned char)(bits >> (16 - 8 * j));
		(void)out_put(out, span_of(triple, n));
	}
	return BASE64_OK;
}
