/* SPDX-License-Identifier: MIT */
/* Time is what the test says it is. */
#include "auth/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define MINUTE UINT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MAX 15000U

static struct guard *g;
static uint64_t now;
static struct guard_alarm alarm;

static int setup(void **state)
{
	(void)state;
	g = guard_new();
	assert_non_null(g);
	now = 1000 * DAY;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guard_free(g);
	return 0;
}

static struct guard_who who(const char *user, const char *remote)
{
	struct guard_who w;

	guard_who_init(g, &w, span_str(user), remote, false);
	return w;
}

static uint64_t wait_of(const char *user, const char *remote)
{
	const struct guard_who w = who(user, remote);

	return guard_wait_ms(g, &w, MAX, now);
}

static bool fail_with(const char *user, const char *remote, const char *wrong)
{
	const struct guard_who w = who(user, remote);

	return guard_failed(g, &w, wrong, now, &alarm);
}

/* Different passwords each time. */
static void fail_times(const char *user, const char *remote, unsigned n)
{
	static unsigned counter;
	char wrong[16];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(wrong, sizeof(wrong), "w%u", counter++);
		assert_true(fail_with(user, remote, wrong));
	}
}

static void let_in(const char *user, const char *remote)
{
	const struct guard_who w = who(user, remote);

	guard_let_in(g, &w, now);
}

static void a_guesser_waits_longer_and_longer(void **state)
{
	static const uint64_t waits[] = {0, 0, 0, 0, 1000, 2000, 4000, 8000, MAX, MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(wait_of("alice", "192.0.2.1"), waits[i]);
		fail_times("alice", "192.0.2.1", 1);
	}
	/* Half of ten is forgotten in an hour, and all in a night. */
	now += HOUR;
	assert_int_equal(wait_of("alice", "192.0.2.1"), 2000);
	now += 12 * HOUR;
	assert_int_equal(wait_of("alice", "192.0.2.1"), 0);
	/* Nobody waits where it is switched off. */
	fail_times("alice", "192.0.2.1", 50);
	const struct guard_who w = who("alice", "192.0.2.1");

	assert_int_equal(guard_wait_ms(g, &w, 0, now), 0);
}

static void the_same_password_counts_once(void **state)
{
	(void)state;
	assert_true(fail_with("alice", "192.0.2.1", "old"));
	for (int i = 0; i < 1000; i++)
		assert_false(fail_with("alice", "192.0.2.1", "old"));
	assert_true(fail_with("alice", "192.0.2.1", "older"));
	assert_false(fail_with("alice", "192.0.2.1", "old"));
	assert_int_equal(wait_of("alice", "192.0.2.1"), 0);
	/* Of somebody else, or elsewhere, it isn't the same. */
	assert_true(fail_with("bob", "192.0.2.1", "old"));
	assert_true(fail_with("alice", "192.0.2.2", "old"));
	/* The last four are remembered. */
	fail_times("alice", "192.0.2.1", 3);
	assert_true(fail_with("alice", "192.0.2.1", "old"));
}

/* A proof tells nothing of its password: what comes again and again counts less. */
static void proofs_count_less_in_the_end(void **state)
{
	(void)state;
	for (int i = 0; i < 13; i++)
		assert_true(fail_with("alice", "192.0.2.1", ""));
	assert_int_equal(wait_of("alice", "192.0.2.1"), 4000);
	assert_int_equal(wait_of("bob", "192.0.2.1"), 0);
}

static void neighbours_are_not_locked_out(void **state)
{
	(void)state;
	let_in("bob", "192.0.2.1");
	fail_times("alice", "192.0.2.1", 200);
	/* Known there: as if nothing had happened. New there: in the end, too. */
	assert_int_equal(wait_of("bob", "192.0.2.1"), 0);
	assert_int_equal(wait_of("carol", "192.0.2.1"), MAX);
	let_in("carol", "192.0.2.1");
	assert_int_equal(wait_of("carol", "192.0.2.1"), 0);
	/* Being let in forgives the user's own failures there, and nobody else's. */
	let_in("alice", "192.0.2.1");
	assert_int_equal(wait_of("alice", "192.0.2.1"), 0);
	assert_int_equal(wait_of("dave", "192.0.2.1"), MAX);
	/* A known address is no licence to guess. */
	fail_times("bob", "192.0.2.1", 30);
	assert_int_equal(wait_of("bob", "192.0.2.1"), MAX / 4);
}

static void one_user_from_many_addresses(void **state)
{
	unsigned told[8];
	unsigned n = 0;

	(void)state;
	let_in("alice", "198.51.100.9");
	for (unsigned i = 0; i < 200; i++) {
		char remote[24];

		/* So slowly that no count of failures grows. */
		now += 15 * MINUTE;
		(void)snprintf(remote, sizeof(remote), "203.0.113.%u", i);
		assert_true(fail_with("alice", remote, "guess"));
		assert_int_equal(alarm.users, 0);
		if (alarm.addresses == 0)
			continue;
		assert_in_range(n, 0, 7);
		assert_in_range(alarm.failures, i * 7 / 10, i + 1);
		told[n++] = alarm.addresses;
	}
	assert_in_range(n, 3, 4);
	assert_in_range(told[0], 20, 21);
	for (unsigned i = 1; i < n; i++)
		assert_true(told[i] >= 2 * told[i - 1]);
	assert_true(wait_of("alice", "192.0.2.77") >= 8000);
	assert_int_equal(wait_of("alice", "198.51.100.9"), 0);
	assert_int_equal(wait_of("bob", "192.0.2.77"), 0);
	/* After some days of peace it is over. */
	now += 5 * DAY;
	assert_int_equal(wait_of("alice", "192.0.2.77"), 0);
}

