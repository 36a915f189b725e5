/* SPDX-License-Identifier: MIT */
#include "client/maildir_file.h"

#include "client_help.h"

static const struct message_key some = {.octets = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
						   0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}};

#define HEX "0123456789abcdeffedcba9876543210"

static void there_and_back(void **state)
{
	char name[MAILDIR_FILE_MAX + 1];
	char next[MAILDIR_FILE_MAX + 1];
	struct message_key key;
	uint64_t bytes;

	(void)state;
	maildir_file_name(&some, 2048, 2098, name);
	assert_contains(name, ".restante-" HEX ",S=2048,W=2098");
	assert_null(strchr(name, '/'));
	assert_null(strchr(name, ':'));
	assert_true(maildir_file_parse(span_str(name), &key, &bytes));
	assert_true(message_key_equal(&key, &some));
	assert_int_equal(bytes, 2048);
	maildir_file_name(&some, 2048, 2098, next);
	assert_string_not_equal(name, next);
}

static void longest(void **state)
{
	char name[MAILDIR_FILE_MAX + 1];

	(void)state;
	maildir_file_name(&some, UINT64_MAX, UINT64_MAX, name);
	assert_true(strlen(name) < MAILDIR_FILE_MAX);
}

static void names(void **state)
{
	static const struct {
		const char *name;
		bool ours;
		uint64_t bytes;
	} cases[] = {
		{"1.M2Q3.restante-" HEX, true, UINT64_MAX},
		{"1.M2Q3.restante-" HEX ",S=5", true, 5},
		{"1.M2Q3.restante-" HEX ",S=5,W=6:2,S", true, 5},
		{"1.M2Q3.restante-" HEX ",W=6,S=5:2,", true, 5},
		{"1.M2Q3.restante-" HEX ":2,FS", true, UINT64_MAX},
		{"1.M2Q3.restante-" HEX ":2,S=5", true, UINT64_MAX},
		{"1.M2Q3.restante-" HEX ",S=5x", true, UINT64_MAX},
		{"1.M2Q3.restante-" HEX ",S=", true, UINT64_MAX},
		{"1.M2Q3.restante-" HEX ",", true, UINT64_MAX},
		{"1.M2Q3.restante-" HEX "0", false, 0},
		{"1.M2Q3.restante-0123456789abcdef", false, 0},
		{"1.M2Q3.restante-0123456789ABCDEFfedcba9876543210", false, 0},
		{"1.M2Q3.restante-0123456789abcdeffedcba987654321g", false, 0},
		{"1.M2Q3.host,S=5", false, 0},
		{"restante-" HEX, false, 0},
		{"", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message_key key;
		uint64_t bytes = 4711;

		if (maildir_file_parse(span_str(cases[i].name), &key, &bytes) != cases[i].ours)
			fail_msg("%s", cases[i].name);
		if (cases[i].ours)
			assert_int_equal(bytes, cases[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(longest),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
