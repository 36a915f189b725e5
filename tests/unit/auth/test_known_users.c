/* SPDX-License-Identifier: MIT */
/* Users who are known while their database is away. */
#include "auth/known_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct user_record record_of(const char *name, const char *secret)
{
	struct user_record r = {.uid = 7, .gid = 8, .verifies = true, .rules = {.given = 4}};

	r.rules.rules.newest = 9;
	(void)snprintf(r.name, sizeof(r.name), "%s", name);
	(void)snprintf(r.secret, sizeof(r.secret), "%s", secret);
	(void)snprintf(r.home, sizeof(r.home), "/home/%s", name);
	(void)snprintf(r.scram[SCRAM_SHA_256], sizeof(r.scram[SCRAM_SHA_256]), "keys");
	return r;
}

static void comes_back_as_it_was(void **state)
{
	struct known_users *k = known_users_new();
	const struct user_record alice = record_of("alice", "{PLAIN}a");
	struct user_record r;

	(void)state;
	assert_non_null(k);
	assert_false(known_users_get(k, "alice", 0, &r));
	known_users_put(k, "Alice@example.org", &alice, 1000, 2000);
	memset(&r, 0xa5, sizeof(r));
	assert_true(known_users_get(k, "alice@EXAMPLE.org", 1999, &r));
	assert_memory_equal(&r, &alice, sizeof(r));
	/* Under another name nobody has logged in, and the time ends. */
	assert_false(known_users_get(k, "alice", 1999, &r));
	assert_false(known_users_get(k, "alice@example.org", 2000, &r));
	assert_false(known_users_get(k, "", 1, &r));
	assert_false(known_users_get(k, "../alice", 1, &r));
	/* Not for no time at all. */
	known_users_put(k, "bob", &alice, 1000, 1000);
	assert_false(known_users_get(k, "bob", 999, &r));
	known_users_free(k);
	known_users_free(NULL);
}

static void the_database_has_the_last_word(void **state)
{
	struct known_users *k = known_users_new();
	const struct user_record first = record_of("alice", "{PLAIN}a");
	const struct user_record changed = record_of("alice", "{PLAIN}b");
	struct user_record r;

	(void)state;
	assert_non_null(k);
	known_users_put(k, "alice", &first, 0, 100);
	known_users_compare(k, "alice", &first);
	known_users_compare(k, "bob", NULL);
	assert_true(known_users_get(k, "alice", 1, &r));
	known_users_compare(k, "alice", &changed);
	assert_false(known_users_get(k, "alice", 1, &r));
	known_users_put(k, "alice", &first, 0, 100);
	known_users_compare(k, "ALICE", NULL);
	assert_false(known_users_get(k, "alice", 1, &r));
	known_users_put(k, "alice", &first, 0, 100);
	known_users_clear(k);
	assert_false(known_users_get(k, "alice", 1, &r));
	known_users_free(k);
}

/* However many there are, it doesn't grow, and who came last is there. */
static void is_bounded(void **state)
{
	struct known_users *k = known_users_new();
	struct user_record r = record_of("x", "y");
	unsigned found = 0;

	(void)state;
	assert_non_null(k);
	for (unsigned i = 0; i < KNOWN_USERS_MAX + 5000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "user%u", i);
		known_users_put(k, name, &r, 0, 1 + i);
		assert_true(known_users_get(k, name, 0, &r));
	}
	for (unsigned i = 0; i < KNOWN_USERS_MAX + 5000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "user%u", i);
		found += known_users_get(k, name, 0, &r);
	}
	assert_in_range(found, KNOWN_USERS_MAX / 2, KNOWN_USERS_MAX);
	known_users_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(the_database_has_the_last_word),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
