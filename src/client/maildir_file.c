/* SPDX-License-Identifier: MIT */
#include "client/maildir_file.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"

static const char mark[] = ".restante-";

#define MARK_LENGTH (sizeof(mark) - 1)
#define HEX_LENGTH ((size_t)2 * MESSAGE_KEY_OCTETS)

void maildir_file_name(const struct message_key *key, uint64_t bytes, uint64_t octets,
		       char ret_name[static MAILDIR_FILE_MAX + 1])
{
	static atomic_uint sequence;
	const unsigned q = atomic_fetch_add(&sequence, 1) + 1;
	const uint64_t now = clock_wall_ns();
	char hex[HEX_LENGTH + 1];

	for (size_t i = 0; i < MESSAGE_KEY_OCTETS; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", key->octets[i]);

	const int n = snprintf(ret_name, MAILDIR_FILE_MAX + 1, "%llu.M%06lluQ%u%s%s,S=%llu,W=%llu",
			       (unsigned long long)(now / 1000000000U),
			       (unsigned long long)(now / 1000U % 1000000U), q, mark, hex,
			       (unsigned long long)bytes, (unsigned long long)octets);

	assert(n > 0 && n <= MAILDIR_FILE_MAX);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_key(struct span hex, struct message_key *ret_key)
{
	struct message_key key;

	for (size_t i = 0; i < MESSAGE_KEY_OCTETS; i++) {
		const int high = digit(hex.p[2 * i]);
		const int low = digit(hex.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key.octets[i] = (uint8_t)(high << 4 | low);
	}
	*ret_key = key;
	return true;
}

/* In ",S=123,W=125:2,S". */
static uint64_t parse_bytes(struct span rest)
{
	uint64_t bytes;

	rest.n = span_find(rest, ':');
	while (rest.n > 0) {
		struct span part = span_of(rest.p + 1, rest.n - 1);

		part.n = span_find(part, ',');
		if (part.n > 2 && part.p[0] == 'S' && part.p[1] == '=' &&
		    num_parse_u64(span_of(part.p + 2, part.n - 2), UINT64_MAX - 1, &bytes))
			return bytes;
		span_skip(&rest, part.n + 1);
	}
	return UINT64_MAX;
}

bool maildir_file_parse(struct span name, struct message_key *ret_key, uint64_t *ret_bytes)
{
	const char *const at = memmem(name.p, name.n, mark, MARK_LENGTH);

	if (at == NULL)
		return false;
	span_skip(&name, (size_t)(at - name.p) + MARK_LENGTH);
	if (name.n < HEX_LENGTH ||
	    (name.n > HEX_LENGTH && name.p[HEX_LENGTH] != ',' && name.p[HEX_LENGTH] != ':'))
		return false;
	if (!parse_key(name, ret_key))
		return false;
	span_skip(&name, HEX_LENGTH);
	*ret_bytes = parse_bytes(name);
	return true;
}
