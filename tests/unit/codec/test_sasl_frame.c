/* SPDX-License-Identifier: MIT */
#include "codec/sasl/sasl_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static const struct {
	struct span text;
	enum sasl_frame_status initial, response;
	struct span octets;
} cases[] = {
	{S("="), SASL_FRAME_OK, SASL_FRAME_BAD, S("")},
	{S(""), SASL_FRAME_BAD, SASL_FRAME_OK, S("")},
	{S("*"), SASL_FRAME_BAD, SASL_FRAME_CANCEL, S("")},
	{S("AGEAYg=="), SASL_FRAME_OK, SASL_FRAME_OK, S("\0a\0b")},
	{S("AGEAYg"), SASL_FRAME_BAD, SASL_FRAME_BAD, S("")},
	{S("**"), SASL_FRAME_BAD, SASL_FRAME_BAD, S("")},
	{S("* "), SASL_FRAME_BAD, SASL_FRAME_BAD, S("")},
	{S("=="), SASL_FRAME_BAD, SASL_FRAME_BAD, S("")},
	{S(" "), SASL_FRAME_BAD, SASL_FRAME_BAD, S("")},
	{S("YWJjZGVm"), SASL_FRAME_TOO_LONG, SASL_FRAME_TOO_LONG, S("")},
};

static void what_clients_send(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char memory[5];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		assert_int_equal(sasl_frame_initial(&out, cases[i].text), cases[i].initial);
		if (cases[i].initial == SASL_FRAME_OK)
			assert_true(span_eq(out_span(&out), cases[i].octets));
		else
			assert_int_equal(out.n, 0);
		out.n = 0;
		assert_int_equal(sasl_frame_response(&out, cases[i].text), cases[i].response);
		if (cases[i].response == SASL_FRAME_OK)
			assert_true(span_eq(out_span(&out), cases[i].octets));
		else
			assert_int_equal(out.n, 0);
	}
}

static void challenges(void **state)
{
	static const struct {
		struct span prefix, challenge, line;
	} wanted[] = {
		{S("+ "), S(""), S("+ \r\n")},
		{S("+ "), S("Username:"), S("+ VXNlcm5hbWU6\r\n")},
		{S("334 "), S(""), S("334 \r\n")},
		{S("334 "), S("a"), S("334 YQ==\r\n")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		char memory[32];
		struct out out = {.p = memory, .cap = SASL_CHALLENGE_MAX(wanted[i].challenge.n)};

		assert_true(sasl_frame_challenge(&out, wanted[i].prefix, wanted[i].challenge));
		assert_true(span_eq(out_span(&out), wanted[i].line));
		for (size_t cap = 0; cap < wanted[i].line.n; cap++) {
			out = (struct out){.p = memory, .cap = cap};
			assert_false(
				sasl_frame_challenge(&out, wanted[i].prefix, wanted[i].challenge));
			assert_int_equal(out.n, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_clients_send),
		cmocka_unit_test(challenges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
