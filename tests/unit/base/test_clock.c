/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

static void clocks_have_their_units(void **state)
{
	struct timespec before;
	struct timespec after;

	(void)state;
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
	const uint64_t ms = clock_mono_ms();
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
	assert_in_range(ms, (uint64_t)before.tv_sec * 1000, (uint64_t)after.tv_sec * 1000 + 999);

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
	const uint64_t ns = clock_wall_ns();
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
	assert_in_range(ns / 1000000000U, before.tv_sec, after.tv_sec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_have_their_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
