/* SPDX-License-Identifier: MIT */
#include "base/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void writes_all_or_nothing(void **state)
{
	char memory[8];
	struct out o = {.p = memory, .cap = 5};

	(void)state;
	memset(memory, '#', sizeof(memory));
	assert_true(out_put(&o, SPAN_LIT("abc")));
	assert_int_equal(out_room(&o), 2);
	assert_false(out_put(&o, SPAN_LIT("def")));
	assert_true(span_eq(out_span(&o), SPAN_LIT("abc")));
	assert_memory_equal(memory, "abc#####", 8);
	assert_true(out_put(&o, SPAN_LIT("de")));
	assert_int_equal(out_room(&o), 0);
	assert_false(out_char(&o, 'f'));
	assert_true(out_put(&o, SPAN_LIT("")));
	assert_memory_equal(memory, "abcde###", 8);
}

static void nothing_can_be_put_into_no_memory(void **state)
{
	struct out o = {0};

	(void)state;
	assert_true(out_put(&o, span_of(NULL, 0)));
	assert_false(out_char(&o, 'x'));
	assert_int_equal(out_span(&o).n, 0);
}

static void numbers(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{9, "9"},
		{10, "10"},
		{4294967297U, "4294967297"},
		{UINT64_MAX, "18446744073709551615"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t n = strlen(cases[i].text);
		char memory[20];
		struct out o = {.p = memory, .cap = n};
		struct out small = {.p = memory, .cap = n - 1};

		assert_true(out_u64(&o, cases[i].value));
		assert_true(span_eq(out_span(&o), span_str(cases[i].text)));
		assert_false(out_u64(&small, cases[i].value));
		assert_int_equal(small.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_all_or_nothing),
		cmocka_unit_test(nothing_can_be_put_into_no_memory),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
