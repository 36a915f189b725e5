/* SPDX-License-Identifier: MIT */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void literal_has_no_nul(void **state)
{
	(void)state;
	assert_int_equal(SPAN_LIT("").n, 0);
	assert_int_equal(SPAN_LIT("+OK").n, 3);
	assert_int_equal(SPAN_LIT("a\0b").n, 3);
	assert_int_equal(span_str("a\0b").n, 1);
}

static void equality_is_by_octet_and_length(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN_LIT("a\0b"), SPAN_LIT("a\0b")));
	assert_false(span_eq(SPAN_LIT("a\0b"), SPAN_LIT("a\0c")));
	assert_false(span_eq(SPAN_LIT("abc"), SPAN_LIT("ab")));
	assert_false(span_eq(SPAN_LIT("a"), SPAN_LIT("A")));
	/* Nothing is equal to nothing, wherever it is. */
	assert_true(span_eq(span_of(NULL, 0), SPAN_LIT("")));
}

static void case_is_folded_for_ascii_letters_only(void **state)
{
	(void)state;
	assert_true(span_eq_nocase(SPAN_LIT("QuIt"), SPAN_LIT("qUiT")));
	assert_false(span_eq_nocase(SPAN_LIT("quit"), SPAN_LIT("quits")));
	/* The neighbours of A-Z and a-z differ by the same bit and are not letters. */
	assert_false(span_eq_nocase(SPAN_LIT("@"), SPAN_LIT("`")));
	assert_false(span_eq_nocase(SPAN_LIT("["), SPAN_LIT("{")));
	/* Latin-1 A and a with diaeresis. */
	assert_false(span_eq_nocase(SPAN_LIT("\xc4"), SPAN_LIT("\xe4")));
	assert_true(span_eq_nocase(span_of(NULL, 0), span_of(NULL, 0)));
}

static void prefix(void **state)
{
	(void)state;
	assert_true(span_starts_with_nocase(SPAN_LIT("MAIL FROM:<a@b>"), SPAN_LIT("mail from:")));
	assert_true(span_starts_with_nocase(SPAN_LIT("x"), SPAN_LIT("")));
	assert_false(span_starts_with_nocase(SPAN_LIT("mai"), SPAN_LIT("mail")));
	assert_false(span_starts_with_nocase(SPAN_LIT("mall"), SPAN_LIT("mail")));
}

static void skip_takes_from_the_front(void **state)
{
	struct span s = SPAN_LIT("abc");
	struct span empty = span_of(NULL, 0);

	(void)state;
	span_skip(&s, 0);
	assert_true(span_eq(s, SPAN_LIT("abc")));
	span_skip(&s, 2);
	assert_true(span_eq(s, SPAN_LIT("c")));
	span_skip(&s, 1);
	assert_int_equal(s.n, 0);
	span_skip(&empty, 0);
	assert_null(empty.p);
}

static void find_says_where_or_the_length(void **state)
{
	(void)state;
	assert_int_equal(span_find(SPAN_LIT("a b c"), ' '), 1);
	assert_int_equal(span_find(SPAN_LIT("a\0b\0"), '\0'), 1);
	assert_int_equal(span_find(SPAN_LIT("abc"), ' '), 3);
	assert_int_equal(span_find(span_of(NULL, 0), ' '), 0);
	/* What stands behind the span is not looked at. */
	assert_int_equal(span_find(span_of("abc", 2), 'c'), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literal_has_no_nul),
		cmocka_unit_test(equality_is_by_octet_and_length),
		cmocka_unit_test(case_is_folded_for_ascii_letters_only),
		cmocka_unit_test(prefix),
		cmocka_unit_test(skip_takes_from_the_front),
		cmocka_unit_test(find_says_where_or_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
