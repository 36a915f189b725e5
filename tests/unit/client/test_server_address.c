/* SPDX-License-Identifier: MIT */
#include "client/server_address.h"

#include "client_help.h"

static void addresses(void **state)
{
	static const struct {
		const char *text;
		const char *path;
		const char *host;
		uint16_t port;
	} good[] = {
		{"mail.example.org", "", "mail.example.org", 24},
		{"mail.example.org:1", "", "mail.example.org", 1},
		{"192.0.2.1:65535", "", "192.0.2.1", 65535},
		{"[2001:db8::1]:25", "", "2001:db8::1", 25},
		{"[2001:db8::1]", "", "2001:db8::1", 24},
		{"2001:db8::1", "", "2001:db8::1", 24},
		{"unix:/run/lmtp", "/run/lmtp", "", 24},
	};
	static const char *const bad[] = {
		"",
		":25",
		"h:",
		"h:0",
		"h:65536",
		"h:x",
		"[::1",
		"[]:25",
		"[::1]25",
		"unix:",
		"unix:x",
		"[::1]:",
		"unix:/"
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345"};
	struct server_address a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(server_address_parse(span_str(good[i].text), 24, &a));
		assert_string_equal(a.path, good[i].path);
		assert_string_equal(a.host, good[i].host);
		assert_int_equal(a.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (server_address_parse(span_str(bad[i]), 24, &a))
			fail_msg("'%s'", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
