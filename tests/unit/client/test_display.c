/* SPDX-License-Identifier: MIT */
#include "client/display.h"

#include "client_help.h"

static void texts(void **state)
{
	static const struct {
		const char *text;
		size_t columns;
		bool pad;
		const char *shown;
	} cases[] = {
		{"hello", DISPLAY_ALL, false, "hello"},
		{"hello", 5, true, "hello"},
		{"hello", 7, true, "hello  "},
		{"hello", 7, false, "hello"},
		{"hello", 4, true, "hel…"},
		{"hello", 1, true, "…"},
		{"hello", 0, true, ""},
		{"", 3, true, "   "},
		/* Two columns each. */
		{"会議の件", 8, true, "会議の件"},
		{"会議の件", 9, true, "会議の件 "},
		{"会議の件", 7, true, "会議の…"},
		{"会議の件", 6, true, "会議… "},
		{"会議の件", 2, true, "… "},
		{"ｱｲｳ", 3, true, "ｱｲｳ"},
		/* A combining mark takes none, and isn't parted from its letter. */
		{"e\u0301te\u0301", 3, true, "e\u0301te\u0301"},
		{"e\u0301te\u0301", 2, true, "e\u0301…"},
		/* White space. */
		{" a \t\r\n b ", DISPLAY_ALL, false, "a b "},
		{"a\u3000b\u00a0c", DISPLAY_ALL, false, "a b c"},
		/* Nothing that a terminal obeys. */
		{"\033[31mred\033]0;title\007", DISPLAY_ALL, false,
		 "\ufffd[31mred\ufffd]0;title\ufffd"},
		{"a\xc2\x9b"
		 "2Jb",
		 DISPLAY_ALL, false, "a\ufffd2Jb"},
		{"a\x7f\x08z", DISPLAY_ALL, false, "a\ufffd\ufffdz"},
		/* Nothing that turns the rest around, or hides in it. */
		{"a\u202egnp.exe\u2066\u200b\ufeff", DISPLAY_ALL, false, "agnp.exe"},
		{"a\u2028b", DISPLAY_ALL, false, "a b"},
		/* No UTF-8: cut off, overlong, a surrogate, alone. */
		{"a\xe4\xbc", DISPLAY_ALL, false, "a\ufffd\ufffd"},
		{"\xc0\xaf\xed\xa0\x80\xff", DISPLAY_ALL, false,
		 "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"},
		{"\xee\x80\x80", DISPLAY_ALL, false, "\ufffd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *const shown = display_text(cases[i].text, cases[i].columns, cases[i].pad);

		assert_string_equal(shown, cases[i].shown);
		free(shown);
	}
}

static void lines(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"a  b\n\tc\r\n\nd", "a  b\n\tc\n\nd"},
		{"\033[2Ja\007\x9b", "\ufffd[2Ja\ufffd\ufffd"},
		{"a\u202e\u200bb\u2028c\u00a0d", "ab c d"},
		{"\xe4\xbc", "\ufffd\ufffd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *const shown = display_lines(cases[i][0]);

		assert_string_equal(shown, cases[i][1]);
		free(shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(lines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
