/* SPDX-License-Identifier: MIT */
#include "server/listener/timeout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

static const struct timeouts fresh = {
	.after_ms = {[TIMEOUT_LOGIN] = 60,
		     [TIMEOUT_IDLE] = 600,
		     [TIMEOUT_WRITE] = 120,
		     [TIMEOUT_LINGER] = 2},
};

static void nothing_is_due(void **state)
{
	struct timeouts all = fresh;
	enum timeout_kind kind;

	(void)state;
	assert_int_equal(timeout_next_due(&all), UINT64_MAX);
	assert_null(timeout_take_due(&all, UINT64_MAX, &kind));
}

static void each_kind_has_its_time(void **state)
{
	(void)state;
	for (int k = TIMEOUT_NONE + 1; k < TIMEOUT_KINDS; k++) {
		struct timeouts all = fresh;
		struct timeout t = {0};
		enum timeout_kind kind = TIMEOUT_NONE;
		const uint64_t due = 1000 + all.after_ms[k];

		timeout_set(&all, &t, (enum timeout_kind)k, 1000);
		assert_int_equal(t.kind, k);
		assert_int_equal(timeout_next_due(&all), due);
		assert_null(timeout_take_due(&all, due - 1, &kind));
		assert_ptr_equal(timeout_take_due(&all, due, &kind), &t);
		assert_int_equal(kind, k);
		assert_int_equal(t.kind, TIMEOUT_NONE);
		assert_int_equal(timeout_next_due(&all), UINT64_MAX);
		assert_null(timeout_take_due(&all, UINT64_MAX, &kind));
	}
}

static void setting_it_again_puts_it_off(void **state)
{
	struct timeouts all = fresh;
	struct timeout a = {0};
	struct timeout b = {0};
	enum timeout_kind kind;

	(void)state;
	timeout_set(&all, &a, TIMEOUT_IDLE, 0);
	timeout_set(&all, &b, TIMEOUT_IDLE, 10);
	timeout_set(&all, &a, TIMEOUT_IDLE, 20);
	assert_int_equal(timeout_next_due(&all), 610);
	assert_ptr_equal(timeout_take_due(&all, 1000, &kind), &b);
	assert_ptr_equal(timeout_take_due(&all, 1000, &kind), &a);
	timeout_set(&all, &a, TIMEOUT_IDLE, 0);
	timeout_set(&all, &a, TIMEOUT_NONE, 0);
	timeout_set(&all, &a, TIMEOUT_NONE, 0);
	assert_int_equal(timeout_next_due(&all), UINT64_MAX);
}

/* Against a look at every one of them. */
static void it_finds_what_a_look_at_all_finds(void **state)
{
	enum { N = 20 };
	struct timeouts all = fresh;
	struct timeout t[N] = {0};
	uint64_t due[N];
	uint64_t now = 0;

	(void)state;
	srandom(1);
	for (size_t i = 0; i < N; i++)
		due[i] = UINT64_MAX;
	for (int round = 0; round < 100000; round++) {
		const size_t i = (size_t)random() % N;
		const enum timeout_kind k = (enum timeout_kind)(random() % TIMEOUT_KINDS);
		uint64_t least = UINT64_MAX;
		enum timeout_kind kind;
		struct timeout *taken;

		now += (uint64_t)random() % 20;
		timeout_set(&all, &t[i], k, now);
		due[i] = k == TIMEOUT_NONE ? UINT64_MAX : now + all.after_ms[k];
		for (size_t j = 0; j < N; j++)
			least = due[j] < least ? due[j] : least;
		assert_int_equal(timeout_next_due(&all), least);
		while ((taken = timeout_take_due(&all, now, &kind)) != NULL) {
			assert_true(due[taken - t] <= now);
			due[taken - t] = UINT64_MAX;
		}
		for (size_t j = 0; j < N; j++)
			assert_true(due[j] > now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due),
		cmocka_unit_test(each_kind_has_its_time),
		cmocka_unit_test(setting_it_again_puts_it_off),
		cmocka_unit_test(it_finds_what_a_look_at_all_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
