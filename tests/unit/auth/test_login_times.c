/* SPDX-License-Identifier: MIT */
#include "auth/login_times.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void test_each_has_its_own(void **state)
{
	struct login_times *t = login_times_new();

	(void)state;
	assert_non_null(t);
	assert_int_equal(login_times_get(t, "alice", ""), 0);
	login_times_put(t, "alice", "", 100);
	login_times_put(t, "bob", "", 200);
	login_times_put(t, "alice", "phone", 300);
	login_times_put(t, "ali", "cephone", 400);
	assert_int_equal(login_times_get(t, "alice", ""), 100);
	assert_int_equal(login_times_get(t, "bob", ""), 200);
	assert_int_equal(login_times_get(t, "alice", "phone"), 300);
	assert_int_equal(login_times_get(t, "carol", ""), 0);
	login_times_put(t, "alice", "", 500);
	assert_int_equal(login_times_get(t, "alice", ""), 500);
	assert_int_equal(login_times_get(t, "alice", "phone"), 300);
	login_times_free(t);
	login_times_free(NULL);
}

/* Twice as many as there is room for: of those who came last, hardly any is forgotten. */
static void test_the_oldest_go(void **state)
{
	struct login_times *t = login_times_new();
	unsigned late = 0;
	char name[16];

	(void)state;
	assert_non_null(t);
	for (unsigned i = 0; i < 2 * LOGIN_TIMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		login_times_put(t, name, "", 1 + i);
		assert_int_equal(login_times_get(t, name, ""), 1 + i);
	}
	for (unsigned i = 2 * LOGIN_TIMES_MAX - LOGIN_TIMES_MAX / 4; i < 2 * LOGIN_TIMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		late += login_times_get(t, name, "") == 1 + i;
	}
	assert_in_range(late, LOGIN_TIMES_MAX / 4 * 95 / 100, LOGIN_TIMES_MAX / 4);
	login_times_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_own),
		cmocka_unit_test(test_the_oldest_go),
	};

	return cmocka_run_group_tests_name("login_times", tests, NULL, NULL);
}
