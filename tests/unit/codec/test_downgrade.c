/* SPDX-License-Identifier: MIT */
#include "codec/mail/downgrade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define NOBODY "<invalid@internationalized-address.invalid>"

static const struct {
	struct span field, becomes;
} fields[] = {
	{S("Subject: plain\r\n"), S("Subject: plain\r\n")},
	{S("X-Odd :\ta\n b\r\n"), S("X-Odd :\ta\n b\r\n")},
	/* Text: only the words that need it, and what stands between these. */
	{S("Subject: grün\r\n"), S("Subject: =?UTF-8?B?Z3LDvG4=?=\r\n")},
	{S("subject:grün\n"), S("subject:=?UTF-8?B?Z3LDvG4=?=\r\n")},
	{S("Subject: one é two ü ö three\r\n"),
	 S("Subject: one =?UTF-8?B?w6k=?= two =?UTF-8?B?w7wgw7Y=?= three\r\n")},
	{S("Subject: =?utf-8?q?x?= é\r\n"), S("Subject: =?utf-8?q?x?= =?UTF-8?B?IMOp?=\r\n")},
	{S("Subject: a\r\n é\r\n b\r\n"), S("Subject: a\r\n =?UTF-8?B?w6k=?=\r\n b\r\n")},
	{S("Subject: 56789012345678901234567890123456789012345678901234567890 é\r\n"),
	 S("Subject: 56789012345678901234567890123456789012345678901234567890\r\n"
	   " =?UTF-8?B?w6k=?=\r\n")},
	{S("Subject: é"), S("Subject: =?UTF-8?B?w6k=?=\r\n")},
	/* Addresses: the name goes on, the address stays. */
	{S("From: Jörg <j@example.org>\r\n"), S("From: =?UTF-8?B?SsO2cmc=?= <j@example.org>\r\n")},
	{S("From: \"Jörg \\\"x\\\"\" <j@example.org>\r\n"),
	 S("From: =?UTF-8?B?SsO2cmcgIngi?= <j@example.org>\r\n")},
	{S("From: j@example.org (Jörg)\r\n"), S("From: =?UTF-8?B?SsO2cmc=?= <j@example.org>\r\n")},
	{S("From: J <j@example.org> (é)\r\n"), S("From: J <j@example.org>\r\n")},
	/* An address with UTF-8 is nobody's, and its name says what stood there. */
	{S("To: é@example.org\r\n"), S("To: =?UTF-8?B?w6lAZXhhbXBsZS5vcmc=?=\r\n " NOBODY "\r\n")},
	{S("To: E <e@é.example>\r\n"),
	 S("To: =?UTF-8?B?RSA8ZUDDqS5leGFtcGxlPg==?=\r\n " NOBODY "\r\n")},
	{S("Cc: a@b, é@b,\r\n \"c, d\" <e@f>\r\n"),
	 S("Cc: a@b, =?UTF-8?B?w6lAYg==?= " NOBODY ",\r\n \"c, d\" <e@f>\r\n")},
	{S("Reply-To: Frünnde: a@b, é <c@d>;\r\n"),
	 S("Reply-To: =?UTF-8?B?RnLDvG5uZGU=?=: a@b, =?UTF-8?B?w6k=?= <c@d>;\r\n")},
	{S("To: a <a@[IPv6:::1]>, é <b@c>\r\n"),
	 S("To: a <a@[IPv6:::1]>, =?UTF-8?B?w6k=?= <b@c>\r\n")},
	/* What nobody can take apart becomes a name. */
	{S("From: \"é <a@b>\r\n"), S("From: =?UTF-8?B?IsOpIDxhQGI+?= " NOBODY "\r\n")},
	{S("From: é\r\n"), S("From: =?UTF-8?B?w6k=?= " NOBODY "\r\n")},
	/* Parameters, and what has no rule, are left out. */
	{S("Content-Type: text/plain; name=\"é;x\"; charset=utf-8\r\n"),
	 S("Content-Type: text/plain; charset=utf-8\r\n")},
	{S("Content-Disposition: attachment;\r\n filename=é\r\n"),
	 S("Content-Disposition: attachment\r\n")},
	{S("Content-Type: é/plain; charset=utf-8\r\n"), S("")},
	{S("Received: from x for <é@example.org>\r\n"), S("")},
	{S("X-É: a\r\n"), S("")},
};

