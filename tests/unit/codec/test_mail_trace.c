/* SPDX-License-Identifier: MIT */
#include "codec/mail/mail_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
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

static void received(void **state)
{
	static const struct {
		struct mail_received r;
		struct span line;
	} lines[] = {
		{{.from = {"client.example", 14},
		  .address = {"127.0.0.1", 9},
		  .by = {"mail.example", 12},
		  .with = {"ESMTP", 5},
		  .id = {"1f", 2},
		  .seconds = 1795580415},
		 S("Received: from client.example ([127.0.0.1])\r\n"
		   "\tby mail.example with ESMTP id 1f; Wed, 25 Nov 2026 04:20:15 +0000\r\n")},
		/* What could end a comment, a name or the line's date. */
		{{.from = {"a (b);c\"\\", 9},
		  .by = {"h", 1},
		  .with = {"SMTP", 4},
		  .id = {"2", 1},
		  .seconds = 951782399},
		 S("Received: from a??b??c??\r\n"
		   "\tby h with SMTP id 2; Mon, 28 Feb 2000 23:59:59 +0000\r\n")},
		{{.from = {"a", 1}, .by = {"h", 1}, .with = {"SMTP", 4}, .id = {"2", 1}},
		 S("Received: from a\r\n"
		   "\tby h with SMTP id 2; Thu, 1 Jan 1970 00:00:00 +0000\r\n")},
	};
	char memory[MAIL_RECEIVED_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t cap = 0; cap <= lines[i].line.n; cap++) {
			struct out out = {.p = memory, .cap = cap};
			const bool room = cap == lines[i].line.n;

			assert_int_equal(mail_received(&out, &lines[i].r), room);
			assert_true(span_eq(out_span(&out), room ? lines[i].line : S("")));
		}
	}
}

/* Against the C library's calendar: each day for 800 years. */
static void dates(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 292194; day++) {
		const time_t seconds = (time_t)(day * 86400 + day % 86400);
		const struct mail_received r = {.seconds = (uint64_t)seconds};
		char memory[MAIL_RECEIVED_MAX], wanted[64];
		struct out out = {.p = memory, .cap = sizeof(memory)};
		struct tm tm;

		assert_non_null(gmtime_r(&seconds, &tm));
		(void)strftime(wanted, sizeof(wanted), "; %a, %e %b %Y %T +0000\r\n", &tm);
		if (tm.tm_mday < 10)
			memmove(wanted + 7, wanted + 8, strlen(wanted + 8) + 1);
		assert_true(mail_received(&out, &r));
		assert_memory_equal(memory + out.n - strlen(wanted), wanted, strlen(wanted));
	}
}

static void the_longest_names_fit(void **state)
{
	char name[LIMIT_ADDRESS + 9], memory[MAIL_RECEIVED_MAX];
	struct out out = {.p = memory, .cap = sizeof(memory)};
	const struct mail_received r = {
		.from = {name, sizeof(name)},
		.address = S("1111:2222:3333:4444:5555:6666:7777:8888"),
		.by = {name, sizeof(name)},
		.with = S("ESMTPS"),
		.id = S("0123456789abcdef"),
		.seconds = UINT64_MAX / 1000000000,
	};

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(mail_received(&out, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_lines_or_nothing),
		cmocka_unit_test(the_longest_address_fits),
		cmocka_unit_test(received),
		cmocka_unit_test(dates),
		cmocka_unit_test(the_longest_names_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
