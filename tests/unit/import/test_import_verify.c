/* SPDX-License-Identifier: MIT */
#include "import/import_verify.h"

#include <stdio.h>

#include "import_help.h"

/* Each letter is a message's UIDL; a capital one is longer. */
static void fill(struct import_listing *l, const char *letters)
{
	import_listing_init(l);
	for (size_t i = 0; letters[i] != '\0'; i++) {
		const char c = span_ascii_lower(letters[i]);

		assert_int_equal(
			import_listing_add(
				l, &(struct import_message){.at = i + 1, .bytes = c == letters[i]},
				span_of("", 0)),
			0);
		assert_int_equal(import_listing_set_uidl(l, i, span_of(&c, 1)), 0);
	}
}

static void seen(void *ctx, enum import_difference what, struct span uidl,
		 const struct import_message *old, const struct import_message *now)
{
	char *const said = ctx;
	const size_t n = strlen(said);

	assert_true((old == NULL) == (what == IMPORT_EXTRA));
	assert_true((now == NULL) == (what == IMPORT_MISSING));
	(void)snprintf(said + n, 64 - n, "%.1s%c ", import_difference_word(what), uidl.p[0]);
}

static const struct {
	const char *old;
	const char *now;
	const char *said;
} cases[] = {
	{"", "", ""},
	{"abc", "abc", ""},
	{"abc", "ab", "mc "},
	{"ab", "abc", "ec "},
	{"abc", "acb", "oc "},
	{"abcd", "dabc", "od "},
	{"abcd", "bcda", "ob oc od "},
	{"abc", "aBc", "sb "},
	{"abcde", "xaCbd", "oc sc me ex "},
	{"aab", "aab", ""},
	{"aab", "ab", "ma "},
	{"ab", "aab", "ea "},
};

static void compares(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct import_comparison c;
		struct import_listing old;
		struct import_listing now;
		char said[64] = "";
		struct err err;

		fill(&old, cases[i].old);
		fill(&now, cases[i].now);
		assert_int_equal(import_compare(&old, &now, seen, said, &c, &err), 0);
		assert_string_equal(said, cases[i].said);
		assert_int_equal(c.old_count, strlen(cases[i].old));
		assert_int_equal(c.new_count, strlen(cases[i].now));
		import_listing_done(&old);
		import_listing_done(&now);
	}
}

/* A hostile server may say one UIDL a million times: as long as it takes, it ends (this test's
 * timeout). */
static void same_everywhere(void **state)
{
	const size_t n = (size_t)1 << 19;
	struct import_comparison c;
	struct import_listing l;
	struct err err;

	(void)state;
	import_listing_init(&l);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(import_listing_add(&l, &(struct import_message){.at = i + 1},
						    span_of("", 0)),
				 0);
		assert_int_equal(import_listing_set_uidl(&l, i, SPAN_LIT("a")), 0);
	}
	assert_int_equal(import_compare(&l, &l, seen, NULL, &c, &err), 0);
	assert_int_equal(c.new_count, n);
	for (int d = 0; d < IMPORT_DIFFERENCES; d++)
		assert_int_equal(c.differences[d], 0);
	import_listing_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(same_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