static void every_kind_of_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char memory[512];
		struct out whole = {.p = memory, .cap = sizeof(memory)};

		assert_true(downgrade_field(fields[i].field, &whole));
		if (!span_eq(out_span(&whole), fields[i].becomes))
			fail_msg("'%.*s' became '%.*s'", (int)fields[i].field.n, fields[i].field.p,
				 (int)whole.n, memory);
		for (size_t cap = 0; cap < fields[i].becomes.n; cap++) {
			struct out out = {.p = memory, .cap = cap};

			assert_false(downgrade_field(fields[i].field, &out));
			assert_int_equal(out.n, 0);
		}
	}
}

/* RFC 2047 section 2: no word over 75 octets, no line with one over 76. */
static void long_text_is_folded(void **state)
{
	char field[2000], memory[8000];
	struct out in = {.p = field, .cap = sizeof(field)};
	struct out out = {.p = memory, .cap = sizeof(memory)};
	struct span rest;

	(void)state;
	(void)out_put(&in, S("Subject:"));
	for (unsigned i = 0; i < 150; i++)
		(void)out_put(&in, i % 7 == 0 ? S(" 郵便") : S("é日x"));
	(void)out_put(&in, S("\r\n"));
	assert_true(downgrade_field(out_span(&in), &out));
	for (rest = out_span(&out); rest.n > 0;) {
		const size_t n = span_find(rest, '\n') + 1;

		assert_true(n >= 2 && n <= 78 && rest.p[n - 2] == '\r');
		assert_true(rest.p == memory || rest.p[0] == ' ');
		span_skip(&rest, n);
	}
}

static const struct {
	struct span text;
	enum downgrade_verdict verdict;
	int growth;
} messages[] = {
	{S(""), DOWNGRADE_NOT_NEEDED, 0},
	{S("\r\n\xc3\xa9"), DOWNGRADE_NOT_NEEDED, 0},
	{S("Subject: x\r\n\r\n\xc3\xa9\xff\r\n"), DOWNGRADE_NOT_NEEDED, 0},
	{S("From me\nSubject: x\n\n\xff"), DOWNGRADE_NOT_NEEDED, 0},
	{S("Subject: é\r\n\r\nb\xff\r\n"), DOWNGRADE_NEEDED, 14},
	{S("Subject: é\n\nb\n"), DOWNGRADE_NEEDED, 14},
	{S("Subject: é"), DOWNGRADE_NEEDED, 14},
	{S("X: é\r\nSubject: x\r\n\r\n"), DOWNGRADE_NEEDED, -7},
	/* Not UTF-8, in one field or another: as it has always been. */
	{S("Subject: \xe9\r\n\r\n"), DOWNGRADE_NOT_POSSIBLE, 0},
	{S("Subject: é\r\nFrom: \x83\x81 <a@b>\r\n\r\n"), DOWNGRADE_NOT_POSSIBLE, 0},
	/* No header. */
	{S("é\r\n\r\n"), DOWNGRADE_NOT_POSSIBLE, 0},
	{S("Subject: é\r\nwhat's this é\r\n\r\n"), DOWNGRADE_NOT_POSSIBLE, 0},
};

static void whole_messages(void **state)
{
	char scratch[DOWNGRADE_OUT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		int32_t growth = 12345;
		const enum downgrade_verdict verdict = downgrade_measure(messages[i].text, true,
									 scratch, &growth);

		assert_int_equal(verdict, messages[i].verdict);
		assert_int_equal(growth, verdict == DOWNGRADE_NEEDED ? messages[i].growth : 12345);
	}
}

/* A header of so many octets, most of them in one field, which has UTF-8 or not. */
static enum downgrade_verdict verdict_on(size_t before, size_t field, const char *more, bool whole)
{
	char *const text = malloc(before + field + 200);
	char scratch[DOWNGRADE_OUT_MAX];
	struct out out = {.p = text, .cap = before + field + 200};
	enum downgrade_verdict verdict;
	int32_t growth;

