/* SPDX-License-Identifier: MIT */
#include "base/value.h"

#include <string.h>

#include "base/num.h"
#include "base/span.h"

struct unit {
	char letter;
	uint64_t factor;
};

/* A number, and perhaps the letter of a unit behind it. units ends with letter 0. */
static bool with_unit(const char *text, const struct unit *units, uint64_t max, uint64_t *ret_value)
{
	struct span s = span_str(text);
	uint64_t factor = 1;
	uint64_t n;

	if (s.n == 0)
		return false;
	for (const struct unit *u = units; u->letter != '\0'; u++) {
		if (s.p[s.n - 1] == u->letter) {
			factor = u->factor;
			s.n--;
			break;
		}
	}
	if (!num_parse_u64(s, max / factor, &n))
		return false;
	*ret_value = n * factor;
	return true;
}

bool value_duration(const char *text, uint64_t max, uint64_t *ret_seconds)
{
	static const struct unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {0, 0}};

	return with_unit(text, units, max, ret_seconds);
}

bool value_size(const char *text, uint64_t max, uint64_t *ret_octets)
{
	static const struct unit units[] = {
		{'K', 1U << 10}, {'M', 1U << 20}, {'G', 1U << 30}, {0, 0}};

	return with_unit(text, units, max, ret_octets);
}

bool value_mode(const char *text, uint32_t *ret_mode)
{
	const size_t n = strlen(text);
	uint32_t mode = 0;

	if (n < 3 || n > 4)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '7')
			return false;
		mode = mode * 8 + (uint32_t)(text[i] - '0');
	}
	if (mode > 0777)
		return false;
	*ret_mode = mode;
	return true;
}

bool value_bool(const char *text, bool *ret_value)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"yes", true}, {"true", true},   {"on", true},
		{"no", false}, {"false", false}, {"off", false},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].word) == 0) {
			*ret_value = words[i].value;
			return true;
		}
	}
	return false;
}
