/* SPDX-License-Identifier: MIT */
/* What a client writes, held against what the server's parser reads. */
#include "codec/pop3/pop3_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define DIGEST "c4c9334bac560ecc979e58001b3e22fb"

/* Room for one octet more than a line may have. */
struct sender {
	struct pop3_client client;
	char memory[LIMIT_POP3_COMMAND + 1];
	struct out out;
};

static void greeted(struct sender *s)
{
	struct span in = S("+OK\r\n");
	struct pop3_client_event e;

	s->client = (struct pop3_client){0};
	s->out = (struct out){.p = s->memory, .cap = sizeof(s->memory)};
	assert_int_equal(pop3_client_read(&s->client, &in, &e), POP3_CLIENT_GREETING);
}

static const struct {
	struct pop3_command command;
	struct span line;
} written[] = {
	{{.verb = POP3_APOP, .user = {"a b", 3}, .digest = {DIGEST, 32}}, S("APOP a b " DIGEST)},
	{{.verb = POP3_AUTH}, S("AUTH")},
	{{.verb = POP3_AUTH, .mechanism = {"LOGIN", 5}}, S("AUTH LOGIN")},
	{{.verb = POP3_AUTH, .mechanism = {"PLAIN", 5}, .has_initial = true, .initial = {"=", 1}},
	 S("AUTH PLAIN =")},
	{{.verb = POP3_CAPA}, S("CAPA")},
	{{.verb = POP3_DELE, .has_number = true, .number = 1}, S("DELE 1")},
	{{.verb = POP3_LIST}, S("LIST")},
	{{.verb = POP3_LIST, .has_number = true, .number = 12}, S("LIST 12")},
	{{.verb = POP3_NOOP}, S("NOOP")},
	{{.verb = POP3_PASS, .password = {" a  b ", 6}}, S("PASS  a  b ")},
	{{.verb = POP3_PASS, .password = {"\xff\x01", 2}}, S("PASS \xff\x01")},
	{{.verb = POP3_PASS}, S("PASS ")},
	{{.verb = POP3_QUIT}, S("QUIT")},
	{{.verb = POP3_RETR, .has_number = true, .number = UINT32_MAX}, S("RETR 4294967295")},
	{{.verb = POP3_RSET}, S("RSET")},
	{{.verb = POP3_STAT}, S("STAT")},
	{{.verb = POP3_STLS}, S("STLS")},
	{{.verb = POP3_TOP, .has_number = true, .number = 7}, S("TOP 7 0")},
	{{.verb = POP3_TOP, .has_number = true, .number = 7, .lines = UINT64_MAX},
	 S("TOP 7 18446744073709551615")},
	{{.verb = POP3_UIDL}, S("UIDL")},
	{{.verb = POP3_UIDL, .has_number = true, .number = 3}, S("UIDL 3")},
	{{.verb = POP3_USER, .user = {"\xc3\xa9 x", 4}}, S("USER \xc3\xa9 x")},
};

static void same(const struct pop3_command *a, const struct pop3_command *b)
{
	assert_int_equal(a->verb, b->verb);
	assert_int_equal(a->has_number, b->has_number);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->lines, b->lines);
	assert_true(span_eq(a->user, b->user));
	assert_true(span_eq(a->password, b->password));
	assert_true(span_eq(a->digest, b->digest));
	assert_true(span_eq(a->mechanism, b->mechanism));
	assert_int_equal(a->has_initial, b->has_initial);
	assert_true(span_eq(a->initial, b->initial));
}

/* Whole or not at all, and the server reads what was meant. */
static void every_command_is_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		const struct span line = written[i].line;
		struct sender s;
		struct pop3_command read;

		greeted(&s);
		for (s.out.cap = 0; s.out.cap < line.n + 2; s.out.cap++) {
			assert_int_equal(pop3_client_send(&s.client, &written[i].command, &s.out),
					 POP3_CLIENT_NO_ROOM);
			assert_int_equal(s.out.n, 0);
			assert_int_equal(pop3_client_ahead(&s.client), 0);
		}
		assert_int_equal(pop3_client_send(&s.client, &written[i].command, &s.out),
				 POP3_CLIENT_SENT);
		assert_int_equal(pop3_client_ahead(&s.client), 1);
		assert_int_equal(s.out.n, line.n + 2);
		assert_memory_equal(s.memory, line.p, line.n);
		assert_memory_equal(s.memory + line.n, "\r\n", 2);

		const uint8_t states = pop3_command_row(written[i].command.verb)->states;

		assert_int_equal(pop3_command_parse(span_of(s.memory, line.n),
						    states & 1 << POP3_AUTHORIZATION
							    ? POP3_AUTHORIZATION
							    : POP3_TRANSACTION,
						    &read),
				 POP3_COMMAND_OK);
		same(&read, &written[i].command);
	}
}

