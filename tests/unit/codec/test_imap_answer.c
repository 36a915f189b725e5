/* SPDX-License-Identifier: MIT */
#include "codec/imap/imap_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static void lines(void **state)
{
	static const struct {
		struct span line;
		enum imap_answer_kind kind;
		struct span code, text;
	} good[] = {
		{S("* 3 EXISTS"), IMAP_UNTAGGED, S(""), S("3 EXISTS")},
		{S("* NO [ALERT] x"), IMAP_UNTAGGED, S(""), S("NO [ALERT] x")},
		{S("+ go on"), IMAP_CONTINUE, S(""), S("go on")},
		{S("+"), IMAP_CONTINUE, S(""), S("")},
		{S("r1 OK done"), IMAP_OK, S(""), S("done")},
		{S("r1 ok [APPENDUID 1 2] done"), IMAP_OK, S("APPENDUID 1 2"), S("done")},
		{S("r1 NO [TRYCREATE]"), IMAP_NO, S("TRYCREATE"), S("")},
		{S("r1 NO [open"), IMAP_NO, S(""), S("[open")},
		{S("r1 BAD"), IMAP_BAD, S(""), S("")},
	};
	static const struct span bad[] = {S(""),          S("r1"),     S("r1 "),      S("r2 OK x"),
					  S("r1 OKAY x"), S(" r1 OK"), S("r1  OK x"), S("*x")};
	struct imap_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(imap_answer_line(good[i].line, S("r1"), &a));
		assert_int_equal(a.kind, good[i].kind);
		assert_true(span_eq(a.code, good[i].code));
		assert_true(span_eq(a.text, good[i].text));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (imap_answer_line(bad[i], S("r1"), &a))
			fail_msg("'%.*s'", (int)bad[i].n, bad[i].p);
	}
}

static void searches(void **state)
{
	static const struct {
		struct span line;
		bool found;
	} answers[] = {
		{S("* SEARCH 4"), true},      {S("* search 12 13"), true},
		{S("* SEARCH"), false},       {S("* SEARCH "), false},
		{S("* SEARCH 0"), false},     {S("* ESEARCH 4"), false},
		{S("r1 OK SEARCH 4"), false}, {S("+ SEARCH 4"), false},
	};
	struct imap_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_true(imap_answer_line(answers[i].line, S("r1"), &a));
		assert_int_equal(imap_answer_found(&a), answers[i].found);
	}
}

static void codes(void **state)
{
	struct imap_answer a;

	(void)state;
	assert_true(imap_answer_line(S("r1 NO [trycreate x] y"), S("r1"), &a));
	assert_true(imap_answer_has_code(&a, S("TRYCREATE")));
	assert_false(imap_answer_has_code(&a, S("TRY")));
	assert_true(imap_answer_line(S("r1 NO y"), S("r1"), &a));
	assert_false(imap_answer_has_code(&a, S("TRYCREATE")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(searches),
		cmocka_unit_test(codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
