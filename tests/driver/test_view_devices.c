/* SPDX-License-Identifier: MIT */
/*
 * Devices and their time, held against every driver: the name of the driver is the program's
 * argument. The wall clock is the test's (ld's --wrap), so that days pass.
 */
#include "store_help.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char *driver;
static uint64_t days_later;

uint64_t __real_clock_wall_ns(void);
uint64_t __wrap_clock_wall_ns(void);

uint64_t __wrap_clock_wall_ns(void)
{
	return __real_clock_wall_ns() + days_later * 86400 * 1000000000U;
}

static int setup(void **state)
{
	days_later = 0;
	*state = help_new(driver);
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static struct store_owner owner_of(struct help *h, const char *device, uint32_t device_days)
{
	struct store_owner owner = help_owner(h->maildrop);

	(void)snprintf(owner.rules.device, sizeof(owner.rules.device), "%s", device);
	owner.rules.device_days = device_days;
	return owner;
}

static int try_open(struct help *h, const char *device, uint32_t device_days,
		    struct maildrop **ret_m)
{
	const struct store_owner owner = owner_of(h, device, device_days);

	return maildrop_open(h->store, &owner, ret_m, NULL);
}

static void deliver(struct help *h, unsigned int count)
{
	char text[64];

	for (unsigned int i = 1; i <= count; i++) {
		(void)snprintf(text, sizeof(text), "Subject: %u\r\n\r\nbody\r\n", i);
		assert_int_equal(help_deliver(h, h->maildrop, text), 0);
	}
}

/* A session of this device, which deletes message n (0: none). How many it has seen. */
static uint32_t session(struct help *h, const char *device, uint32_t device_days, uint32_t n)
{
	struct maildrop *m;
	uint32_t count;
	uint32_t removed;

	assert_int_equal(try_open(h, device, device_days, &m), 0);
	count = maildrop_count(m);
	if (n != 0)
		assert_int_equal(maildrop_mark(m, n), 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, n != 0 ? 1 : 0);
	maildrop_close(m);
	return count;
}

static uint64_t messages(struct help *h)
{
	const struct store_owner owner = owner_of(h, "", 0);
	struct store_usage usage;

	assert_int_equal(store_usage(h->store, &owner, &usage, NULL), 0);
	return usage.messages;
}

static void forget(struct help *h, const char *device)
{
	const struct store_owner owner = owner_of(h, "", 0);

	assert_int_equal(maildrop_forget_device(h->store, &owner, device, NULL), 0);
}

static void count_device(void *arg, const struct store_device_seen *d)
{
	char *const names = arg;

	(void)snprintf(names + strlen(names), 512 - strlen(names), "%s,", d->name);
}

static bool has_device(struct help *h, const char *device)
{
	const struct store_owner owner = owner_of(h, "", 0);
	char names[512] = ",";
	char wanted[64];

	assert_int_equal(maildrop_devices(h->store, &owner, count_device, names, NULL), 0);
	(void)snprintf(wanted, sizeof(wanted), ",%s,", device);
	return strstr(names, wanted) != NULL;
}

/* ---- days ---- */

static void test_device_days(void **state)
{
	struct help *const h = *state;

	deliver(h, 3);
	assert_int_equal(session(h, "phone", 30, 0), 3);
	assert_int_equal(session(h, "laptop", 30, 0), 3);
	assert_int_equal(session(h, "phone", 30, 1), 3);
	/* The laptop is here each day, and deletes nothing. */
	days_later = 15;
	assert_int_equal(session(h, "laptop", 30, 0), 3);
	days_later = 29;
	assert_int_equal(session(h, "laptop", 30, 0), 3);
	assert_int_equal(session(h, "phone", 30, 1), 2);
	days_later = 31;
	assert_int_equal(session(h, "laptop", 30, 0), 2);
	assert_int_equal(messages(h), 2);
	/* What was deleted later stays longer. */
	days_later = 58;
	assert_int_equal(session(h, "laptop", 30, 0), 2);
	days_later = 60;
	assert_int_equal(session(h, "laptop", 30, 0), 1);
	assert_int_equal(messages(h), 1);
	assert_int_equal(session(h, "phone", 30, 0), 1);
}

static void test_without_days_all_must_have_it(void **state)
{
	struct help *const h = *state;

	deliver(h, 2);
	assert_int_equal(session(h, "phone", 0, 1), 2);
	assert_int_equal(session(h, "laptop", 0, 1), 2);
	days_later = 400;
	assert_int_equal(session(h, "phone", 0, 0), 1);
	assert_int_equal(messages(h), 2);
	assert_int_equal(session(h, "", 0, 1), 2);
	assert_int_equal(messages(h), 1);
}

static void test_who_is_not_seen_is_not_waited_for(void **state)
{
	struct help *const h = *state;

	deliver(h, 3);
	assert_int_equal(session(h, "lost", 30, 0), 3);
	assert_int_equal(session(h, "phone", 30, 0), 3);
	days_later = 20;
	assert_int_equal(session(h, "phone", 30, 1), 3);
	assert_int_equal(session(h, "laptop", 30, 1), 3);
	assert_int_equal(messages(h), 3);
	/* Neither the one that is lost nor the login without a device, which nobody uses. */
	days_later = 31;
	assert_int_equal(session(h, "phone", 30, 0), 2);
	assert_int_equal(messages(h), 2);
	assert_int_equal(session(h, "phone", 30, 1), 2);
	assert_int_equal(session(h, "laptop", 30, 0), 2);
	/* It comes again after all, and counts. */
	assert_int_equal(session(h, "lost", 30, 0), 2);
	assert_int_equal(session(h, "laptop", 30, 1), 2);
	assert_int_equal(messages(h), 2);
}

/* ---- forgotten ---- */

static void test_what_all_others_have_goes_with_it(void **state)
{
	struct help *const h = *state;

	deliver(h, 2);
	assert_int_equal(session(h, "phone", 0, 1), 2);
	assert_int_equal(session(h, "laptop", 0, 1), 2);
	/* So that nothing is new when it is forgotten. */
	assert_int_equal(session(h, "phone", 0, 0), 1);
	assert_int_equal(session(h, "laptop", 0, 0), 1);
	assert_int_equal(messages(h), 2);
	forget(h, "");
	assert_int_equal(messages(h), 1);
}

static void test_a_new_device_brings_none_back(void **state)
{
	struct help *const h = *state;

	deliver(h, 1);
	assert_int_equal(session(h, "phone", 0, 0), 1);
	assert_true(has_device(h, ""));
	forget(h, "");
	assert_int_equal(session(h, "laptop", 0, 0), 1);
	assert_false(has_device(h, ""));
	assert_true(has_device(h, "laptop"));
	/* Unless it comes itself. */
	assert_int_equal(session(h, "", 0, 0), 1);
	assert_true(has_device(h, ""));
}

static void test_one_that_comes_again_has_had_nothing(void **state)
{
	struct help *const h = *state;

	deliver(h, 2);
	assert_int_equal(session(h, "phone", 0, 1), 2);
	assert_int_equal(session(h, "phone", 0, 0), 1);
	forget(h, "phone");
	assert_int_equal(session(h, "phone", 0, 0), 2);
}

/* 31 beside the plain login, whose place stays free. One that nobody waits for makes room. */
static void test_there_is_room_for_some(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	char name[16];

	deliver(h, 1);
	for (int i = 1; i <= 31; i++) {
		days_later = i == 8 ? 0 : 5;
		(void)snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(session(h, name, 30, 0), 1);
	}
	assert_int_equal(try_open(h, "more", 30, &m), -EPERM);
	forget(h, "");
	assert_int_equal(try_open(h, "more", 30, &m), -EPERM);
	assert_int_equal(session(h, "", 30, 0), 1);
	days_later = 31;
	assert_int_equal(session(h, "d7", 30, 0), 1);
	assert_int_equal(try_open(h, "more", 0, &m), -EPERM);
	assert_int_equal(session(h, "more", 30, 0), 1);
	assert_false(has_device(h, "d8"));
	assert_true(has_device(h, "d7") && has_device(h, "d31") && has_device(h, ""));
	assert_int_equal(try_open(h, "yet-more", 30, &m), -EPERM);
}

/* ---- at the same time ---- */

static void test_the_first_waits_for_who_is_there(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	struct maildrop *other;

	deliver(h, 1);
	assert_int_equal(try_open(h, "", 0, &m), 0);
	assert_int_equal(try_open(h, "phone", 0, &other), -EBUSY);
	maildrop_close(m);
	assert_int_equal(session(h, "phone", 0, 0), 1);
}

#define TURNS 60

struct worker {
	pthread_t thread;
	struct help *h;
	const char *device;
	int wrong;
};

static void *work(void *arg)
{
	struct worker *const w = arg;

	for (int i = 0; i < TURNS && w->wrong == 0; i++) {
		struct maildrop *m;
		int r;

		do {
			(void)sched_yield();
			r = try_open(w->h, w->device, 0, &m);
		} while (r == -EAGAIN);
		w->wrong = r;
		if (r == 0)
			maildrop_close(m);
	}
	return NULL;
}

/* With mail coming in, so that each of them has something to list. */
static void test_nobody_is_locked_out(void **state)
{
	static const char *const devices[] = {"", "phone", "laptop"};
	struct help *const h = *state;
	struct worker w[3];

	deliver(h, 1);
	assert_int_equal(session(h, "phone", 0, 0), 1);
	for (size_t i = 0; i < 3; i++) {
		w[i] = (struct worker){.h = h, .device = devices[i]};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	deliver(h, 20);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		assert_int_equal(w[i].wrong, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_device_days),
		TEST(test_without_days_all_must_have_it),
		TEST(test_who_is_not_seen_is_not_waited_for),
		TEST(test_what_all_others_have_goes_with_it),
		TEST(test_a_new_device_brings_none_back),
		TEST(test_one_that_comes_again_has_had_nothing),
		TEST(test_there_is_room_for_some),
		TEST(test_the_first_waits_for_who_is_there),
		TEST(test_nobody_is_locked_out),
	};

	driver = argc > 1 ? argv[1] : "maildir";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
