/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static void single_lines(void **state)
{
	static const struct {
		unsigned code;
		const char *enhanced;
		struct span text;
		bool more;
		struct span line;
	} cases[] = {
		{250, "2.1.0", S("ok"), false, S("250 2.1.0 ok\r\n")},
		{250, "2.1.0", S("ok"), true, S("250-2.1.0 ok\r\n")},
		{354, NULL, S("go on"), false, S("354 go on\r\n")},
		{220, NULL, S(""), false, S("220 \r\n")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool (*const put)(struct out *, unsigned, const char *,
				  struct span) = cases[i].more ? smtp_reply_more : smtp_reply;
		char memory[64];

		for (size_t cap = 0; cap <= cases[i].line.n; cap++) {
			struct out out = {.p = memory, .cap = cap};
			const bool room = cap == cases[i].line.n;

			assert_int_equal(put(&out, cases[i].code, cases[i].enhanced, cases[i].text),
					 room);
			assert_true(span_eq(out_span(&out), room ? cases[i].line : S("")));
		}
	}
}

static void hello(void **state)
{
	static const struct {
		struct smtp_hello facts;
		struct span reply;
	} cases[] = {
		{{.host = {"mx.example", 10}},
		 S("250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
		   "250-SMTPUTF8\r\n"
		   "250-SIZE\r\n250 ENHANCEDSTATUSCODES\r\n")},
		{{.host = {"mx.example", 10},
		  .size_limit = UINT64_C(5000000000),
		  .starttls = true,
		  .auth = {"PLAIN LOGIN", 11}},
		 S("250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
		   "250-SMTPUTF8\r\n"
		   "250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-SIZE 5000000000\r\n"
		   "250 ENHANCEDSTATUSCODES\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char memory[256];

		for (size_t cap = 0; cap <= cases[i].reply.n; cap++) {
			struct out out = {.p = memory, .cap = cap};
			const bool room = cap == cases[i].reply.n;

			assert_int_equal(smtp_reply_hello(&out, &cases[i].facts), room);
			assert_true(span_eq(out_span(&out), room ? cases[i].reply : S("")));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_lines),
		cmocka_unit_test(hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
