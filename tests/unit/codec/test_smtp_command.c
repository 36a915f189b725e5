/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define L (1 << SMTP_DIALECT_LMTP)
#define M (1 << SMTP_DIALECT_SMTP)

static const struct {
	const char *name;
	unsigned dialects;
} verbs[SMTP_VERBS] = {
	[SMTP_DATA] = {"DATA", L | M},
	[SMTP_EHLO] = {"EHLO", M},
	[SMTP_HELO] = {"HELO", M},
	[SMTP_HELP] = {"HELP", L | M},
	[SMTP_LHLO] = {"LHLO", L},
	[SMTP_MAIL] = {"MAIL", L | M},
	[SMTP_NOOP] = {"NOOP", L | M},
	[SMTP_QUIT] = {"QUIT", L | M},
	[SMTP_RCPT] = {"RCPT", L | M},
	[SMTP_BDAT] = {"BDAT", L | M},
	[SMTP_STARTTLS] = {"STARTTLS", L | M},
	[SMTP_RSET] = {"RSET", L | M},
	[SMTP_VRFY] = {"VRFY", L | M},
};

static void rows_and_dialects(void **state)
{
	(void)state;
	for (unsigned v = 0; v < SMTP_VERBS; v++) {
		const struct smtp_command_row *row = smtp_command_row(v);

		assert_string_equal(row->name, verbs[v].name);
		assert_int_equal(row->dialects, verbs[v].dialects);
		assert_true(span_starts_with_nocase(span_str(row->needs), span_str(row->name)));
		for (unsigned d = 0; d < 2; d++) {
			struct smtp_command c;

			assert_int_equal(smtp_command_parse(span_str(row->name), d, false, &c) ==
						 SMTP_COMMAND_WRONG_DIALECT,
					 (verbs[v].dialects & 1U << d) == 0);
			assert_int_equal(c.verb, v);
		}
	}
}

