/* SPDX-License-Identifier: MIT */
/*
 * What comes before a client's first octet: cut anywhere, the answer is the same, and
 * the addresses of a line are what inet_pton(3) reads in them.
 */
#include <arpa/inet.h>

#include "codec/proxy/proxy_header.h"
#include "fuzz.h"

/* The second word behind "PROXY " of a line that was taken. */
static void need_same_address(struct span line, const struct proxy_header *h)
{
	uint8_t address[16] = {0};
	char text[PROXY_HEADER_MAX + 1];
	struct span word;

	span_skip(&line, strlen("PROXY TCPn "));
	word = span_of(line.p, span_find(line, ' '));
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	fuzz_need(inet_pton(h->family == PROXY_INET ? AF_INET : AF_INET6, text, address) == 1);
	fuzz_need(memcmp(address, h->address, sizeof(address)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span in = span_of((const char *)data, size);
	struct proxy_header whole;
	struct proxy_header part;
	const enum proxy_status status = proxy_header_parse(in, &whole);
	bool decided = false;

	fuzz_need(status != PROXY_MORE || size < PROXY_HEADER_MAX);
	for (size_t n = 0; n <= size && n <= PROXY_HEADER_MAX; n++) {
		const struct span prefix = fuzz_copy(span_of(in.p, n));
		const enum proxy_status now = proxy_header_parse(prefix, &part);

		fuzz_free(prefix);
		if (now == PROXY_MORE) {
			fuzz_need(!decided);
			continue;
		}
		fuzz_need(now == status);
		fuzz_need(now == PROXY_BAD || memcmp(&part, &whole, sizeof(part)) == 0);
		decided = true;
	}
	fuzz_need(decided == (status != PROXY_MORE));
	if (status != PROXY_DONE)
		return 0;
	fuzz_need(whole.octets <= PROXY_HEADER_MAX && whole.octets <= size);
	if (in.p[0] == 'P' && (whole.family == PROXY_INET || whole.family == PROXY_INET6))
		need_same_address(in, &whole);
	return 0;
}
