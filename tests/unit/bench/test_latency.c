/* SPDX-License-Identifier: MIT */
#include "latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void nothing(void **state)
{
	static const struct latency l;

	(void)state;
	assert_int_equal(latency_at(&l, 500000), 0);
}

static void small_numbers_are_exact(void **state)
{
	static struct latency l;

	(void)state;
	for (uint64_t ns = 1; ns <= 60; ns++)
		latency_add(&l, ns);
	assert_int_equal(l.count, 60);
	assert_int_equal(l.total_ns, 60 * 61 / 2);
	assert_int_equal(latency_at(&l, 500000), 30);
	assert_int_equal(latency_at(&l, 1000000), 60);
	assert_int_equal(latency_at(&l, 1), 1);
}

/* Every magnitude, also the largest: never below the truth, never 1.6% above it. */
static void one_number(void **state)
{
	(void)state;
	for (unsigned power = 0; power < 63; power++) {
		for (unsigned eighth = 8; eighth < 16; eighth++) {
			static struct latency l;
			const uint64_t ns = (uint64_t)(((unsigned __int128)eighth << power) / 8);

			l = (struct latency){0};
			latency_add(&l, ns);
			latency_add(&l, UINT64_MAX);
			assert_true(latency_at(&l, 500000) >= ns);
			assert_true(latency_at(&l, 500000) - ns <= ns / 64);
			assert_int_equal(latency_at(&l, 990000), UINT64_MAX);
		}
	}
}

static void the_last_one_is_seen(void **state)
{
	static struct latency l;

	(void)state;
	for (int i = 0; i < 999; i++)
		latency_add(&l, 1000);
	latency_add(&l, 5000000);
	assert_true(latency_at(&l, 999000) < 1100);
	assert_int_equal(latency_at(&l, 999001), 5000000);
	assert_int_equal(l.max_ns, 5000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(small_numbers_are_exact),
		cmocka_unit_test(one_number),
		cmocka_unit_test(the_last_one_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