static const struct {
	struct span line;
	bool smtputf8;
	enum smtp_command_status status;
	struct smtp_command want; /* path: its address only */
} cases[] = {
#define GOOD(line, ...)                          \
	{                                        \
		S(line), false, SMTP_COMMAND_OK, \
		{                                \
			__VA_ARGS__              \
		}                                \
	}
#define BAD(line, status, v)                           \
	{                                              \
		S(line), false, SMTP_COMMAND_##status, \
		{                                      \
			.verb = v                      \
		}                                      \
	}
	BAD("", UNKNOWN, SMTP_VERBS),
	BAD(" QUIT", UNKNOWN, SMTP_VERBS),
	GOOD("STARTTLS", .verb = SMTP_STARTTLS),
	BAD("STARTTLS x", EXTRA_ARGUMENT, SMTP_STARTTLS),
	/* BDAT */
	GOOD("BDAT 0", .verb = SMTP_BDAT),
	GOOD("bdat 18446744073709551615", .verb = SMTP_BDAT, .chunk = UINT64_MAX),
	GOOD("BDAT 1000 last ", .verb = SMTP_BDAT, .chunk = 1000, .last = true),
	GOOD("BDAT 1  LAST", .verb = SMTP_BDAT, .chunk = 1, .last = true),
	BAD("BDAT", SYNTAX, SMTP_BDAT),
	BAD("BDAT LAST", SYNTAX, SMTP_BDAT),
	BAD("BDAT  1", SYNTAX, SMTP_BDAT),
	BAD("BDAT -1", SYNTAX, SMTP_BDAT),
	BAD("BDAT 0x10", SYNTAX, SMTP_BDAT),
	BAD("BDAT 18446744073709551616", SYNTAX, SMTP_BDAT),
	BAD("BDAT 1 LAST LAST", SYNTAX, SMTP_BDAT),
	BAD("BDAT 1LAST", SYNTAX, SMTP_BDAT),
	BAD("BDAT 1 2", SYNTAX, SMTP_BDAT),
	BAD("MAIL\tFROM:<a@b>", UNKNOWN, SMTP_VERBS),
	BAD("QUIT\0", UNKNOWN, SMTP_VERBS),
	BAD("DAT", UNKNOWN, SMTP_VERBS),
	BAD("EHLO x", WRONG_DIALECT, SMTP_EHLO),
	BAD("HELO x", WRONG_DIALECT, SMTP_HELO),
	GOOD("quit", .verb = SMTP_QUIT),
	GOOD("QUIT  ", .verb = SMTP_QUIT),
	BAD("QUIT now", EXTRA_ARGUMENT, SMTP_QUIT),
	GOOD("DATA", .verb = SMTP_DATA),
	BAD("DATA x", EXTRA_ARGUMENT, SMTP_DATA),
	GOOD("RSET", .verb = SMTP_RSET),
	BAD("RSET x", EXTRA_ARGUMENT, SMTP_RSET),
	GOOD("NOOP", .verb = SMTP_NOOP),
	GOOD("NOOP x y", .verb = SMTP_NOOP, .text = S("x y")),
	GOOD("HELP", .verb = SMTP_HELP),
	GOOD("HELP MAIL", .verb = SMTP_HELP, .text = S("MAIL")),
	GOOD("VRFY alice", .verb = SMTP_VRFY, .text = S("alice")),
	BAD("VRFY", SYNTAX, SMTP_VRFY),
	/* LHLO */
	GOOD("LHLO mx.example.org", .verb = SMTP_LHLO, .host = S("mx.example.org")),
	GOOD("lhlo [IPv6:::1] ", .verb = SMTP_LHLO, .host = S("[IPv6:::1]")),
	GOOD("LHLO my_pc", .verb = SMTP_LHLO, .host = S("my_pc")),
	GOOD("LHLO \xc3\xa4", .verb = SMTP_LHLO, .host = S("\xc3\xa4")),
	BAD("LHLO", SYNTAX, SMTP_LHLO),
	BAD("LHLO ", SYNTAX, SMTP_LHLO),
	BAD("LHLO a b", SYNTAX, SMTP_LHLO),
	BAD("LHLO a\0b", SYNTAX, SMTP_LHLO),
	BAD("LHLO a\x7f", SYNTAX, SMTP_LHLO),
	BAD("LHLO a\x1f", SYNTAX, SMTP_LHLO),
	/* MAIL */
	GOOD("MAIL FROM:<>", .verb = SMTP_MAIL),
	GOOD("MAIL FROM:<a@b>", .verb = SMTP_MAIL, .path.address = S("a@b")),
	GOOD("mail from: <a@b>  ", .verb = SMTP_MAIL, .path.address = S("a@b")),
	GOOD("MAIL FROM:<@x:a@b> SIZE=1000", .verb = SMTP_MAIL, .path.address = S("a@b"),
	     .has_size = true, .size = 1000),
	GOOD("MAIL FROM:<a@b> size=0 body=7bit", .verb = SMTP_MAIL, .path.address = S("a@b"),
	     .has_size = true, .body = SMTP_BODY_7BIT),
	GOOD("MAIL FROM:<a@b>  BODY=8BITMIME  SMTPUTF8  SIZE=18446744073709551615",
	     .verb = SMTP_MAIL, .path.address = S("a@b"), .has_size = true, .size = UINT64_MAX,
	     .body = SMTP_BODY_8BITMIME, .smtputf8 = true),
	GOOD("MAIL FROM:<\xc3\xa4@b> SMTPUTF8", .verb = SMTP_MAIL, .path.address = S("\xc3\xa4@b"),
	     .smtputf8 = true),
	BAD("MAIL FROM:<\xc3\xa4@b>", NEEDS_UTF8, SMTP_MAIL),
	/* The transaction before doesn't speak for this one. */
	{S("MAIL FROM:<\xc3\xa4@b>"), true, SMTP_COMMAND_NEEDS_UTF8, {.verb = SMTP_MAIL}},
	BAD("MAIL", SYNTAX, SMTP_MAIL),
	BAD("MAIL FROM", SYNTAX, SMTP_MAIL),
	BAD("MAIL FROM :<a@b>", SYNTAX, SMTP_MAIL),
	BAD("MAIL  FROM:<a@b>", SYNTAX, SMTP_MAIL),
	BAD("MAIL TO:<a@b>", SYNTAX, SMTP_MAIL),
	BAD("MAIL FROM:", BAD_ADDRESS, SMTP_MAIL),
	BAD("MAIL FROM:a@b", BAD_ADDRESS, SMTP_MAIL),
	BAD("MAIL FROM:<a@b>SIZE=1", BAD_ADDRESS, SMTP_MAIL),
	BAD("MAIL FROM:<a@b>x", BAD_ADDRESS, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE=", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE=-1", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE=1x", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE=18446744073709551616", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE=1 SIZE=1", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> BODY", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> BODY=BINARYMIME", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> BODY=7BIT BODY=7BIT", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SMTPUTF8=", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SMTPUTF8 SMTPUTF8", BAD_PARAMETER, SMTP_MAIL),
	/* DSN */
	GOOD("MAIL FROM:<a@b> RET=HDRS ENVID=QQ+2B314159", .verb = SMTP_MAIL,
	     .path.address = S("a@b"), .ret = SMTP_DSN_RET_HDRS, .envid = S("QQ+2B314159")),
	GOOD("MAIL FROM:<a@b> ret=full", .verb = SMTP_MAIL, .path.address = S("a@b"),
	     .ret = SMTP_DSN_RET_FULL),
	BAD("MAIL FROM:<a@b> RET", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> RET=ALL", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> RET=FULL RET=FULL", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> ENVID=", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> ENVID=a=b", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> ENVID=a+2", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> ENVID=a+2b", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SMTPUTF8 ENVID=\xc3\xa4", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> ENVID=a ENVID=a", BAD_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> NOTIFY=NEVER", UNKNOWN_PARAMETER, SMTP_MAIL),
	BAD("RCPT TO:<a@b> RET=FULL", UNKNOWN_PARAMETER, SMTP_RCPT),
	GOOD("RCPT TO:<a@b> NOTIFY=never", .verb = SMTP_RCPT, .path.address = S("a@b"),
	     .notify = SMTP_DSN_NEVER),
	GOOD("RCPT TO:<a@b> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;c+2Bd@e", .verb = SMTP_RCPT,
	     .path.address = S("a@b"),
	     .notify = SMTP_DSN_SUCCESS | SMTP_DSN_FAILURE | SMTP_DSN_DELAY,
	     .orcpt = S("rfc822;c+2Bd@e")),
	BAD("RCPT TO:<a@b> NOTIFY", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> NOTIFY=", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> NOTIFY=NEVER,DELAY", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> NOTIFY=DELAY,", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> NOTIFY=ALWAYS", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=rfc822", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=rfc822;", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=;a@b", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=rfc_822;a@b", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a", BAD_PARAMETER, SMTP_RCPT),
	BAD("RCPT TO:<a@b> ORCPT=utf-8;\xc3\xa4@b", BAD_PARAMETER, SMTP_RCPT),
	{S("RCPT TO:<a@b> ORCPT=utf-8;\xc3\xa4@b"),
	 true,
	 SMTP_COMMAND_OK,
	 {.verb = SMTP_RCPT, .path.address = S("a@b"), .orcpt = S("utf-8;\xc3\xa4@b")}},
	{S("RCPT TO:<a@b> ORCPT=utf-8;\xc3"),
	 true,
	 SMTP_COMMAND_BAD_PARAMETER,
	 {.verb = SMTP_RCPT}},
	{S("RCPT TO:<a@b> ORCPT=rfc822;\xc3\xa4"),
	 true,
	 SMTP_COMMAND_BAD_PARAMETER,
	 {.verb = SMTP_RCPT}},
	BAD("MAIL FROM:<a@b> =", UNKNOWN_PARAMETER, SMTP_MAIL),
	BAD("MAIL FROM:<a@b> SIZE=1 X", UNKNOWN_PARAMETER, SMTP_MAIL),
	/* RCPT */
	GOOD("RCPT TO:<a@b>", .verb = SMTP_RCPT, .path.address = S("a@b")),
	GOOD("rcpt to: <Postmaster> ", .verb = SMTP_RCPT, .path.address = S("Postmaster")),
	{S("RCPT TO:<\xc3\xa4@b>"),
	 true,
	 SMTP_COMMAND_OK,
	 {.verb = SMTP_RCPT, .path.address = S("\xc3\xa4@b")}},
	BAD("RCPT TO:<\xc3\xa4@b>", NEEDS_UTF8, SMTP_RCPT),
	BAD("RCPT TO:<>", BAD_ADDRESS, SMTP_RCPT),
	BAD("RCPT TO:<a>", BAD_ADDRESS, SMTP_RCPT),
	BAD("RCPT FROM:<a@b>", SYNTAX, SMTP_RCPT),
	BAD("RCPT", SYNTAX, SMTP_RCPT),
	BAD("RCPT TO:<a@b> SIZE=1", UNKNOWN_PARAMETER, SMTP_RCPT),
#undef GOOD
#undef BAD
};

static void lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct smtp_command *want = &cases[i].want;
		struct smtp_command c;

		memset(&c, 0xa5, sizeof(c));

		const enum smtp_command_status got = smtp_command_parse(
			cases[i].line, SMTP_DIALECT_LMTP, cases[i].smtputf8, &c);

		if (got != cases[i].status)
			fail_msg("'%.*s': status %d", (int)cases[i].line.n, cases[i].line.p,
				 (int)got);
		assert_int_equal(c.verb, want->verb);
		if (got != SMTP_COMMAND_OK)
			continue;
		assert_true(span_eq(c.host, want->host));
		assert_true(span_eq(c.path.address, want->path.address));
		assert_int_equal(c.has_size, want->has_size);
		assert_int_equal(c.size, want->size);
		assert_int_equal(c.body, want->body);
		assert_int_equal(c.smtputf8, want->smtputf8);
		assert_int_equal(c.ret, want->ret);
		assert_true(span_eq(c.envid, want->envid));
		assert_int_equal(c.notify, want->notify);
		assert_true(span_eq(c.orcpt, want->orcpt));
		assert_int_equal(c.chunk, want->chunk);
		assert_int_equal(c.last, want->last);
		assert_true(span_eq(c.text, want->text));
	}
}