	assert_non_null(text);
	while (out.n < before)
		(void)out_put(&out, S("X-Much: 4567890123456789012345678901234567890123\r\n"));
	(void)out_put(&out, S("X-Field: "));
	for (size_t i = 0; i < field; i++)
		(void)out_char(&out, 'x');
	(void)out_put(&out, span_str(more));
	verdict = downgrade_measure(out_span(&out), whole, scratch, &growth);
	free(text);
	return verdict;
}

static void limits(void **state)
{
	const char *const end = "\r\nSubject: é\r\n\r\nbody\r\n";

	(void)state;
	assert_int_equal(verdict_on(0, 10, end, true), DOWNGRADE_NEEDED);
	assert_int_equal(verdict_on(0, DOWNGRADE_FIELD_MAX - 11, end, true), DOWNGRADE_NEEDED);
	assert_int_equal(verdict_on(0, DOWNGRADE_FIELD_MAX - 10, end, true),
			 DOWNGRADE_NOT_POSSIBLE);
	assert_int_equal(verdict_on(DOWNGRADE_HEADER_MAX - 200, 10, end, true), DOWNGRADE_NEEDED);
	assert_int_equal(verdict_on(DOWNGRADE_HEADER_MAX, 10, end, true), DOWNGRADE_NOT_POSSIBLE);
	assert_int_equal(verdict_on(DOWNGRADE_HEADER_MAX, 10, "\r\n", false),
			 DOWNGRADE_NOT_POSSIBLE);
	/* Long, but nothing to be done. */
	assert_int_equal(verdict_on(DOWNGRADE_HEADER_MAX, 20000, "\r\n\r\n", true),
			 DOWNGRADE_NOT_NEEDED);
}

/* A field that becomes too long, and many that become too long together. */
static void too_much_growth(void **state)
{
	char *const text = malloc(60000);
	char scratch[DOWNGRADE_OUT_MAX];
	struct out out = {.p = text, .cap = 60000};
	int32_t growth;

	(void)state;
	assert_non_null(text);
	(void)out_put(&out, S("To: "));
	for (unsigned i = 0; i < 300; i++)
		(void)out_put(&out, S("é@é,"));
	(void)out_put(&out, S("\r\n\r\n"));
	assert_int_equal(downgrade_measure(out_span(&out), true, scratch, &growth),
			 DOWNGRADE_NOT_POSSIBLE);
	out.n = 0;
	for (unsigned i = 0; i < 1000; i++)
		(void)out_put(&out, S("To: é@é\r\n"));
	assert_int_equal(downgrade_measure(out_span(&out), true, scratch, &growth),
			 DOWNGRADE_NOT_POSSIBLE);
	out.n = 0;
	for (unsigned i = 0; i < 400; i++)
		(void)out_put(&out, S("To: é@é\r\n"));
	assert_int_equal(downgrade_measure(out_span(&out), true, scratch, &growth),
			 DOWNGRADE_NEEDED);
	free(text);
}

static void fields_end_where_they_end(void **state)
{
	const struct span text = S("A: b\r\n c\r\n\td\r\nE: f\n\r\nbody");
	struct span field;

	(void)state;
	for (size_t n = 0; n <= text.n; n++) {
		struct span in = span_of(text.p, n);
		const enum downgrade_part part = downgrade_next(&in, false, &field);

		/* Only the octet behind its last line says that there is no more of it. */
		assert_int_equal(part, n > 14 ? DOWNGRADE_FIELD : DOWNGRADE_MORE);
		if (part == DOWNGRADE_FIELD)
			assert_true(span_eq(field, S("A: b\r\n c\r\n\td\r\n")));
	}

	struct span in = text;

	assert_int_equal(downgrade_next(&in, true, &field), DOWNGRADE_FIELD);
	assert_int_equal(downgrade_next(&in, true, &field), DOWNGRADE_FIELD);
	assert_true(span_eq(field, S("E: f\n")));
	assert_int_equal(downgrade_next(&in, true, &field), DOWNGRADE_BODY);
	assert_true(span_eq(in, S("\r\nbody")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_field), cmocka_unit_test(long_text_is_folded),
		cmocka_unit_test(whole_messages),      cmocka_unit_test(limits),
		cmocka_unit_test(too_much_growth),     cmocka_unit_test(fields_end_where_they_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
