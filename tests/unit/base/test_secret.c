/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void wipes_what_it_was_given_and_no_more(void **state)
{
	char p[8] = "password";

	(void)state;
	secret_wipe(p + 1, 6);
	assert_memory_equal(p, "p\0\0\0\0\0\0d", 8);
	secret_wipe(p, 0);
	assert_int_equal(p[0], 'p');
	secret_wipe(NULL, 0);
	secret_wipe(NULL, 8);
}

static void a_difference_anywhere_is_one(void **state)
{
	unsigned char a[33];
	unsigned char b[33];

	(void)state;
	memset(a, 0x5a, sizeof(a));
	memcpy(b, a, sizeof(b));
	assert_true(secret_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(b); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			b[i] = (unsigned char)(a[i] ^ (1U << bit));
			assert_false(secret_equal(a, b, sizeof(a)));
			/* What is behind the end doesn't count. */
			assert_true(secret_equal(a, b, i));
		}
		b[i] = a[i];
	}
}

static void two_differences_dont_cancel(void **state)
{
	(void)state;
	assert_false(secret_equal("ab", "ba", 2));
	assert_false(secret_equal("aa", "bb", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wipes_what_it_was_given_and_no_more),
		cmocka_unit_test(a_difference_anywhere_is_one),
		cmocka_unit_test(two_differences_dont_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
