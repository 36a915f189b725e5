/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define AUTHORIZATION (1 << POP3_AUTHORIZATION)
#define TRANSACTION (1 << POP3_TRANSACTION)

/* The table once more, as RFC 1939, 2449, 2595 and 5034 have it. */
static const struct {
	const char *name;
	unsigned states;
	enum pop3_reply_lines reply;
	const char *capability;
} verbs[POP3_VERBS] = {
	[POP3_APOP] = {"APOP", AUTHORIZATION, POP3_REPLY_LINE, NULL},
	[POP3_AUTH] = {"AUTH", AUTHORIZATION, POP3_REPLY_EXCHANGE, "SASL"},
	[POP3_CAPA] = {"CAPA", AUTHORIZATION | TRANSACTION, POP3_REPLY_LINES, NULL},
	[POP3_DELE] = {"DELE", TRANSACTION, POP3_REPLY_LINE, NULL},
	[POP3_LANG] = {"LANG", AUTHORIZATION | TRANSACTION, POP3_REPLY_LINES_IF_ALONE, "LANG"},
	[POP3_LIST] = {"LIST", TRANSACTION, POP3_REPLY_LINES_IF_ALONE, NULL},
	[POP3_NOOP] = {"NOOP", TRANSACTION, POP3_REPLY_LINE, NULL},
	[POP3_PASS] = {"PASS", AUTHORIZATION, POP3_REPLY_LINE, "USER"},
	[POP3_QUIT] = {"QUIT", AUTHORIZATION | TRANSACTION, POP3_REPLY_LINE, NULL},
	[POP3_RETR] = {"RETR", TRANSACTION, POP3_REPLY_LINES, NULL},
	[POP3_RSET] = {"RSET", TRANSACTION, POP3_REPLY_LINE, NULL},
	[POP3_STAT] = {"STAT", TRANSACTION, POP3_REPLY_LINE, NULL},
	[POP3_STLS] = {"STLS", AUTHORIZATION, POP3_REPLY_LINE, "STLS"},
	[POP3_TOP] = {"TOP", TRANSACTION, POP3_REPLY_LINES, "TOP"},
	[POP3_UIDL] = {"UIDL", TRANSACTION, POP3_REPLY_LINES_IF_ALONE, "UIDL"},
	[POP3_USER] = {"USER", AUTHORIZATION, POP3_REPLY_LINE, "USER"},
	[POP3_UTF8] = {"UTF8", AUTHORIZATION, POP3_REPLY_LINE, "UTF8"},
};

static void assert_inside(struct span part, struct span line)
{
	if (part.p != NULL)
		assert_true(part.p >= line.p && part.n <= (size_t)(line.p + line.n - part.p));
}

static enum pop3_command_status parse(struct span line, enum pop3_state state,
				      struct pop3_command *c)
{
	/* First on the heap, so that a sanitizer sees one octet too far. */
	char *const copy = malloc(line.n + 1);
	char *const begin = copy + 1;

	assert_non_null(copy);
	memcpy(begin, line.p, line.n);
	(void)pop3_command_parse(span_of(begin, line.n), state, c);
	assert_inside(c->user, span_of(begin, line.n));
	assert_inside(c->password, span_of(begin, line.n));
	assert_inside(c->digest, span_of(begin, line.n));
	assert_inside(c->language, span_of(begin, line.n));
	assert_inside(c->mechanism, span_of(begin, line.n));
	assert_inside(c->initial, span_of(begin, line.n));
	free(copy);
	return pop3_command_parse(line, state, c);
}

static void rows(void **state)
{
	(void)state;
	for (unsigned v = 0; v < POP3_VERBS; v++) {
		const struct pop3_command_row *row = pop3_command_row(v);

		assert_string_equal(row->name, verbs[v].name);
		assert_int_equal(row->states, verbs[v].states);
		assert_int_equal(row->reply, verbs[v].reply);
		if (verbs[v].capability == NULL)
			assert_null(row->capability);
		else
			assert_string_equal(row->capability, verbs[v].capability);
		assert_true(span_starts_with_nocase(span_str(row->needs), span_str(row->name)));
	}
}