static void smtp_says_ehlo(void **state)
{
	struct smtp_command c;

	(void)state;
	assert_int_equal(smtp_command_parse(S("EHLO a"), SMTP_DIALECT_SMTP, false, &c),
			 SMTP_COMMAND_OK);
	assert_true(span_eq(c.host, S("a")));
	assert_int_equal(smtp_command_parse(S("HELO b"), SMTP_DIALECT_SMTP, false, &c),
			 SMTP_COMMAND_OK);
	assert_true(span_eq(c.host, S("b")));
	assert_int_equal(smtp_command_parse(S("LHLO a"), SMTP_DIALECT_SMTP, false, &c),
			 SMTP_COMMAND_WRONG_DIALECT);
}

static void a_long_address(void **state)
{
	char line[400];
	struct smtp_command c;
	const int n = snprintf(line, sizeof(line), "MAIL FROM:<%0255d@b>", 0);

	(void)state;
	assert_int_equal(smtp_command_parse(span_of(line, (size_t)n), SMTP_DIALECT_LMTP, false, &c),
			 SMTP_COMMAND_LONG_ADDRESS);
}

/* As long as RFC 3461 lets them be, and one octet more. */
static void long_dsn_values(void **state)
{
	char line[600];
	struct smtp_command c;

	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		int n = snprintf(line, sizeof(line), "MAIL FROM:<a@b> ENVID=%0*d",
				 LIMIT_DSN_ENVID + (int)over, 0);

		assert_int_equal(
			smtp_command_parse(span_of(line, (size_t)n), SMTP_DIALECT_LMTP, false, &c),
			over ? SMTP_COMMAND_BAD_PARAMETER : SMTP_COMMAND_OK);
		n = snprintf(line, sizeof(line), "RCPT TO:<a@b> ORCPT=x;%0*d",
			     LIMIT_DSN_ORCPT - 2 + (int)over, 0);
		assert_int_equal(
			smtp_command_parse(span_of(line, (size_t)n), SMTP_DIALECT_LMTP, false, &c),
			over ? SMTP_COMMAND_BAD_PARAMETER : SMTP_COMMAND_OK);
	}
}

