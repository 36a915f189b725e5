/* SPDX-License-Identifier: MIT */
#include "server/listener/session_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "server/listener/session.h"

static void sessions_are_found_by_their_id(void **state)
{
	struct session_table t = {0};
	struct session a = {.id = 1};
	struct session b = {.id = 2};

	(void)state;
	assert_int_equal(session_table_init(&t, 2), 0);
	assert_null(session_table_find(&t, 1));
	session_table_add(&t, &a);
	session_table_add(&t, &b);
	assert_ptr_equal(session_table_find(&t, 1), &a);
	assert_ptr_equal(session_table_find(&t, 2), &b);
	assert_null(session_table_find(&t, 0));
	assert_null(session_table_find(&t, 3));
	session_table_remove(&t, &a);
	assert_null(session_table_find(&t, 1));
	assert_ptr_equal(session_table_find(&t, 2), &b);
	session_table_done(&t);
	session_table_done(&t);
}

/* Ids go on for ever, so they meet in a bucket; each can be taken out of its chain. */
static void sessions_of_one_bucket(void **state)
{
	enum { N = 3 };

	(void)state;
	for (size_t gone = 0; gone < N; gone++) {
		struct session_table t = {0};
		struct session s[N] = {{.id = UINT64_MAX - 63}};

		assert_int_equal(session_table_init(&t, 1), 0);
		for (size_t i = 0; i < N; i++) {
			s[i].id = s[0].id + i * 64;
			session_table_add(&t, &s[i]);
		}
		session_table_remove(&t, &s[gone]);
		for (size_t i = 0; i < N; i++)
			assert_ptr_equal(session_table_find(&t, s[i].id), i == gone ? NULL : &s[i]);
		session_table_done(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_found_by_their_id),
		cmocka_unit_test(sessions_of_one_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
