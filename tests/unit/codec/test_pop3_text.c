/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static void ranges(void **state)
{
	static const struct {
		struct span range;
		int language; /* -1: none */
	} cases[] = {
		{S("*"), POP3_LANGUAGE_I_DEFAULT},
		{S("i-default"), POP3_LANGUAGE_I_DEFAULT},
		{S("I-DEFAULT"), POP3_LANGUAGE_I_DEFAULT},
		{S("en"), POP3_LANGUAGE_EN},
		{S("EN-gb"), POP3_LANGUAGE_EN},
		{S("en-GB-oed"), POP3_LANGUAGE_EN},
		{S("ja"), POP3_LANGUAGE_JA},
		{S("ja-JP"), POP3_LANGUAGE_JA},
		{S("ja-Latn-hepburn-x"), POP3_LANGUAGE_JA},
		{S("jam"), -1},
		{S("j"), -1},
		{S("i"), -1},
		{S("i-klingon"), -1},
		{S("de"), -1},
		{S("x-ja"), -1},
		{S(""), -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum pop3_language language = POP3_LANGUAGES;
		const bool found = pop3_language_find(cases[i].range, &language);

		assert_int_equal(found, cases[i].language >= 0);
		assert_int_equal(language, found ? cases[i].language : POP3_LANGUAGES);
	}
}

static void texts(void **state)
{
	(void)state;
	assert_true(span_eq(pop3_text(POP3_LANGUAGE_I_DEFAULT, "good bye"), S("good bye")));
	assert_true(span_eq(pop3_text(POP3_LANGUAGE_EN, "good bye"), S("good bye")));
	assert_true(span_eq(pop3_text(POP3_LANGUAGE_JA, "good bye"), S("さようなら")));
	assert_true(span_eq(pop3_text(POP3_LANGUAGE_JA, ""), S("")));
	assert_true(span_eq(pop3_text(POP3_LANGUAGE_JA, "whatever"), S("whatever")));
}

static void filled(void **state)
{
	static const struct {
		enum pop3_language language;
		const char *english;
		struct span want;
	} cases[] = {
		{POP3_LANGUAGE_EN, "{1}: message {2} {3}", S("a: message 7 is b")},
		{POP3_LANGUAGE_JA, "{1}: message {2} {3}", S("a: メッセージ 7 is b")},
		{POP3_LANGUAGE_EN, "{3}{2}{1}", S("is b7a")},
		{POP3_LANGUAGE_EN, "{1}{1} nothing", S("aa nothing")},
		{POP3_LANGUAGE_JA, "now PASS", S("次は PASS です")},
	};
	const struct span args[] = {S("a"), S("7"), S("is b")};
	char memory[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t cap = 0; cap <= cases[i].want.n; cap++) {
			struct out out = {.p = memory, .cap = cap};
			const bool room = cap == cases[i].want.n;

			assert_int_equal(
				pop3_text_fill(&out, cases[i].language, cases[i].english, args, 3),
				room);
			assert_true(span_eq(out_span(&out), room ? cases[i].want : S("")));
		}
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(pop3_language_tag(POP3_LANGUAGE_I_DEFAULT), "i-default");
	assert_string_equal(pop3_language_tag(POP3_LANGUAGE_EN), "en");
	assert_string_equal(pop3_language_tag(POP3_LANGUAGE_JA), "ja");
	assert_string_equal(pop3_language_name(POP3_LANGUAGE_JA), "日本語");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(texts),
		cmocka_unit_test(filled),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
