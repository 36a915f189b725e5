/* SPDX-License-Identifier: MIT */
#include "auth/login_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

struct login_case {
	const char *text;
	char separator;
	const char *whole, *user, *device;
	bool recent;
};

static void test_taken_apart(void **state)
{
	static const struct login_case cases[] = {
		{"alice", '+', "alice", "alice", "", false},
		{"alice+phone", '+', "alice+phone", "alice", "phone", false},
		{"Alice+Phone", '+', "Alice+Phone", "Alice", "phone", false},
		{"alice+phone@example.org", '+', "alice+phone@example.org", "alice@example.org",
		 "phone", false},
		{"a+b+c", '+', "a+b+c", "a+b", "c", false},
		{"a++c", '+', "a++c", "a+", "c", false},
		{"alice+p", '+', "alice+p", "alice", "p", false},
		{"alice+my-2nd_phone.old", '+', "alice+my-2nd_phone.old", "alice",
		 "my-2nd_phone.old", false},
		{"recent:alice", '+', "alice", "alice", "", true},
		{"Recent:alice+phone", '+', "alice+phone", "alice", "phone", true},
		{"recent:", '+', "", "", "", true},
		{"recent:recent:alice", '+', "recent:alice", "recent:alice", "", true},
		{"recent", '+', "recent", "recent", "", false},
		/* Another separator, or none. */
		{"alice+phone", '=', "alice+phone", "alice+phone", "", false},
		{"alice=phone", '=', "alice=phone", "alice", "phone", false},
		{"alice+phone", '\0', "alice+phone", "alice+phone", "", false},
		{"recent:alice", '\0', "alice", "alice", "", true},
		/* No device's name, or nobody in front of it. */
		{"alice+", '+', "alice+", "alice+", "", false},
		{"+phone", '+', "+phone", "+phone", "", false},
		{"+phone@example.org", '+', "+phone@example.org", "+phone@example.org", "", false},
		{"alice+.phone", '+', "alice+.phone", "alice+.phone", "", false},
		{"alice+phone-", '+', "alice+phone-", "alice+phone-", "", false},
		{"alice+a/b", '+', "alice+a/b", "alice+a/b", "", false},
		{"alice+a b", '+', "alice+a b", "alice+a b", "", false},
		{"alice+t\xc3\xa9l", '+', "alice+t\xc3\xa9l", "alice+t\xc3\xa9l", "", false},
		{"alice+a@b@example.org", '+', "alice+a@b@example.org", "alice+a@b@example.org", "",
		 false},
		/* Behind the '@' it is a domain. */
		{"alice@example+phone", '+', "alice@example+phone", "alice@example+phone", "",
		 false},
		{"", '+', "", "", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct login_case *c = &cases[i];
		struct login_name n;

		memset(&n, 0xa5, sizeof(n));
		login_name_read(c->text, c->separator, &n);
		assert_string_equal(n.whole, c->whole);
		assert_string_equal(n.user, c->user);
		assert_string_equal(n.device, c->device);
		assert_int_equal(n.recent, c->recent);
	}
}

static void test_as_long_as_can_be(void **state)
{
	char text[LIMIT_USER + 1] = "";
	struct login_name n;

	(void)state;
	memset(text, 'a', LIMIT_USER);
	login_name_read(text, '+', &n);
	assert_string_equal(n.whole, text);
	/* 63 octets of a device's name, and one more. */
	text[LIMIT_USER - MAILDROP_DEVICE_MAX - 1] = '+';
	login_name_read(text, '+', &n);
	assert_int_equal(strlen(n.device), MAILDROP_DEVICE_MAX);
	assert_int_equal(strlen(n.user), LIMIT_USER - MAILDROP_DEVICE_MAX - 1);
	text[LIMIT_USER - MAILDROP_DEVICE_MAX - 1] = 'a';
	text[LIMIT_USER - MAILDROP_DEVICE_MAX - 2] = '+';
	login_name_read(text, '+', &n);
	assert_string_equal(n.device, "");
	assert_string_equal(n.user, text);
}

static void test_to_the_letter(void **state)
{
	struct login_name n;

	(void)state;
	memset(&n, 0xa5, sizeof(n));
	login_name_of_user("alice+phone@example.org", &n);
	assert_string_equal(n.whole, "alice+phone@example.org");
	assert_string_equal(n.user, "alice+phone@example.org");
	assert_string_equal(n.device, "");
	assert_false(n.recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_apart),
		cmocka_unit_test(test_as_long_as_can_be),
		cmocka_unit_test(test_to_the_letter),
	};

	return cmocka_run_group_tests_name("login_name", tests, NULL, NULL);
}
