/* SPDX-License-Identifier: MIT */
#include "codec/mail/mail_field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/limits.h"

#define S(text) SPAN_LIT(text)

static const struct {
	struct span head, value;
	bool is;
} cases[] = {
	{S("Subject: a\r\n\r\n"), S("a"), true},
	{S("X: y\nSUBJECT \t:\t a b \t\nSubject: c\n\n"), S("a b"), true},
	{S("Subject: a\r\n b\r\n\t c\r\nd: e\r\n"), S("a b c"), true},
	{S("Subject:\r\n a\r\n"), S("a"), true},
	{S("Subject: a\x1b[31m\0z\r\n"), S("a [31m z"), true},
	{S("Subject:"), S(""), true},
	{S("Subject: no end"), S("no end"), true},
	{S("Subjects: a\r\nXSubject: b\r\nSubject\r\n"), S(""), false},
	{S(" Subject: a\r\n"), S(""), false},
	{S("X: y\r\n\r\nSubject: in the body\r\n"), S(""), false},
	{S("\nSubject: in the body\n"), S(""), false},
	{S(""), S(""), false},
};

static void fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char memory[64];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		assert_int_equal(mail_field(cases[i].head, S("subject"), &out), cases[i].is);
		if (!span_eq(out_span(&out), cases[i].value))
			fail_msg("case %zu: '%.*s'", i, (int)out.n, out.p);
	}
}

static void cut_where_there_is_no_room(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= 6; cap++) {
		char memory[6];
		struct out out = {.p = memory, .cap = cap};

		assert_true(mail_field(S("A: bcd\r\n ef\r\n"), S("A"), &out));
		assert_true(span_eq(out_span(&out), span_of("bcd ef", cap)));
	}
}

static void senders(void **state)
{
	static const struct {
		struct span head, address;
	} heads[] = {
		{S("Return-Path: <a@example.org>\r\n"), S("a@example.org")},
		{S("Return-path: <@x,@y:a@example.org> (why)\r\n"), S("a@example.org")},
		{S("Return-Path: <>\r\n"), S("")},
		{S("Return-Path: a@example.org\r\n"), S("")},
		{S("Return-Path: <a@example.org\r\nRCPT TO:<b>\r\n"), S("")},
		{S("Return-Path: <\xe3\x81\x82@example.org>\r\n"), S("")},
		{S("From: <a@example.org>\r\n"), S("")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		char memory[LIMIT_ADDRESS];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		mail_field_sender(heads[i].head, &out);
		if (!span_eq(out_span(&out), heads[i].address))
			fail_msg("case %zu: '%.*s'", i, (int)out.n, out.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(cut_where_there_is_no_room),
		cmocka_unit_test(senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
