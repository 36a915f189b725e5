/* SPDX-License-Identifier: MIT */
#include "base/num.h"

bool num_parse_u64(struct span s, uint64_t max, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;

		const uint64_t digit = (uint64_t)(s.p[i] - '0');

		if (v > max / 10 || (v == max / 10 && digit > max % 10))
			return false;
		v = v * 10 + digit;
	}
	*ret_value = v;
	return true;
}