/* What isn't in a verb's row is not written. */
static void what_a_verb_does_not_take_is_left_out(void **state)
{
	struct sender s;
	struct pop3_command command = {
		.verb = POP3_NOOP,
		.has_number = true,
		.number = 3,
		.lines = 4,
		.user = S("a\r\n"),
		.password = S("b\r\n"),
	};
	struct span in = S("+OK\r\n");
	struct pop3_client_event e;

	(void)state;
	greeted(&s);
	assert_int_equal(pop3_client_send(&s.client, &command, &s.out), POP3_CLIENT_SENT);
	assert_true(span_eq(out_span(&s.out), S("NOOP\r\n")));
	assert_int_equal(pop3_client_read(&s.client, &in, &e), POP3_CLIENT_OK);
	assert_int_equal(e.number, 0);
	greeted(&s);
	command = (struct pop3_command){.verb = POP3_LIST, .number = 3};
	assert_int_equal(pop3_client_send(&s.client, &command, &s.out), POP3_CLIENT_SENT);
	assert_true(span_eq(out_span(&s.out), S("LIST\r\n")));
}

static const struct pop3_command refused[] = {
	{.verb = POP3_USER},
	{.verb = POP3_USER, .user = {"a\rb", 3}},
	{.verb = POP3_USER, .user = {"a\nDELE 1", 8}},
	{.verb = POP3_USER, .user = {"a\0b", 3}},
	{.verb = POP3_PASS, .password = {"a\rb", 3}},
	{.verb = POP3_PASS, .password = {"a\r\nDELE 1", 9}},
	{.verb = POP3_PASS, .password = {"\0", 1}},
	{.verb = POP3_APOP, .digest = {DIGEST, 32}},
	{.verb = POP3_APOP, .user = {"a", 1}},
	{.verb = POP3_APOP, .user = {"a\n", 2}, .digest = {DIGEST, 32}},
	{.verb = POP3_APOP, .user = {"a", 1}, .digest = {DIGEST "\n", 33}},
	{.verb = POP3_APOP, .user = {"a", 1}, .digest = {" " DIGEST, 33}},
	{.verb = POP3_AUTH, .mechanism = {"PLAIN\n", 6}},
	{.verb = POP3_AUTH, .mechanism = {"PL AIN", 6}},
	{.verb = POP3_AUTH, .mechanism = {"PLAIN", 5}, .has_initial = true},
	{.verb = POP3_AUTH, .mechanism = {"PLAIN", 5}, .has_initial = true, .initial = {"Q Q", 3}},
	{.verb = POP3_AUTH, .mechanism = {"PLAIN", 5}, .has_initial = true, .initial = {"Q\0", 2}},
	{.verb = POP3_RETR},
	{.verb = POP3_DELE, .has_number = true},
	{.verb = POP3_LIST, .has_number = true},
	{.verb = POP3_TOP, .lines = 3},
};

/* Nothing that the server would read as something else, or as more than one line. */
static void arguments_that_change_the_line_are_refused(void **state)
{
	struct sender s;

	(void)state;
	greeted(&s);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(pop3_client_send(&s.client, &refused[i], &s.out),
				 POP3_CLIENT_BAD_ARGUMENT);
		assert_int_equal(s.out.n, 0);
		assert_int_equal(pop3_client_ahead(&s.client), 0);
	}
}

static void lines_are_never_longer_than_a_server_reads(void **state)
{
	char long_text[LIMIT_POP3_COMMAND];
	struct sender s;
	struct pop3_command pass = {.verb = POP3_PASS};
	struct pop3_command plain = {
		.verb = POP3_AUTH, .mechanism = S("PLAIN"), .has_initial = true};

	(void)state;
	memset(long_text, 'A', sizeof(long_text));
	greeted(&s);
	pass.password = span_of(long_text, LIMIT_POP3_COMMAND - 2 - 4);
	assert_int_equal(pop3_client_send(&s.client, &pass, &s.out), POP3_CLIENT_TOO_LONG);
	/* Too long says so where there is no room, too: waiting for room would be for ever. */
	s.out.cap = 0;
	assert_int_equal(pop3_client_send(&s.client, &pass, &s.out), POP3_CLIENT_TOO_LONG);
	s.out.cap = sizeof(s.memory);
	pass.password.n--;
	assert_int_equal(pop3_client_send(&s.client, &pass, &s.out), POP3_CLIENT_SENT);
	assert_int_equal(s.out.n, LIMIT_POP3_COMMAND);

	/* An initial response that doesn't fit is left for the challenge. */
	greeted(&s);
	plain.initial = span_of(long_text, LIMIT_POP3_COMMAND - 2 - 10);
	assert_int_equal(pop3_client_send(&s.client, &plain, &s.out), POP3_CLIENT_TOO_LONG);
	assert_int_equal(s.out.n, 0);
	plain.has_initial = false;
	assert_int_equal(pop3_client_send(&s.client, &plain, &s.out), POP3_CLIENT_SENT);
	assert_true(span_eq(out_span(&s.out), S("AUTH PLAIN\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_written),
		cmocka_unit_test(what_a_verb_does_not_take_is_left_out),
		cmocka_unit_test(arguments_that_change_the_line_are_refused),
		cmocka_unit_test(lines_are_never_longer_than_a_server_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
