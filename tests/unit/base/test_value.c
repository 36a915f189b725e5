/* SPDX-License-Identifier: MIT */
#include "base/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define UNTOUCHED 4711U

struct number_case {
	const char *text;
	uint64_t max;
	uint64_t value; /* UNTOUCHED: it is refused */
};

static void check(const struct number_case *cases, size_t n,
		  bool (*read)(const char *, uint64_t, uint64_t *))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = UNTOUCHED;

		assert_int_equal(read(cases[i].text, cases[i].max, &value),
				 cases[i].value != UNTOUCHED);
		assert_int_equal(value, cases[i].value);
	}
}

static void test_duration(void **state)
{
	static const struct number_case cases[] = {
		{"0", UINT64_MAX, 0},
		{"10", UINT64_MAX, 10},
		{"10s", UINT64_MAX, 10},
		{"10m", UINT64_MAX, 600},
		{"2h", UINT64_MAX, 7200},
		{"1d", UINT64_MAX, 86400},
		{"1m", 60, 60},
		{"1m", 59, UNTOUCHED},
		{"", UINT64_MAX, UNTOUCHED},
		{"m", UINT64_MAX, UNTOUCHED},
		{"-1", UINT64_MAX, UNTOUCHED},
		{"10 m", UINT64_MAX, UNTOUCHED},
		{"10w", UINT64_MAX, UNTOUCHED},
		{"10K", UINT64_MAX, UNTOUCHED},
		{"18446744073709551615d", UINT64_MAX, UNTOUCHED},
	};

	(void)state;
	check(cases, sizeof(cases) / sizeof(cases[0]), value_duration);
}

static void test_size(void **state)
{
	static const struct number_case cases[] = {
		{"52428800", UINT64_MAX, 52428800},      {"1K", UINT64_MAX, 1024},
		{"50M", UINT64_MAX, 52428800},           {"3G", UINT64_MAX, UINT64_C(3) << 30},
		{"1k", UINT64_MAX, UNTOUCHED},           {"1m", UINT64_MAX, UNTOUCHED},
		{"17179869184G", UINT64_MAX, UNTOUCHED},
	};

	(void)state;
	check(cases, sizeof(cases) / sizeof(cases[0]), value_size);
}

static void test_mode(void **state)
{
	static const struct {
		const char *text;
		uint32_t mode; /* UNTOUCHED: it is refused */
	} cases[] = {{"0660", 0660},      {"660", 0660},       {"000", 0},
		     {"66", UNTOUCHED},   {"1777", UNTOUCHED}, {"0680", UNTOUCHED},
		     {"00660", UNTOUCHED}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t mode = UNTOUCHED;

		assert_int_equal(value_mode(cases[i].text, &mode), cases[i].mode != UNTOUCHED);
		assert_int_equal(mode, cases[i].mode);
	}
}

static void test_bool(void **state)
{
	static const char *const yes[] = {"yes", "true", "on"};
	static const char *const no[] = {"no", "false", "off"};
	static const char *const neither[] = {"", "YES", "1", "yes ", "maybe"};
	bool value;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		value = false;
		assert_true(value_bool(yes[i], &value) && value);
		assert_true(value_bool(no[i], &value) && !value);
	}
	for (size_t i = 0; i < sizeof(neither) / sizeof(neither[0]); i++)
		assert_false(value_bool(neither[i], &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_bool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
