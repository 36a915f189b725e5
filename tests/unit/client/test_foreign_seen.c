/* SPDX-License-Identifier: MIT */
#include "client/foreign_seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/out.h"

static void seen(void **state)
{
	static const struct {
		enum foreign_program program;
		struct span file;
		const char *uidls; /* each with a comma behind it */
	} cases[] = {
		{FOREIGN_FETCHMAIL,
		 SPAN_LIT("alice@x.org@Pop.Example.org u 1\nalice@x.org@other u2\n"
			  "bob@x.org@pop.example.org u3\nalice@x.org@pop.example.org u4"),
		 "u 1,u4,"},
		{FOREIGN_MPOP,
		 SPAN_LIT("# 1.4\n 1 other alice@x.org\nno\n 2 pop.example.org alice@x.org\n"
			  "u1\nu2\n 1 pop.example.org bob\nno\n"),
		 "u1,u2,"},
		{FOREIGN_GETMAIL,
		 SPAN_LIT("u1\0"
			  "1795600742\nbroken\n\0"
			  "1\nu2\0"
			  "1\n"),
		 "u1,u2,"},
		{FOREIGN_FDM, SPAN_LIT("2 u1\n3 u 2\n9 short\nx u3\n\n1 u4\n"), "u1,u 2,u,"},
		{FOREIGN_FDM, SPAN_LIT(""), ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct foreign_seen s = {.program = cases[i].program,
					 .user = "alice@x.org",
					 .host = "pop.example.org",
					 .left = cases[i].file};
		char found[256];
		struct out o = {.p = found, .cap = sizeof(found) - 1};
		struct span uidl;

		while (foreign_seen_next(&s, &uidl))
			assert_true(out_put(&o, uidl) && out_char(&o, ','));
		found[o.n] = '\0';
		assert_string_equal(found, cases[i].uidls);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(seen)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
