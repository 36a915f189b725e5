/* SPDX-License-Identifier: MIT */
/* What is remembered of a password, for how long, and for whom. */
#include "auth/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int setup(void **state)
{
	*state = auth_cache_new();
	return *state == NULL;
}

static int teardown(void **state)
{
	auth_cache_free(*state);
	return 0;
}

static struct auth_cache_key key(struct auth_cache *c, const char *user, const char *stored,
				 const char *password)
{
	struct auth_cache_key k;

	assert_true(auth_cache_key(c, user, stored, password, &k));
	return k;
}

static void remembers_for_a_while(void **state)
{
	struct auth_cache *c = *state;
	const struct auth_cache_key k = key(c, "alice", "{X}h", "pw");

	assert_false(auth_cache_has(c, &k, 1000));
	auth_cache_put(c, &k, 1000, 2000);
	assert_true(auth_cache_has(c, &k, 1000));
	assert_true(auth_cache_has(c, &k, 1999));
	assert_false(auth_cache_has(c, &k, 2000));
	/* Again, for longer; and for no time at all. */
	auth_cache_put(c, &k, 2500, 3000);
	assert_true(auth_cache_has(c, &k, 2500));
	auth_cache_put(c, &k, 2500, 2500);
	assert_true(auth_cache_has(c, &k, 2999));
	auth_cache_clear(c);
	assert_false(auth_cache_has(c, &k, 2500));
}

static void every_part_counts(void **state)
{
	static const char *const others[][3] = {
		{"alicf", "{X}h", "pw"}, {"alice", "{X}i", "pw"},  {"alice", "{X}h", "pv"},
		{"alic", "e{X}h", "pw"}, {"alice{X}h", "", "pw"},  {"alice", "{X}hp", "w"},
		{"alice", "{X}", "hpw"}, {"alice", "{X}h", "pw "}, {"alice", "{X}h", ""},
		{"", "{X}h", "pw"},
	};
	struct auth_cache *c = *state;
	const struct auth_cache_key k = key(c, "alice", "{X}h", "pw");

	auth_cache_put(c, &k, 0, 1000);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct auth_cache_key o = key(c, others[i][0], others[i][1], others[i][2]);

		if (auth_cache_has(c, &o, 1))
			fail_msg("case %zu is taken for another", i);
	}
	/* The same triple is the same key, always. */
	const struct auth_cache_key again = key(c, "alice", "{X}h", "pw");

	assert_true(auth_cache_has(c, &again, 1));
}

/* The tags of one process are worth nothing to another. */
static void each_cache_has_its_own_key(void **state)
{
	struct auth_cache *other = auth_cache_new();
	const struct auth_cache_key a = key(*state, "alice", "{X}h", "pw");

	assert_non_null(other);

	const struct auth_cache_key b = key(other, "alice", "{X}h", "pw");

	assert_memory_not_equal(a.tag, b.tag, sizeof(a.tag));
	auth_cache_free(other);
}

static void is_bounded_and_drops_the_oldest(void **state)
{
	struct auth_cache *c = *state;
	unsigned kept = 0;
	unsigned kept_of_last = 0;
	char user[32];

	/* Three times as many as there is room for, each remembered a little longer. */
	for (unsigned i = 0; i < 3 * AUTH_CACHE_ENTRIES; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);

		const struct auth_cache_key k = key(c, user, "h", "p");

		auth_cache_put(c, &k, 0, 1000000 + i);
		assert_true(auth_cache_has(c, &k, 0));
	}
	for (unsigned i = 0; i < 3 * AUTH_CACHE_ENTRIES; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);

		const struct auth_cache_key k = key(c, user, "h", "p");

		kept += auth_cache_has(c, &k, 0);
		if (i >= 3 * AUTH_CACHE_ENTRIES - AUTH_CACHE_ENTRIES / 4)
			kept_of_last += auth_cache_has(c, &k, 0);
	}
	assert_true(kept <= AUTH_CACHE_ENTRIES);
	/* Of the newest quarter nearly all: five in one set are rare. */
	assert_true(kept_of_last > AUTH_CACHE_ENTRIES / 4 * 9 / 10);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(remembers_for_a_while),
		TEST(every_part_counts),
		TEST(each_cache_has_its_own_key),
		TEST(is_bounded_and_drops_the_oldest),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
