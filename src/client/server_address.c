/* SPDX-License-Identifier: MIT */
#include "client/server_address.h"

#include "base/num.h"

static bool copy(struct span s, char *to, size_t cap)
{
	if (s.n == 0 || s.n >= cap)
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return true;
}

/* Where a host ends: at the bracket, or at the colon when there is one only. */
static bool split(struct span text, struct span *ret_host, struct span *ret_rest)
{
	size_t n = span_find(text, ':');

	*ret_host = text;
	if (text.n > 0 && text.p[0] == '[') {
		n = span_find(text, ']');
		if (n == text.n)
			return false;
		*ret_host = span_of(text.p + 1, n - 1);
		n++;
	} else if (n < text.n && memchr(text.p + n + 1, ':', text.n - n - 1) != NULL) {
		n = text.n;
	} else {
		ret_host->n = n;
	}
	*ret_rest = span_of(text.p + n, text.n - n);
	return true;
}

bool server_address_parse(struct span text, uint16_t port, struct server_address *ret_address)
{
	const struct span local = SPAN_LIT("unix:");
	struct server_address a = {.port = port};
	struct span host;
	struct span rest;
	uint64_t number;

	if (text.n > local.n && memcmp(text.p, local.p, local.n) == 0) {
		span_skip(&text, local.n);
		if (text.p[0] != '/' || !copy(text, a.path, sizeof(a.path)))
			return false;
		*ret_address = a;
		return true;
	}
	if (!split(text, &host, &rest) || !copy(host, a.host, sizeof(a.host)))
		return false;
	if (rest.n > 0) {
		if (rest.p[0] != ':' ||
		    !num_parse_u64(span_of(rest.p + 1, rest.n - 1), UINT16_MAX, &number) ||
		    number == 0)
			return false;
		a.port = (uint16_t)number;
	}
	*ret_address = a;
	return true;
}
