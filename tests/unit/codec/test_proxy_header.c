/* SPDX-License-Identifier: MIT */
#include "codec/proxy/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>

#define S(text) SPAN_LIT(text)
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\1\xc6\x33\x64\2\xc8\x22\0\x6e"
#define V6                                       \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7" \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x8\xc8\x22\0\x6e"
#define TLV "\4\0\4abcd"

/* A header with something of the client's behind it. */
static const struct {
	struct span header;
	enum proxy_family family;
	const char *address; /* as inet_pton(3) has it; NULL: all zero */
	uint16_t port;
	uint32_t extra;
} good[] = {
	{S("PROXY TCP4 192.0.2.1 198.51.100.2 51234 110\r\n"), PROXY_INET, "192.0.2.1", 51234, 0},
	{S("PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n"), PROXY_INET, "255.255.255.255", 0, 0},
	{S("PROXY TCP6 2001:db8::7 ::1 1 110\r\n"), PROXY_INET6, "2001:db8::7", 1, 0},
	{S("PROXY TCP6 :: 1:2:3:4:5:6:7:8 1 110\r\n"), PROXY_INET6, "::", 1, 0},
	{S("PROXY TCP6 1:2:3:4:5:6:7:8 :: 1 110\r\n"), PROXY_INET6, "1:2:3:4:5:6:7:8", 1, 0},
	{S("PROXY TCP6 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1 110\r\n"), PROXY_INET6,
	 "1:2:3:4:5:6:7::", 1, 0},
	{S("PROXY TCP6 ::ffff:192.0.2.1 1:2:3:4:5:6:192.0.2.1 1 110\r\n"), PROXY_INET6,
	 "::ffff:192.0.2.1", 1, 0},
	{S("PROXY TCP6 ABCD:ef01:: 1::8 1 110\r\n"), PROXY_INET6, "abcd:ef01::", 1, 0},
	/* as long as it can be */
	{S("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	 PROXY_UNKNOWN, NULL, 0, 0},
	{S("PROXY UNKNOWN\r\n"), PROXY_UNKNOWN, NULL, 0, 0},
	{S(SIGNATURE "\x21\x11\0\x0c" V4), PROXY_INET, "192.0.2.1", 51234, 0},
	{S(SIGNATURE "\x21\x11\0\x13" V4 TLV), PROXY_INET, "192.0.2.1", 51234, 7},
	{S(SIGNATURE "\x21\x21\0\x24" V6), PROXY_INET6, "2001:db8::7", 51234, 0},
	{S(SIGNATURE "\x21\x21\xff\xff" V6), PROXY_INET6, "2001:db8::7", 51234, 0xffff - 36},
	/* itself, with and without what isn't looked at */
	{S(SIGNATURE "\x20\0\0\0"), PROXY_LOCAL, NULL, 0, 0},
	{S(SIGNATURE "\x20\x11\0\x0c" V4), PROXY_LOCAL, NULL, 0, 12},
	/* datagrams, UNIX sockets, and what isn't defined yet */
	{S(SIGNATURE "\x21\0\0\0"), PROXY_UNKNOWN, NULL, 0, 0},
	{S(SIGNATURE "\x21\x12\0\x0c" V4), PROXY_UNKNOWN, NULL, 0, 12},
	{S(SIGNATURE "\x21\x31\0\xd8"), PROXY_UNKNOWN, NULL, 0, 216},
};

#define GOOD (sizeof(good) / sizeof(good[0]))

static void check_good(size_t i, const struct proxy_header *h)
{
	uint8_t address[16] = {0};

	assert_int_equal(h->family, good[i].family);
	assert_int_equal(h->port, good[i].port);
	assert_int_equal(h->extra, good[i].extra);
	if (good[i].address != NULL)
		assert_int_equal(inet_pton(h->family == PROXY_INET ? AF_INET : AF_INET6,
					   good[i].address, address),
				 1);
	assert_memory_equal(h->address, address, sizeof(address));
}

/* Its own copy: a sanitizer sees what is read behind it. */
static enum proxy_status parse(struct span in, struct proxy_header *ret)
{
	char *const p = malloc(in.n + 1);
	enum proxy_status status;

	assert_non_null(p);
	memcpy(p, in.p, in.n);
	status = proxy_header_parse(span_of(p, in.n), ret);
	free(p);
	return status;
}

static void test_good_headers_cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOOD; i++) {
		const struct span all = good[i].header;
		bool done = false;

		for (size_t n = 0; n <= all.n; n++) {
			struct proxy_header h;

			if (parse(span_of(all.p, n), &h) == PROXY_MORE) {
				assert_false(done);
				continue;
			}
			done = true;
			assert_int_equal(h.octets + h.extra >= n, true);
			check_good(i, &h);
		}
		assert_true(done);
	}
}

