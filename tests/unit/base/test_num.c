/* SPDX-License-Identifier: MIT */
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UNTOUCHED 77U

static void reads(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"1", 1, 1},
		{"01", 9, 1}, /* as RFC 1939's servers always have */
		{"0000000000000000000000000000000042", 99, 42},
		{"4294967295", UINT32_MAX, UINT32_MAX},
		{"4294967297", UINT64_MAX, 4294967297U},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = UNTOUCHED;

		assert_true(num_parse_u64(span_str(cases[i].text), cases[i].max, &value));
		assert_int_equal(value, cases[i].value);
	}
}

static void refuses(void **state)
{
	static const struct {
		struct span text;
		uint64_t max;
	} cases[] = {
		{SPAN_LIT(""), UINT64_MAX},
		{SPAN_LIT("+1"), UINT64_MAX},
		{SPAN_LIT("-1"), UINT64_MAX},
		{SPAN_LIT("-0"), UINT64_MAX},
		{SPAN_LIT(" 1"), UINT64_MAX},
		{SPAN_LIT("1 "), UINT64_MAX},
		{SPAN_LIT("1\0"), UINT64_MAX},
		{SPAN_LIT("1\r"), UINT64_MAX},
		{SPAN_LIT("0x1"), UINT64_MAX},
		{SPAN_LIT("1e3"), UINT64_MAX},
		{SPAN_LIT("1.0"), UINT64_MAX},
		{SPAN_LIT("/"), UINT64_MAX},        /* before '0' */
		{SPAN_LIT(":"), UINT64_MAX},        /* after '9' */
		{SPAN_LIT("\xd9\xa1"), UINT64_MAX}, /* ARABIC-INDIC DIGIT ONE */
		{SPAN_LIT("1"), 0},
		{SPAN_LIT("10"), 9},
		{SPAN_LIT("256"), 255},
		/* 2^32 + 1 and 2^64 + 1 are 1 to a server that lets them wrap. */
		{SPAN_LIT("4294967297"), UINT32_MAX},
		{SPAN_LIT("18446744073709551616"), UINT64_MAX},
		{SPAN_LIT("18446744073709551617"), UINT64_MAX},
		{SPAN_LIT("99999999999999999999"), UINT64_MAX},
		{SPAN_LIT("100000000000000000000000000000000000000"), UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = UNTOUCHED;

		assert_false(num_parse_u64(cases[i].text, cases[i].max, &value));
		assert_int_equal(value, UNTOUCHED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