static void errors(void **state)
{
	static const struct {
		enum smtp_command_status status;
		enum smtp_verb verb;
		enum smtp_dialect dialect;
		const char *line;
	} replies[] = {
		{SMTP_COMMAND_UNKNOWN, SMTP_VERBS, SMTP_DIALECT_LMTP,
		 "500 5.5.2 no such command\r\n"},
		{SMTP_COMMAND_WRONG_DIALECT, SMTP_EHLO, SMTP_DIALECT_LMTP,
		 "500 5.5.1 this is LMTP: say LHLO\r\n"},
		{SMTP_COMMAND_WRONG_DIALECT, SMTP_LHLO, SMTP_DIALECT_SMTP,
		 "500 5.5.1 this is SMTP: say EHLO\r\n"},
		{SMTP_COMMAND_SYNTAX, SMTP_RCPT, SMTP_DIALECT_LMTP,
		 "501 5.5.4 RCPT needs TO:<address>\r\n"},
		{SMTP_COMMAND_EXTRA_ARGUMENT, SMTP_DATA, SMTP_DIALECT_LMTP,
		 "501 5.5.4 DATA takes no argument\r\n"},
		{SMTP_COMMAND_BAD_ADDRESS, SMTP_MAIL, SMTP_DIALECT_LMTP,
		 "501 5.1.7 not an address\r\n"},
		{SMTP_COMMAND_BAD_ADDRESS, SMTP_RCPT, SMTP_DIALECT_LMTP,
		 "501 5.1.3 not an address\r\n"},
		{SMTP_COMMAND_LONG_ADDRESS, SMTP_MAIL, SMTP_DIALECT_LMTP,
		 "501 5.1.7 the address is too long\r\n"},
		{SMTP_COMMAND_LONG_ADDRESS, SMTP_RCPT, SMTP_DIALECT_LMTP,
		 "501 5.1.3 the address is too long\r\n"},
		{SMTP_COMMAND_NEEDS_UTF8, SMTP_MAIL, SMTP_DIALECT_LMTP,
		 "550 5.6.7 such an address needs SMTPUTF8\r\n"},
		{SMTP_COMMAND_BAD_PARAMETER, SMTP_MAIL, SMTP_DIALECT_LMTP,
		 "501 5.5.4 bad value of a parameter\r\n"},
		{SMTP_COMMAND_UNKNOWN_PARAMETER, SMTP_RCPT, SMTP_DIALECT_LMTP,
		 "555 5.5.4 unknown parameter\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		char memory[SMTP_COMMAND_ERROR_MAX];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		assert_true(smtp_command_error(&out, replies[i].status, replies[i].verb,
					       replies[i].dialect));
		assert_true(span_eq(out_span(&out), span_str(replies[i].line)));
		out = (struct out){.p = memory, .cap = out.n - 1};
		assert_false(smtp_command_error(&out, replies[i].status, replies[i].verb,
						replies[i].dialect));
		assert_int_equal(out.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_and_dialects), cmocka_unit_test(lines),
		cmocka_unit_test(smtp_says_ehlo),    cmocka_unit_test(a_long_address),
		cmocka_unit_test(long_dsn_values),   cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
