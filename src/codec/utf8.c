/* SPDX-License-Identifier: MIT */
#include "codec/utf8.h"

#include <stdint.h>

/* The second octet's range depends on the first: that is what keeps out what must not be. */
static const struct {
	uint8_t first, last, second_first, second_last, n;
} rows[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_length(struct span s)
{
	const unsigned char *const u = (const unsigned char *)s.p;

	for (size_t i = 0; s.n >= 2 && u[0] >= 0x80 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (u[0] < rows[i].first || u[0] > rows[i].last)
			continue;
		if (s.n < rows[i].n || u[1] < rows[i].second_first || u[1] > rows[i].second_last)
			return 0;
		for (size_t j = 2; j < rows[i].n; j++) {
			if ((u[j] & 0xc0) != 0x80)
				return 0;
		}
		return rows[i].n;
	}
	return 0;
}

bool utf8_valid(struct span s)
{
	while (s.n > 0) {
		const size_t n = (unsigned char)s.p[0] < 0x80 ? 1 : utf8_length(s);

		if (n == 0)
			return false;
		span_skip(&s, n);
	}
	return true;
}