/* Every verb in every state, in upper and lower case. */
static void states(void **state)
{
	(void)state;
	for (unsigned v = 0; v < POP3_VERBS; v++) {
		for (unsigned s = 0; s < POP3_STATES; s++) {
			const bool allowed = (verbs[v].states & 1U << s) != 0;
			char lower[8] = {0};
			struct pop3_command c;

			assert_int_equal(parse(span_str(verbs[v].name), s, &c) ==
						 POP3_COMMAND_WRONG_STATE,
					 !allowed);
			assert_int_equal(c.verb, v);
			for (size_t i = 0; verbs[v].name[i] != '\0'; i++)
				lower[i] = span_ascii_lower(verbs[v].name[i]);
			(void)parse(span_str(lower), s, &c);
			assert_int_equal(c.verb, v);
		}
	}
}

static const struct {
	struct span line;
	enum pop3_state state;
	enum pop3_command_status status;
	struct pop3_command want;
} cases[] = {
#define IN_A(line, status, ...)                                     \
	{                                                           \
		S(line), POP3_AUTHORIZATION, POP3_COMMAND_##status, \
		{                                                   \
			__VA_ARGS__                                 \
		}                                                   \
	}
#define IN_T(line, status, ...)                                   \
	{                                                         \
		S(line), POP3_TRANSACTION, POP3_COMMAND_##status, \
		{                                                 \
			__VA_ARGS__                               \
		}                                                 \
	}
	/* Verbs */
	IN_A("", UNKNOWN, .verb = POP3_VERBS),
	IN_A(" ", UNKNOWN, .verb = POP3_VERBS),
	IN_A(" QUIT", UNKNOWN, .verb = POP3_VERBS),
	IN_A("QUITX", UNKNOWN, .verb = POP3_VERBS),
	IN_A("QUI", UNKNOWN, .verb = POP3_VERBS),
	IN_A("QUIT\t", UNKNOWN, .verb = POP3_VERBS),
	IN_A("QUIT\0", UNKNOWN, .verb = POP3_VERBS),
	IN_A("XTND 1", UNKNOWN, .verb = POP3_VERBS),
	IN_A("QuIt", OK, .verb = POP3_QUIT),
	IN_T("QUIT   ", OK, .verb = POP3_QUIT),
	IN_T("QUIT now", EXTRA_ARGUMENT, .verb = POP3_QUIT),
	IN_T("STAT 1", EXTRA_ARGUMENT, .verb = POP3_STAT),
	IN_T("NOOP", OK, .verb = POP3_NOOP),
	IN_T("RSET", OK, .verb = POP3_RSET),
	IN_T("STAT", OK, .verb = POP3_STAT),
	IN_T("CAPA", OK, .verb = POP3_CAPA),
	IN_A("CAPA", OK, .verb = POP3_CAPA),
	IN_A("CAPA x", EXTRA_ARGUMENT, .verb = POP3_CAPA),
	IN_A("utf8", OK, .verb = POP3_UTF8),
	IN_A("UTF8 USER", EXTRA_ARGUMENT, .verb = POP3_UTF8),
	IN_T("UTF8", WRONG_STATE, .verb = POP3_UTF8),
	IN_A("LANG", OK, .verb = POP3_LANG),
	IN_T("lang ja", OK, .verb = POP3_LANG, .language = S("ja")),
	IN_T("LANG * ", OK, .verb = POP3_LANG, .language = S("*")),
	IN_A("LANG en-GB-oed", OK, .verb = POP3_LANG, .language = S("en-GB-oed")),
	IN_A("LANG 12345678-a", OK, .verb = POP3_LANG, .language = S("12345678-a")),
	IN_A("LANG 123456789", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG en-", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG -en", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG en--GB", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG *-JP", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG en_GB", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG \xe6\x97\xa5", BAD_LANGUAGE, .verb = POP3_LANG),
	IN_A("LANG en ja", EXTRA_ARGUMENT, .verb = POP3_LANG),
	IN_A("STLS", OK, .verb = POP3_STLS),
	IN_A("STLS x", EXTRA_ARGUMENT, .verb = POP3_STLS),
	IN_T("NOOP x", EXTRA_ARGUMENT, .verb = POP3_NOOP),
	IN_T("RSET x", EXTRA_ARGUMENT, .verb = POP3_RSET),
	/* Numbers */
	IN_T("RETR 1", OK, .verb = POP3_RETR, .has_number = true, .number = 1),
	IN_T("RETR 1  ", OK, .verb = POP3_RETR, .has_number = true, .number = 1),
	IN_T("RETR 4294967295", OK, .verb = POP3_RETR, .has_number = true, .number = UINT32_MAX),
	IN_T("RETR 01", OK, .verb = POP3_RETR, .has_number = true, .number = 1),
	IN_T("RETR 010", OK, .verb = POP3_RETR, .has_number = true, .number = 10),
	IN_T("RETR 00000000000000000000007", OK, .verb = POP3_RETR, .has_number = true,
	     .number = 7),
	IN_T("RETR 4294967296", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 4294967297", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 18446744073709551617", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 0", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 00", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR +1", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR -1", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 1x", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR x", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 0x1", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 1e0", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 1\0", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR 1\t", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR  1", BAD_NUMBER, .verb = POP3_RETR),
	IN_T("RETR \xef\xbc\x91", BAD_NUMBER, .verb = POP3_RETR), /* a full-width 1 */
	IN_T("RETR", MISSING_ARGUMENT, .verb = POP3_RETR),
	IN_T("RETR ", MISSING_ARGUMENT, .verb = POP3_RETR),
	IN_T("RETR 1 2", EXTRA_ARGUMENT, .verb = POP3_RETR),
	IN_T("DELE", MISSING_ARGUMENT, .verb = POP3_DELE),
	IN_T("DELE 3", OK, .verb = POP3_DELE, .has_number = true, .number = 3),
	IN_T("LIST", OK, .verb = POP3_LIST),
	IN_T("LIST ", OK, .verb = POP3_LIST),
	IN_T("LIST 2", OK, .verb = POP3_LIST, .has_number = true, .number = 2),
	IN_T("LIST 1 2", EXTRA_ARGUMENT, .verb = POP3_LIST),
	IN_T("LIST 0", BAD_NUMBER, .verb = POP3_LIST),
	IN_T("UIDL", OK, .verb = POP3_UIDL),
	IN_T("uidl 12", OK, .verb = POP3_UIDL, .has_number = true, .number = 12),
	IN_T("UIDL -", BAD_NUMBER, .verb = POP3_UIDL),
	/* TOP */
	IN_T("TOP 1 0", OK, .verb = POP3_TOP, .has_number = true, .number = 1),
	IN_T("TOP 3 10 ", OK, .verb = POP3_TOP, .has_number = true, .number = 3, .lines = 10),
	IN_T("TOP 1 18446744073709551615", OK, .verb = POP3_TOP, .has_number = true, .number = 1,
	     .lines = UINT64_MAX),
	IN_T("TOP 1 18446744073709551616", BAD_LINES, .verb = POP3_TOP, .has_number = true,
	     .number = 1),
	IN_T("TOP 1 -1", BAD_LINES, .verb = POP3_TOP, .has_number = true, .number = 1),
	IN_T("TOP 1  1", BAD_LINES, .verb = POP3_TOP, .has_number = true, .number = 1),
	IN_T("TOP", MISSING_ARGUMENT, .verb = POP3_TOP),
	IN_T("TOP 1", MISSING_ARGUMENT, .verb = POP3_TOP),
	IN_T("TOP 1 ", MISSING_ARGUMENT, .verb = POP3_TOP),
	IN_T("TOP 0 1", BAD_NUMBER, .verb = POP3_TOP),
	IN_T("TOP x 1", BAD_NUMBER, .verb = POP3_TOP),
	IN_T("TOP 1 2 3", EXTRA_ARGUMENT, .verb = POP3_TOP, .has_number = true, .number = 1),
	/* Names and passwords */
	IN_A("USER alice", OK, .verb = POP3_USER, .user = S("alice")),
	IN_A("user al ice  ", OK, .verb = POP3_USER, .user = S("al ice")),
	IN_A("USER \xe3\x81\x82", OK, .verb = POP3_USER, .user = S("\xe3\x81\x82")),
	IN_A("USER", MISSING_ARGUMENT, .verb = POP3_USER),
	IN_A("USER  ", MISSING_ARGUMENT, .verb = POP3_USER),
	IN_A("USER a\0b", BAD_OCTET, .verb = POP3_USER),
	IN_A("USER a\tb", BAD_OCTET, .verb = POP3_USER),
	IN_A("USER a\x7f", BAD_OCTET, .verb = POP3_USER),
	IN_A("PASS secret", OK, .verb = POP3_PASS, .password = S("secret")),
	IN_A("PASS  two  spaces  ", OK, .verb = POP3_PASS, .password = S(" two  spaces  ")),
	IN_A("PASS ", OK, .verb = POP3_PASS, .password = S("")),
	IN_A("PASS \t\x7f\xff\x80", OK, .verb = POP3_PASS, .password = S("\t\x7f\xff\x80")),
	IN_A("PASS a\0b", BAD_OCTET, .verb = POP3_PASS),
	IN_A("PASS a\rb", BAD_OCTET, .verb = POP3_PASS),
	IN_A("PASS", MISSING_ARGUMENT, .verb = POP3_PASS),
	/* APOP */
	IN_A("APOP mrose c4c9334bac560ecc979e58001b3e22fb", OK, .verb = POP3_APOP,
	     .user = S("mrose"), .digest = S("c4c9334bac560ecc979e58001b3e22fb")),
	IN_A("APOP m rose c4c9334bac560ecc979e58001b3e22fb ", OK, .verb = POP3_APOP,
	     .user = S("m rose"), .digest = S("c4c9334bac560ecc979e58001b3e22fb")),
	IN_A("APOP", MISSING_ARGUMENT, .verb = POP3_APOP),
	IN_A("APOP mrose", MISSING_ARGUMENT, .verb = POP3_APOP),
	IN_A("APOP  c4c9334bac560ecc979e58001b3e22fb", MISSING_ARGUMENT, .verb = POP3_APOP),
	IN_A("APOP mrose c4c9334bac560ecc979e58001b3e22f", BAD_DIGEST, .verb = POP3_APOP),
	IN_A("APOP mrose c4c9334bac560ecc979e58001b3e22fb0", BAD_DIGEST, .verb = POP3_APOP),
	IN_A("APOP mrose C4C9334BAC560ECC979E58001B3E22FB", BAD_DIGEST, .verb = POP3_APOP),
	IN_A("APOP mrose c4c9334bac560ecc979e58001b3e22fg", BAD_DIGEST, .verb = POP3_APOP),
	IN_A("APOP m\trose c4c9334bac560ecc979e58001b3e22fb", BAD_OCTET, .verb = POP3_APOP,
	     .digest = S("c4c9334bac560ecc979e58001b3e22fb")),
	/* AUTH */
	IN_A("AUTH", OK, .verb = POP3_AUTH),
	IN_A("AUTH ", OK, .verb = POP3_AUTH),
	IN_A("AUTH plain", OK, .verb = POP3_AUTH, .mechanism = S("plain")),
	IN_A("AUTH PLAIN ", OK, .verb = POP3_AUTH, .mechanism = S("PLAIN")),
	IN_A("AUTH PLAIN =", OK, .verb = POP3_AUTH, .mechanism = S("PLAIN"), .has_initial = true,
	     .initial = S("=")),
	IN_A("AUTH SCRAM-SHA-256-PLUS AGEAYg==", OK, .verb = POP3_AUTH,
	     .mechanism = S("SCRAM-SHA-256-PLUS"), .has_initial = true, .initial = S("AGEAYg==")),
	IN_A("AUTH PLAIN a b", EXTRA_ARGUMENT, .verb = POP3_AUTH, .mechanism = S("PLAIN")),
	IN_A("AUTH  PLAIN", BAD_MECHANISM, .verb = POP3_AUTH),
	IN_A("AUTH PLA!N", BAD_MECHANISM, .verb = POP3_AUTH),
	IN_A("AUTH ABCDEFGHIJKLMNOPQR_09", BAD_MECHANISM, .verb = POP3_AUTH),
	IN_A("AUTH ABCDEFGHIJKLMNOPQR_0", OK, .verb = POP3_AUTH,
	     .mechanism = S("ABCDEFGHIJKLMNOPQR_0")),
#undef IN_A
#undef IN_T
};

static void lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pop3_command *want = &cases[i].want;
		struct pop3_command c;

		memset(&c, 0xa5, sizeof(c));

		const enum pop3_command_status got = parse(cases[i].line, cases[i].state, &c);

		if (got != cases[i].status)
			fail_msg("'%.*s': status %d", (int)cases[i].line.n, cases[i].line.p,
				 (int)got);
		assert_int_equal(c.verb, want->verb);
		assert_int_equal(c.has_number, want->has_number);
		assert_int_equal(c.number, want->number);
		assert_int_equal(c.lines, want->lines);
		assert_true(span_eq(c.user, want->user));
		assert_true(span_eq(c.password, want->password));
		assert_true(span_eq(c.digest, want->digest));
		assert_true(span_eq(c.mechanism, want->mechanism));
		assert_int_equal(c.has_initial, want->has_initial);
		assert_true(span_eq(c.initial, want->initial));
	}
}