static void many_users_from_one_address(void **state)
{
	unsigned told = 0;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		char user[16];

		now += HOUR;
		(void)snprintf(user, sizeof(user), "user%u", i);
		assert_true(fail_with(user, "192.0.2.1", "123456"));
		assert_int_equal(alarm.addresses, 0);
		if (alarm.users != 0) {
			assert_in_range(alarm.users, 20, 22);
			assert_in_range(alarm.failures, 18, 23);
			told++;
		}
	}
	assert_int_equal(told, 1);
	assert_int_equal(wait_of("somebody", "192.0.2.1"), 4000);
	assert_int_equal(wait_of("somebody", "192.0.2.2"), 0);
}

/* A webmail's users are many at one address; their own failures count all the same. */
static void programs_of_this_machine(void **state)
{
	struct guard_who w;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char user[16];

		(void)snprintf(user, sizeof(user), "user%u", i);
		guard_who_init(g, &w, span_str(user), "127.0.0.1", true);
		assert_true(guard_failed(g, &w, "x", now, &alarm));
		assert_int_equal(alarm.users, 0);
	}
	guard_who_init(g, &w, span_str("alice"), "127.0.0.1", true);
	assert_int_equal(guard_wait_ms(g, &w, MAX, now), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_true(guard_failed(g, &w,
					 i == 0   ? "a"
					 : i == 1 ? "b"
					 : i == 2 ? "c"
						  : "d",
					 now, &alarm));
	assert_int_equal(guard_wait_ms(g, &w, MAX, now), 1000);
}

static void networks_of_ipv6(void **state)
{
	(void)state;
	fail_times("alice", "2001:db8:1:1::1", 12);
	/* One customer's /64 is one address. */
	assert_int_equal(wait_of("bob", "2001:db8:1:1:ffff::2"), 1000);
	assert_int_equal(wait_of("bob", "2001:db8:1:2::1"), 0);
	/* A site that goes through its /64s. */
	for (unsigned i = 0; i < 60; i++) {
		char remote[48];
		char user[16];

		(void)snprintf(remote, sizeof(remote), "2001:db8:7:%x::1", i);
		(void)snprintf(user, sizeof(user), "user%u", i % 7);
		fail_times(user, remote, 1);
	}
	assert_int_equal(wait_of("zoe", "2001:db8:7:ffff::1"), 2000);
	assert_int_equal(wait_of("zoe", "2001:db8:8:ffff::1"), 0);
}

/* Whoever wants to be forgotten would have to fail as often as everybody who stays. */
static void a_record_is_not_washed_away(void **state)
{
	(void)state;
	fail_times("alice", "192.0.2.1", 20);
	for (unsigned i = 0; i < 200000; i++) {
		char remote[48];
		char user[16];

		(void)snprintf(remote, sizeof(remote), "10.%u.%u.%u", i >> 16, i >> 8 & 255,
			       i & 255);
		(void)snprintf(user, sizeof(user), "user%u", i);
		assert_true(fail_with(user, remote, "x"));
	}
	assert_int_equal(wait_of("alice", "192.0.2.1"), MAX);
	assert_true(wait_of("bob", "192.0.2.1") > 1000);
	assert_true(wait_of("alice", "192.0.2.2") > 1000);
}

static void known_places_are_few_and_grow_old(void **state)
{
	char remote[24];

	(void)state;
	fail_times("alice", "203.0.113.200", 30);
	for (unsigned i = 0; i < 20; i++) {
		now += MINUTE;
		(void)snprintf(remote, sizeof(remote), "192.0.2.%u", i);
		let_in("alice", remote);
	}
	assert_true(wait_of("alice", "192.0.2.3") > 0);
	assert_int_equal(wait_of("alice", "192.0.2.4"), 0);
	assert_int_equal(wait_of("alice", "192.0.2.19"), 0);
	now += 41 * DAY;
	fail_times("alice", "203.0.113.200", 30);
	assert_int_equal(wait_of("alice", "192.0.2.19"), 0);
	now += DAY + HOUR;
	fail_times("alice", "203.0.113.200", 30);
	assert_true(wait_of("alice", "192.0.2.19") > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_guesser_waits_longer_and_longer), TEST(the_same_password_counts_once),
		TEST(proofs_count_less_in_the_end),      TEST(neighbours_are_not_locked_out),
		TEST(one_user_from_many_addresses),      TEST(many_users_from_one_address),
		TEST(programs_of_this_machine),          TEST(networks_of_ipv6),
		TEST(a_record_is_not_washed_away),       TEST(known_places_are_few_and_grow_old),
	};
#undef TEST

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
