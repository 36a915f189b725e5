/* SPDX-License-Identifier: MIT */
#include "codec/mail/mail_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static const struct {
	bool (*put)(struct out *out, struct span address);
	struct span address, line;
} cases[] = {
	{mail_return_path, S("a@example.org"), S("Return-Path: <a@example.org>\r\n")},
	{mail_return_path, S(""), S("Return-Path: <>\r\n")},
	{mail_delivered_to, S("b@example.org"), S("Delivered-To: b@example.org\r\n")},
};

static void whole_lines_or_nothing(void **state)
{
	char memory[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct out out = {.p = memory, .cap = cases[i].line.n};

		assert_true(cases[i].put(&out, cases[i].address));
		assert_true(span_eq(out_span(&out), cases[i].line));
		for (size_t cap = 0; cap < cases[i].line.n; cap++) {
			out = (struct out){.p = memory, .cap = cap};
			assert_false(cases[i].put(&out, cases[i].address));
			assert_int_equal(out.n, 0);
		}
	}
}

static void the_longest_address_fits(void **state)
{
	char address[LIMIT_ADDRESS], memory[MAIL_TRACE_MAX];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	(void)state;
	memset(address, 'a', sizeof(address));
	assert_true(mail_return_path(&out, span_of(address, sizeof(address))));
	out.n = 0;
	assert_true(mail_delivered_to(&out, span_of(address, sizeof(address))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_lines_or_nothing),
		cmocka_unit_test(the_longest_address_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
