/* SPDX-License-Identifier: MIT */
#include "base/comment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void blanks_comments_and_nothing_else(void **state)
{
	static const struct {
		const char *before;
		const char *after;
	} cases[] = {
		{"", ""},
		{"a = 1\n", "a = 1\n"},
		{"# x\na = 1 # y\n", "   \na = 1    \n"},
		{"//x\na = 1 // y", "   \na = 1     "},
		{"a = 1#x\n", "a = 1  \n"},
		{"/* x\n * y\n */a = 1", "    \n    \n   a = 1"},
		{"a = {1, # one\n 2 /* two */}", "a = {1,      \n 2          }"},
		{"/**/a/***/", "    a/***/"}, /* inside a word, a slash is a slash */
		{"a = http://x/*y", "a = http://x/*y"},
		{"a = /x // y", "a = /x     "},
		{"a = //x", "a =    "},
		{"a = \"# no // no /* no\" # yes", "a = \"# no // no /* no\"      "},
		{"a = '# no \\' # no' # yes", "a = '# no \\' # no'      "},
		{"a = \"\\\\\" # yes", "a = \"\\\\\"      "},
		{"a = \"x\"//y", "a = \"x\"   "},
		/* Not ended: what follows belongs to it, and the parser complains. */
		{"a = \"x # no\n# no", "a = \"x # no\n# no"},
		{"a = \"x\\", "a = \"x\\"},
		{"a = 1 /* x\n# y\nb = 2", "a = 1     \n   \n     "},
		{"/*/ x */ a", "         a"},
		{"/", "/"},
		{"#", " "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		memcpy(text, cases[i].before, strlen(cases[i].before) + 1);
		comment_blank(text);
		assert_string_equal(text, cases[i].after);
	}
}

static void finds_a_lone_plus(void **state)
{
	static const struct {
		const char *text;
		int line;
	} cases[] = {
		{"", 0},
		{"a = 1\n", 0},
		{"a = +1\n", 1},
		{"a = 1\nb = 1+1\n", 2},
		{"a += 1\n", 0},
		{"a + = 1\n", 1},
		{"a = \"+1\"\nb = '\n+'\nc = +", 4},
		{"a = \"\\\"+\"", 0},
		{"a = \"+", 0},
		{"+", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(comment_lone_plus(cases[i].text), cases[i].line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_comments_and_nothing_else),
		cmocka_unit_test(finds_a_lone_plus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
