/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static void lines(void **state)
{
	static const struct {
		struct span line;
		unsigned code;
		bool more;
		struct span text;
	} good[] = {
		{S("250 fine"), 250, false, S("fine")},
		{S("250-PIPELINING"), 250, true, S("PIPELINING")},
		{S("599"), 599, false, S("")},
		{S("200-"), 200, true, S("")},
		{S("354  two spaces"), 354, false, S(" two spaces")},
	};
	static const struct span bad[] = {S(""),       S("25"),    S("150 x"),  S("600 x"),
					  S("2x0 a"),  S("25a a"), S("2500 a"), S("250a"),
					  S(" 250 a"), S("hello")};
	struct smtp_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(smtp_answer_line(good[i].line, &a));
		assert_int_equal(a.code, good[i].code);
		assert_int_equal(a.more, good[i].more);
		assert_true(span_eq(a.text, good[i].text));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(smtp_answer_line(bad[i], &a));
}

static void extensions(void **state)
{
	(void)state;
	assert_true(smtp_answer_announces(S("8bitmime"), S("8BITMIME")));
	assert_true(smtp_answer_announces(S("SIZE 1000"), S("SIZE")));
	assert_false(smtp_answer_announces(S("SIZES"), S("SIZE")));
	assert_false(smtp_answer_announces(S("SIZ"), S("SIZE")));
	assert_false(smtp_answer_announces(S("mail.example.org SIZE"), S("SIZE")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