static void errors_say_what_is_wrong(void **state)
{
	static const struct {
		enum pop3_command_status status;
		enum pop3_verb verb;
		enum pop3_state state;
		const char *text;
	} texts[] = {
		{POP3_COMMAND_UNKNOWN, POP3_VERBS, POP3_AUTHORIZATION, "no such command"},
		{POP3_COMMAND_WRONG_STATE, POP3_RETR, POP3_AUTHORIZATION, "log in first"},
		{POP3_COMMAND_WRONG_STATE, POP3_USER, POP3_TRANSACTION,
		 "you are already logged in"},
		{POP3_COMMAND_WRONG_STATE, POP3_QUIT, POP3_UPDATE, "this session is over"},
		{POP3_COMMAND_MISSING_ARGUMENT, POP3_RETR, POP3_TRANSACTION,
		 "RETR needs a message number"},
		{POP3_COMMAND_EXTRA_ARGUMENT, POP3_STAT, POP3_TRANSACTION,
		 "STAT takes no argument"},
		{POP3_COMMAND_BAD_NUMBER, POP3_DELE, POP3_TRANSACTION, "not a message number"},
		{POP3_COMMAND_BAD_LINES, POP3_TOP, POP3_TRANSACTION, "not a number of lines"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(
			strcmp(pop3_command_error(texts[i].status, texts[i].verb, texts[i].state),
			       texts[i].text) == 0);

	/* Something for every one, that can stand in a reply. */
	for (unsigned s = POP3_COMMAND_OK + 1; s < POP3_COMMAND_STATUSES; s++) {
		const struct span text = span_str(
			pop3_command_error(s, POP3_TOP, POP3_TRANSACTION));

		assert_true(text.n > 0 && text.n < 80);
		assert_int_equal(span_find(text, '\n'), text.n);
		assert_int_not_equal(text.p[0], '[');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(states),
		cmocka_unit_test(lines),
		cmocka_unit_test(errors_say_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
