/* SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Each octet changes sooner or later, and none beside them ever does. */
static void random_fills_what_it_was_given(void **state)
{
	unsigned char p[67] = {0};
	unsigned char seen[67] = {0};

	(void)state;
	for (unsigned round = 0; round < 64; round++) {
		rand_fill(p + 1, sizeof(p) - 2);
		for (size_t i = 0; i < sizeof(p); i++)
			seen[i] |= p[i];
	}
	assert_int_equal(seen[0], 0);
	assert_int_equal(seen[66], 0);
	for (size_t i = 1; i < sizeof(p) - 1; i++)
		assert_int_not_equal(seen[i], 0);
	rand_fill(p, 0);
	assert_true(rand_u64() != rand_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_fills_what_it_was_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
