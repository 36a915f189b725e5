/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345"

struct number_case {
	struct span line;
	bool ok;
	uint32_t number;
	uint64_t octets;
};

static const struct number_case sizes[] = {
	{S("1 120"), true, 1, 120},
	{S("01 0120"), true, 1, 120},
	{S("  1 \t 120"), true, 1, 120},
	{S("1\t120 "), true, 1, 120},
	{S("1 120 octets (more)"), true, 1, 120},
	{S("1 0"), true, 1, 0},
	{S("4294967295 18446744073709551615"), true, UINT32_MAX, UINT64_MAX},
	{S("2 5000000000"), true, 2, UINT64_C(5000000000)},
	{S("4294967296 1"), false, 0, 0},
	{S("1 18446744073709551616"), false, 0, 0},
	{S("0 120"), false, 0, 0},
	{S("1"), false, 0, 0},
	{S("1 "), false, 0, 0},
	{S(""), false, 0, 0},
	{S("1 -120"), false, 0, 0},
	{S("-1 120"), false, 0, 0},
	{S("+1 120"), false, 0, 0},
	{S("1 120x"), false, 0, 0},
	{S("1x 120"), false, 0, 0},
	{S("1 12\0"), false, 0, 0},
	{S("a 120"), false, 0, 0},
};

static const struct number_case stats[] = {
	{S("2 320"), true, 2, 320},
	{S("0 0"), true, 0, 0},
	{S("2 320 octets"), true, 2, 320},
	{S("4294967295 18446744073709551615"), true, UINT32_MAX, UINT64_MAX},
	{S("4294967296 0"), false, 0, 0},
	{S("2 messages"), false, 0, 0},
	{S("2"), false, 0, 0},
	{S(""), false, 0, 0},
};

static void check(bool (*parse)(struct span, uint32_t *, uint64_t *),
		  const struct number_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t number = 77;
		uint64_t octets = 78;

		assert_int_equal(parse(cases[i].line, &number, &octets), cases[i].ok);
		assert_int_equal(number, cases[i].ok ? cases[i].number : 77);
		assert_int_equal(octets, cases[i].ok ? cases[i].octets : 78);
	}
}

static void sizes_are_read(void **state)
{
	(void)state;
	check(pop3_listing_size, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

static void totals_are_read(void **state)
{
	(void)state;
	check(pop3_listing_stat, stats, sizeof(stats) / sizeof(stats[0]));
}

static const struct {
	struct span line;
	bool ok;
	uint32_t number;
	struct span uidl;
} uidls[] = {
	{S("1 whqtswO00WBw418f9t5JxYwZ"), true, 1, S("whqtswO00WBw418f9t5JxYwZ")},
	{S("001   a"), true, 1, S("a")},
	{S("\t1\ta\t "), true, 1, S("a")},
	/* Against RFC 1939, and sent all the same. */
	{S("1 a b  c "), true, 1, S("a b  c")},
	{S("1 \x80\xff\x01\x7f"), true, 1, S("\x80\xff\x01\x7f")},
	{S("1 a\0b"), true, 1, S("a\0b")},
	{S("1 " LONG), true, 1, S(LONG)},
	{S("1 "), true, 1, S("")},
	{S("1"), true, 1, S("")},
	{S("4294967295 a"), true, UINT32_MAX, S("a")},
	{S("4294967296 a"), false, 0, S("")},
	{S("0 a"), false, 0, S("")},
	{S("a b"), false, 0, S("")},
	{S("1a b"), false, 0, S("")},
	{S(" "), false, 0, S("")},
	{S(""), false, 0, S("")},
};

static void uidls_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(uidls) / sizeof(uidls[0]); i++) {
		uint32_t number = 77;
		struct span uidl = S("untouched");

		assert_int_equal(pop3_listing_uidl(uidls[i].line, &number, &uidl), uidls[i].ok);
		assert_int_equal(number, uidls[i].ok ? uidls[i].number : 77);
		assert_true(span_eq(uidl, uidls[i].ok ? uidls[i].uidl : S("untouched")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(totals_are_read),
		cmocka_unit_test(uidls_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