static void test_what_follows_is_the_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOOD; i++) {
		struct proxy_header h;
		char text[512];
		size_t n = good[i].header.n;

		memcpy(text, good[i].header.p, n);
		memcpy(text + n, "CAPA\r\n", 6);
		assert_int_equal(parse(span_of(text, n + 6), &h), PROXY_DONE);
		check_good(i, &h);
		assert_true(h.octets <= n);
	}
}

static const struct span bad[] = {
	S("X"),
	S("CAPA\r\n"),
	S("proxy TCP4"),
	S("PROXY\t"),
	S("PROXY \r\n"),
	S("PROXY TCP5 192.0.2.1 198.51.100.2 51234 110\r\n"),
	S("PROXY tcp4 192.0.2.1 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4  192.0.2.1 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 51234\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 51234 110 \r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 51234 110 7\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 65536 110\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 51234 65536\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 051234 110\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100.2 -1 110\r\n"),
	S("PROXY TCP4 192.0.2.256 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4 192.0.2 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4 192.0.2.1.1 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4 192.0..1 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4 192.0.02.1 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP4 192.0.2.1 198.51.100 51234 110\r\n"),
	S("PROXY TCP4 ::1 ::1 51234 110\r\n"),
	S("PROXY TCP6 192.0.2.1 198.51.100.2 51234 110\r\n"),
	S("PROXY TCP6 1:2:3:4:5:6:7 ::1 1 110\r\n"),
	S("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 110\r\n"),
	S("PROXY TCP6 1:2:3:4:5:6:7:8:: ::1 1 110\r\n"),
	S("PROXY TCP6 1::2::3 ::1 1 110\r\n"),
	S("PROXY TCP6 ::: ::1 1 110\r\n"),
	S("PROXY TCP6 1: ::1 1 110\r\n"),
	S("PROXY TCP6 :1 ::1 1 110\r\n"),
	S("PROXY TCP6 12345::1 ::1 1 110\r\n"),
	S("PROXY TCP6 g::1 ::1 1 110\r\n"),
	S("PROXY TCP6 ::1 1::2::3 1 110\r\n"),
	S("PROXY TCP6 1:2:3:4:5:6:7:192.0.2.1 ::1 1 110\r\n"),
	S("PROXY TCP6 ::192.0.2.1:1 ::1 1 110\r\n"),
	S("PROXY UNKNOWN\rX"),
	S("PROXY UNKNOWNS\r\n"),
	/* a line without an end */
	S("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655355\r\n"),
	S("\r\n\r\n\0\r\nQUIT\r"),
	S(SIGNATURE "\x11\x11\0\x0c" V4),
	S(SIGNATURE "\x22\x11\0\x0c" V4),
	/* shorter than its addresses */
	S(SIGNATURE "\x21\x11\0\x0b" V4),
	S(SIGNATURE "\x21\x21\0\x23" V6),
};

static void test_bad_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct proxy_header h;

		if (parse(bad[i], &h) != PROXY_BAD)
			fail_msg("taken: %.*s", (int)bad[i].n, bad[i].p);
		/* No prefix of it was a header. */
		for (size_t n = 0; n < bad[i].n; n++)
			assert_int_not_equal(parse(span_of(bad[i].p, n), &h), PROXY_DONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_headers_cut_everywhere),
		cmocka_unit_test(test_what_follows_is_the_clients),
		cmocka_unit_test(test_bad_headers),
	};

	return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
