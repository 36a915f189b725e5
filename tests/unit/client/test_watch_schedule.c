/* SPDX-License-Identifier: MIT */
#include "client/watch_schedule.h"

#include "client_help.h"

static uint64_t next(struct watch_schedule *s, enum fetch_status last)
{
	return watch_schedule_next(s, last, 0, 0) / 1000;
}

static void interval(void **state)
{
	struct watch_schedule s = {.interval = 300};

	(void)state;
	assert_int_equal(next(&s, FETCH_OK), 300);
	assert_int_equal(next(&s, FETCH_REFUSED), 300);
	/* Later by up to a tenth, never sooner. */
	for (uint64_t random = 0; random < 100000; random += 777) {
		const uint64_t ms = watch_schedule_next(&s, FETCH_OK, 0, random);

		assert_in_range(ms, 300000, 330000);
	}
}

static void failures(void **state)
{
	static const uint64_t network[] = {300, 600, 1200, 2400, 3600, 3600};
	static const uint64_t login[] = {300, 1200, 3600, 3600};
	struct watch_schedule s = {.interval = 300};

	(void)state;
	for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++)
		assert_int_equal(next(&s, FETCH_NETWORK), network[i]);
	assert_int_equal(next(&s, FETCH_OK), 300);
	assert_int_equal(next(&s, FETCH_LATER), 300);
	s.failures = 0;
	for (size_t i = 0; i < sizeof(login) / sizeof(login[0]); i++)
		assert_int_equal(next(&s, FETCH_LOGIN), login[i]);
	/* It doesn't overflow, and never gets shorter than the interval. */
	s = (struct watch_schedule){.interval = 86400 * 30, .failures = UINT32_MAX};
	assert_int_equal(next(&s, FETCH_NETWORK), 86400 * 30);
}

static void login_delay(void **state)
{
	struct watch_schedule s = {.interval = 60};

	(void)state;
	assert_in_range(watch_schedule_next(&s, FETCH_OK, 900, 12345), 900000, 990000);
	assert_in_range(watch_schedule_next(&s, FETCH_OK, 10, 0), 60000, 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interval),
		cmocka_unit_test(failures),
		cmocka_unit_test(login_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
