/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cuts.h"

#define S(text) SPAN_LIT(text)
#define HI "+OK hi\r\n"
#define HEARD "greeting [hi]\n"

/*
 * What is sent, one command a line, as soon as may be; what a server says; and what
 * that is read as, an event a line, NUL shown as '~'. Challenges are answered with "Zg==".
 */
struct session_case {
	const char *commands;
	struct span stream;
	const char *events;
};

static const struct session_case greetings[] = {
	{"", S(HI), HEARD},
	{"", S("+OK\r\n"), "greeting []\n"},
	{"", S("+ok hi\n"), HEARD},
	{"", S("+OK POP3 <1896.697170952@dbc.mtview.ca.us> ready\r\n"),
	 "greeting [POP3 <1896.697170952@dbc.mtview.ca.us> ready] "
	 "<1896.697170952@dbc.mtview.ca.us>\n"},
	{"", S("-ERR [SYS/TEMP] later\r\n"), "err - code 3 [[SYS/TEMP] later]\nover\n"},
	{"", S("-ERR no\r\n+OK hi\r\n"), "err - [no]\nbad - 1 []\nover\n"},
	{"", S("+ Zg==\r\n"), "bad - 4 [Zg==]\nover\n"},
	{"", S("220 hi\r\n"), "bad - 3 [220 hi]\nover\n"},
	{"", S("\r\n"), "bad - 3 []\nover\n"},
	{"", S("+OK hi"), ""},
	/* Nobody has said anything that this could answer. */
	{"", S(HI "x"), HEARD "bad - 1 []\nover\n"},
	{"", S(HI HI), HEARD "bad - 1 []\nover\n"},
};

static const struct session_case lines[] = {
	{"STAT\n", S(HI "+OK 2 320\r\n"), HEARD "ok STAT [2 320]\n"},
	{"STAT\n", S(HI "+OK\r\n"), HEARD "ok STAT []\n"},
	{"STAT\n", S(HI "+Ok2 320\n"), HEARD "ok STAT [2 320]\n"},
	{"STAT\n", S(HI "+OK \t 2 320 \r\n"), HEARD "ok STAT [2 320 ]\n"},
	{"STAT\n", S(HI "+OK \0\x80\x1b[2J\r\n"), HEARD "ok STAT [~\x80\x1b[2J]\n"},
	{"DELE 7\n", S(HI "-ERR\r\n"), HEARD "err DELE 7 []\n"},
	{"DELE 7\n", S(HI "-err no\n"), HEARD "err DELE 7 [no]\n"},
	{"DELE 7\n", S(HI "-ERR:  no\r\n"), HEARD "err DELE 7 [:  no]\n"},
	{"NOOP\n", S(HI "+OK\r\r\n"), HEARD "ok NOOP [\r]\n"},
	{"NOOP\n", S(HI "OK\r\n"), HEARD "bad NOOP 3 [OK]\nover\n"},
	{"NOOP\n", S(HI "\r\n+OK\r\n"), HEARD "bad NOOP 3 []\nover\n"},
	{"NOOP\n", S(HI " +OK\r\n"), HEARD "bad NOOP 3 [ +OK]\nover\n"},
	{"NOOP\n", S(HI "+O\r\n+OK\r\n"), HEARD "bad NOOP 3 [+O]\nover\n"},
	{"NOOP\n", S(HI "-ER\r\n"), HEARD "bad NOOP 3 [-ER]\nover\n"},
	{"NOOP\n", S(HI "+ \r\n"), HEARD "bad NOOP 4 []\nover\n"},
	{"NOOP\n", S(HI "+OK\r\n+OK\r\n"), HEARD "ok NOOP []\nbad - 1 []\nover\n"},
	/* With a number LIST and UIDL have one line. */
	{"LIST 2\nUIDL 2\nNOOP\n", S(HI "+OK 2 200\r\n+OK 2 abc\r\n+OK\r\n"),
	 HEARD "ok LIST 2 [2 200]\nok UIDL 2 [2 abc]\nok NOOP []\n"},
	/* Every command whose reply is a line. */
	{"USER a b\nPASS  x \nAPOP a c4c9334bac560ecc979e58001b3e22fb\nSTAT\nDELE 1\nNOOP\nRSET\n",
	 S(HI "+OK 1\n+OK 2\n+OK 3\n+OK 4\n+OK 5\n+OK 6\n-ERR 7\n"),
	 HEARD "ok USER [1]\nok PASS [2]\nok APOP [3]\nok STAT [4]\nok DELE 1 [5]\nok NOOP [6]\n"
	       "err RSET [7]\n"},
};

static const struct session_case codes[] = {
	{"PASS x\n", S(HI "-ERR [IN-USE] x\r\n"), HEARD "err PASS code 1 [[IN-USE] x]\n"},
	{"PASS x\n", S(HI "-ERR [login-delay] x\r\n"), HEARD "err PASS code 2 [[login-delay] x]\n"},
	{"PASS x\n", S(HI "-ERR [SYS/TEMP] x\r\n"), HEARD "err PASS code 3 [[SYS/TEMP] x]\n"},
	{"PASS x\n", S(HI "-ERR [SYS/PERM]\r\n"), HEARD "err PASS code 4 [[SYS/PERM]]\n"},
	{"PASS x\n", S(HI "-ERR [AUTH] x\r\n"), HEARD "err PASS code 5 [[AUTH] x]\n"},
	{"PASS x\n", S(HI "+OK [AUTH]x\r\n"), HEARD "ok PASS code 5 [[AUTH]x]\n"},
	/* More detail means what less of it means. */
	{"PASS x\n", S(HI "-ERR [SYS/TEMP/DISK] x\r\n"),
	 HEARD "err PASS code 3 [[SYS/TEMP/DISK] x]\n"},
	/* Codes that nobody knows, and what is none. */
	{"PASS x\n", S(HI "-ERR [SYS] x\r\n"), HEARD "err PASS code? [[SYS] x]\n"},
	{"PASS x\n", S(HI "-ERR [SYS/TEMPO] x\r\n"), HEARD "err PASS code? [[SYS/TEMPO] x]\n"},
	{"PASS x\n", S(HI "-ERR [X-OWN] x\r\n"), HEARD "err PASS code? [[X-OWN] x]\n"},
	{"PASS x\n", S(HI "-ERR [] x\r\n"), HEARD "err PASS [[] x]\n"},
	{"PASS x\n", S(HI "-ERR [IN-USE x\r\n"), HEARD "err PASS [[IN-USE x]\n"},
	{"PASS x\n", S(HI "-ERR [IN USE] x\r\n"), HEARD "err PASS [[IN USE] x]\n"},
	{"PASS x\n", S(HI "-ERR [AUTH\x7f] x\r\n"), HEARD "err PASS [[AUTH\x7f] x]\n"},
	{"PASS x\n", S(HI "-ERR [AUTH\x80] x\r\n"), HEARD "err PASS [[AUTH\x80] x]\n"},
	{"PASS x\n", S(HI "-ERR x [AUTH]\r\n"), HEARD "err PASS [x [AUTH]]\n"},
	{"PASS x\n", S(HI "-ERR AUTH]\r\n"), HEARD "err PASS [AUTH]]\n"},
};

static const struct session_case listings[] = {
	{"LIST\nNOOP\n", S(HI "+OK 2\r\n1 120\r\n2 200\r\n.\r\n+OK\r\n"),
	 HEARD "ok LIST lines [2]\nline [1 120] 7\nline [2 200] 14\nend LIST 14\nok NOOP []\n"},
	{"UIDL\nNOOP\n", S(HI "+OK\r\n1 a b\x80\r\n.\r\n+OK\r\n"),
	 HEARD "ok UIDL lines []\nline [1 a b\x80] 8\nend UIDL 8\nok NOOP []\n"},
	{"CAPA\nNOOP\n", S(HI "+OK\r\nTOP\r\nSASL PLAIN\r\n.\r\n+OK\r\n"),
	 HEARD "ok CAPA lines []\nline [TOP] 5\nline [SASL PLAIN] 17\nend CAPA 17\nok NOOP []\n"},
	{"AUTH\nNOOP\n", S(HI "+OK\r\nPLAIN\r\n.\r\n+OK\r\n"),
	 HEARD "ok AUTH lines []\nline [PLAIN] 7\nend AUTH 7\nok NOOP []\n"},
	{"LIST\nNOOP\n", S(HI "+OK\r\n.\r\n+OK\r\n"),
	 HEARD "ok LIST lines []\nend LIST 0\nok NOOP []\n"},
	/* A refusal is one line. */
	{"LIST\nNOOP\n", S(HI "-ERR\r\n+OK\r\n"), HEARD "err LIST []\nok NOOP []\n"},
	{"CAPA\nNOOP\n", S(HI "-ERR what?\r\n+OK\r\n"), HEARD "err CAPA [what?]\nok NOOP []\n"},
	{"AUTH\nNOOP\n", S(HI "-ERR\r\n+OK\r\n"), HEARD "err AUTH []\nok NOOP []\n"},
	/* Line ends without CR, and lines that look like replies or nothing. */
	{"LIST\nNOOP\n", S(HI "+OK\n1 120\n.\n+OK\n"),
	 HEARD "ok LIST lines []\nline [1 120] 6\nend LIST 6\nok NOOP []\n"},
	{"LIST\n", S(HI "+OK\r\n-ERR\r\n\r\n+OK\r\n"),
	 HEARD "ok LIST lines []\nline [-ERR] 6\nline [] 8\nline [+OK] 13\n"},
	/* Stuffed dots and others. */
	{"CAPA\n", S(HI "+OK\r\n..\r\n...a\r\n.b\r\n. \r\n.\r\n"),
	 HEARD
	 "ok CAPA lines []\nline [.] 3\nline [..a] 8\nline [.b] 12\nline [. ] 16\nend CAPA 16\n"},
	{"AUTH\n", S(HI "+ \r\n"), HEARD "bad AUTH 4 []\nover\n"},
	{"LIST\n", S(HI "+OK\r\n1 120\r\n."), HEARD "ok LIST lines []\nline [1 120] 7\n"},
	{"LIST\n", S(HI "+OK\r\n.\r\n.\r\n"),
	 HEARD "ok LIST lines []\nend LIST 0\nbad - 1 []\nover\n"},
};

static const struct session_case messages[] = {
	{"RETR 3\nNOOP\n", S(HI "+OK 4 octets\r\nab\r\n.\r\n+OK\r\n"),
	 HEARD "ok RETR 3 lines [4 octets]\ntext [ab\r\n]\nend RETR 3 4\nok NOOP []\n"},
	{"TOP 3 0\nNOOP\n", S(HI "+OK\r\na: b\r\n\r\n.\r\n+OK\r\n"),
	 HEARD "ok TOP 3 lines []\ntext [a: b\r\n\r\n]\nend TOP 3 8\nok NOOP []\n"},
	{"RETR 3\nNOOP\n", S(HI "+OK\r\n.\r\n+OK\r\n"),
	 HEARD "ok RETR 3 lines []\nend RETR 3 0\nok NOOP []\n"},
	{"RETR 3\nRETR 4\n", S(HI "-ERR gone\r\n+OK\n..a\r\n.\r\n"),
	 HEARD "err RETR 3 [gone]\nok RETR 4 lines []\ntext [.a\r\n]\nend RETR 4 4\n"},
	/* Octets are kept, and only CRLF "." CRLF is the end. */
	{"RETR 3\nNOOP\n", S(HI "+OK\r\na\0\x80\rb\n.\n.\r\n..\r\n+OK\r\n.\r\n+OK\r\n"),
	 HEARD "ok RETR 3 lines []\ntext [a~\x80\rb\n.\n.\r\n.\r\n+OK\r\n]\n"
	       "end RETR 3 19\nok NOOP []\n"},
	/* One message after the other, each with its own beginning. */
	{"RETR 1\nRETR 2\nRETR 3\n", S(HI "+OK\r\na\r\n.\r\n+OK\r\n.\r\n+OK\r\nc\r\n.\r\n"),
	 HEARD "ok RETR 1 lines []\ntext [a\r\n]\nend RETR 1 3\nok RETR 2 lines []\nend RETR 2 0\n"
	       "ok RETR 3 lines []\ntext [c\r\n]\nend RETR 3 3\n"},
	/* Broken off: no end. */
	{"RETR 3\n", S(HI "+OK\r\nab\r\n.\r"), HEARD "ok RETR 3 lines []\ntext [ab\r\n]\n"},
	{"RETR 3\n", S(HI "+OK\r\nab\r\n.\r\n.\r\n"),
	 HEARD "ok RETR 3 lines []\ntext [ab\r\n]\nend RETR 3 4\nbad - 1 []\nover\n"},
};

static const struct session_case exchanges[] = {
	{"AUTH PLAIN Zg==\nSTAT\n", S(HI "+OK in\r\n+OK 0 0\r\n"),
	 HEARD "ok AUTH [in]\nok STAT [0 0]\n"},
	{"AUTH LOGIN\nSTAT\n", S(HI "+ VXNlcjo=\r\n+ UGFzczo=\r\n+OK\r\n+OK 0 0\r\n"),
	 HEARD "challenge AUTH [VXNlcjo=]\nchallenge AUTH [UGFzczo=]\nok AUTH []\nok STAT [0 0]\n"},
	{"AUTH PLAIN\n", S(HI "+\r\n-ERR [AUTH] no\r\n"),
	 HEARD "challenge AUTH []\nerr AUTH code 5 [[AUTH] no]\n"},
	{"AUTH PLAIN\n", S(HI "+ \n-ERR no\n"), HEARD "challenge AUTH []\nerr AUTH [no]\n"},
	{"AUTH PLAIN\n", S(HI "+\tZg==\r\n"), HEARD "challenge AUTH [Zg==]\n"},
	{"AUTH PLAIN\n", S(HI "+Zg==\r\n"), HEARD "bad AUTH 3 [+Zg==]\nover\n"},
	{"AUTH PLAIN\n", S(HI "-ERR no such mechanism\r\n"),
	 HEARD "err AUTH [no such mechanism]\n"},
	{"STLS\n", S(HI "+OK begin\r\n"), HEARD "ok STLS [begin]\nsecured\n"},
	{"STLS\nCAPA\n", S(HI "-ERR no\r\n-ERR\r\n"), HEARD "err STLS [no]\nerr CAPA []\n"},
	{"NOOP\nQUIT\n", S(HI "+OK\r\n+OK bye\r\n"), HEARD "ok NOOP []\nok QUIT [bye]\nover\n"},
	{"QUIT\n", S(HI "-ERR some messages not removed\r\n"),
	 HEARD "err QUIT [some messages not removed]\nover\n"},
	{"QUIT\n", S(HI "+OK\r\n+OK\r\n"), HEARD "ok QUIT []\nbad - 1 []\nover\n"},
};

/* Commands go out as early as they may; what is not SENT is tried again later. */
static void send_more(struct pop3_client *c, struct span *commands)
{
	char memory[LIMIT_POP3_COMMAND];

	while (commands->n > 0) {
		struct out out = {.p = memory, .cap = sizeof(memory)};
		const size_t n = span_find(*commands, '\n');
		struct pop3_command command;

		if (pop3_command_parse(span_of(commands->p, n), POP3_AUTHORIZATION, &command) !=
		    POP3_COMMAND_OK)
			assert_int_equal(pop3_command_parse(span_of(commands->p, n),
							    POP3_TRANSACTION, &command),
					 POP3_COMMAND_OK);

		const enum pop3_client_sent sent = pop3_client_send(c, &command, &out);

		if (sent != POP3_CLIENT_SENT) {
			assert_true(sent == POP3_CLIENT_WAIT || sent == POP3_CLIENT_OVER);
			assert_int_equal(out.n, 0);
			return;
		}
		/* The server reads what was meant. */
		assert_int_equal(out.n, n + 2);
		assert_memory_equal(memory, commands->p, n);
		assert_memory_equal(memory + n, "\r\n", 2);
		span_skip(commands, n + 1);
	}
}

static void put(struct out *out, struct span s)
{
	assert_true(out_put(out, s));
}

static void put_event(struct out *out, enum pop3_client_status status,
		      const struct pop3_client_event *e)
{
	static const char *const names[POP3_CLIENT_STATUSES] = {
		[POP3_CLIENT_GREETING] = "greeting", [POP3_CLIENT_OK] = "ok",
		[POP3_CLIENT_ERR] = "err",           [POP3_CLIENT_CHALLENGE] = "challenge",
		[POP3_CLIENT_LINE] = "line",         [POP3_CLIENT_END] = "end",
		[POP3_CLIENT_BAD] = "bad",
	};
	const bool listed = status == POP3_CLIENT_LINE;

	put(out, span_str(names[status]));
	if (status != POP3_CLIENT_GREETING && !listed) {
		put(out, S(" "));
		put(out,
		    e->verb == POP3_VERBS ? S("-") : span_str(pop3_command_row(e->verb)->name));
	}
	if (e->number != 0 && !listed) {
		put(out, S(" "));
		assert_true(out_u64(out, e->number));
	}
	if (e->lines)
		put(out, S(" lines"));
	if (e->code != POP3_CODE_NONE) {
		put(out, S(" code "));
		assert_true(out_u64(out, e->code));
		assert_true(e->code_text.n > 0);
	} else if (e->code_text.n > 0) {
		put(out, S(" code?"));
	}
	if (status == POP3_CLIENT_BAD) {
		put(out, S(" "));
		assert_true(out_u64(out, e->reason));
	}
	if (status != POP3_CLIENT_END) {
		put(out, S(" ["));
		put(out, e->text);
		put(out, S("]"));
	}
	if (status == POP3_CLIENT_END || listed) {
		put(out, S(" "));
		assert_true(out_u64(out, e->octets));
	}
	if (e->timestamp.n > 0) {
		put(out, S(" "));
		put(out, e->timestamp);
	}
	put(out, S("\n"));
}

/* As a caller does it: what is left of one read stands in front of the next. */
struct session {
	struct pop3_client client;
	struct span commands;
	struct out events;
	uint64_t text_octets; /* of the message; UINT64_MAX outside of one */
};

static void text_begins(struct session *s)
{
	if (s->text_octets == 0)
		put(&s->events, S("text ["));
}

static void text_ends(struct session *s)
{
	if (s->text_octets > 0)
		put(&s->events, S("]\n"));
	s->text_octets = 0;
}

static void react(struct session *s, enum pop3_client_status status,
		  const struct pop3_client_event *e, struct span left)
{
	char memory[8];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	if (status == POP3_CLIENT_CHALLENGE) {
		assert_int_equal(pop3_client_respond(&s->client, S("Zg=="), &out),
				 POP3_CLIENT_SENT);
		assert_true(span_eq(out_span(&out), S("Zg==\r\n")));
	}
	if (status == POP3_CLIENT_OK && e->verb == POP3_STLS) {
		assert_true(pop3_client_tls(&s->client, left));
		put(&s->events, S("secured\n"));
	}
	send_more(&s->client, &s->commands);
}

static void read_events(struct session *s, struct span *in)
{
	enum pop3_client_status status;
	struct pop3_client_event e;

	while ((status = pop3_client_read(&s->client, in, &e)) != POP3_CLIENT_MORE) {
		if (status == POP3_CLIENT_TEXT) {
			assert_true(e.text.n > 0);
			text_begins(s);
			put(&s->events, e.text);
			s->text_octets += e.text.n;
			assert_int_equal(e.octets, s->text_octets);
			continue;
		}
		text_ends(s);
		put_event(&s->events, status, &e);
		if (status == POP3_CLIENT_BAD)
			return;
		react(s, status, &e, *in);
	}
	assert_int_equal(e.verb, s->client._count > 0 ? s->client._ahead[s->client._first].verb
						      : POP3_VERBS);
}

static void check(const struct session_case *c, size_t way)
{
	char memory[1024];
	struct session s = {
		.commands = span_str(c->commands),
		.events = {.p = memory, .cap = sizeof(memory)},
	};
	struct cuts cuts = cuts_begin(c->stream, way);
	char *held = NULL;
	size_t held_n = 0;
	struct span piece;

	send_more(&s.client, &s.commands);
	while (cuts_next(&cuts, &piece)) {
		char *const all = malloc(held_n + piece.n);

		assert_non_null(all);
		if (held_n > 0)
			memcpy(all, held, held_n);
		memcpy(all + held_n, piece.p, piece.n);
		free(held);
		held = all;

		struct span in = span_of(all, held_n + piece.n);

		if (s.client._reason == POP3_CLIENT_NO_REASON)
			read_events(&s, &in);
		held_n = in.n;
		memmove(all, in.p, in.n);
	}
	free(held);
	text_ends(&s);
	if (pop3_client_over(&s.client))
		put(&s.events, S("over\n"));

	for (size_t i = 0; i < s.events.n; i++)
		memory[i] = memory[i] == '\0' ? '~' : memory[i];
	put(&s.events, S("\0"));
	assert_string_equal(memory, c->events);
}

static void check_all(const struct session_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t way = 0; way < cuts_ways(cases[i].stream); way++)
			check(&cases[i], way);
	}
}

#define CHECK(name, cases)                                            \
	static void name(void **state)                                \
	{                                                             \
		(void)state;                                          \
		check_all(cases, sizeof(cases) / sizeof((cases)[0])); \
	}

CHECK(a_greeting_is_read, greetings)
CHECK(replies_of_one_line_are_read, lines)
CHECK(response_codes_are_read, codes)
CHECK(listings_are_read, listings)
CHECK(messages_are_read, messages)
CHECK(exchanges_are_read, exchanges)

/* A client that has heard the greeting. */
static struct pop3_client greeted(void)
{
	struct pop3_client c = {0};
	struct span in = S(HI);
	struct pop3_client_event e;

	assert_int_equal(pop3_client_read(&c, &in, &e), POP3_CLIENT_GREETING);
	return c;
}

static enum pop3_client_sent send(struct pop3_client *c, enum pop3_verb verb)
{
	char memory[LIMIT_POP3_COMMAND];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	return pop3_client_send(c, &(struct pop3_command){.verb = verb, .number = 1}, &out);
}

static enum pop3_client_status hear(struct pop3_client *c, struct span in)
{
	struct pop3_client_event e;

	return pop3_client_read(c, &in, &e);
}

/* A line of exactly as many octets as are allowed is read, and one more is too many. */
static void long_lines_are_bad(void **state)
{
	static const struct {
		size_t n; /* with CRLF */
		enum pop3_client_status status;
	} cases[] = {
		{LIMIT_POP3_REPLY, POP3_CLIENT_OK},
		{LIMIT_POP3_REPLY + 1, POP3_CLIENT_BAD},
	};
	char memory[LIMIT_POP3_REPLY + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pop3_client c = greeted();
		struct span in = span_of(memory, cases[i].n);
		struct pop3_client_event e;

		memset(memory, 'x', sizeof(memory));
		memcpy(memory, "+OK ", 4);
		memcpy(memory + cases[i].n - 2, "\r\n", 2);
		assert_int_equal(send(&c, POP3_NOOP), POP3_CLIENT_SENT);
		assert_int_equal(pop3_client_read(&c, &in, &e), cases[i].status);
		if (cases[i].status == POP3_CLIENT_BAD)
			assert_int_equal(e.reason, POP3_CLIENT_LONG_LINE);
	}
}

/* It is noticed when the buffer is full, not when memory is. */
static void a_line_without_end_is_bad_in_time(void **state)
{
	char memory[LIMIT_POP3_REPLY];
	struct pop3_client c = greeted();

	(void)state;
	memset(memory, 'x', sizeof(memory));
	assert_int_equal(send(&c, POP3_LIST), POP3_CLIENT_SENT);
	assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
	assert_int_equal(hear(&c, span_of(memory, sizeof(memory) - 1)), POP3_CLIENT_MORE);
	assert_int_equal(hear(&c, span_of(memory, sizeof(memory))), POP3_CLIENT_BAD);
}

/* Whatever comes later, and nothing is sent any more. */
static void bad_is_final(void **state)
{
	struct pop3_client c = greeted();
	char memory[64];
	struct out out = {.p = memory, .cap = sizeof(memory)};
	struct span in = S("+OK\r\n");
	struct pop3_client_event e;

	(void)state;
	assert_int_equal(send(&c, POP3_STAT), POP3_CLIENT_SENT);
	assert_false(pop3_client_over(&c));
	assert_int_equal(hear(&c, S("what?\r\n")), POP3_CLIENT_BAD);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pop3_client_read(&c, &in, &e), POP3_CLIENT_BAD);
		assert_int_equal(e.reason, POP3_CLIENT_NO_REPLY);
		assert_int_equal(e.verb, POP3_STAT);
		assert_int_equal(in.n, 5);
	}
	assert_true(pop3_client_over(&c));
	assert_int_equal(send(&c, POP3_QUIT), POP3_CLIENT_OVER);
	assert_int_equal(pop3_client_respond(&c, S(""), &out), POP3_CLIENT_OVER);
}

static void nothing_is_sent_before_the_greeting(void **state)
{
	struct pop3_client c = {0};

	(void)state;
	assert_int_equal(send(&c, POP3_CAPA), POP3_CLIENT_WAIT);
	assert_int_equal(hear(&c, S(HI)), POP3_CLIENT_GREETING);
	assert_int_equal(send(&c, POP3_CAPA), POP3_CLIENT_SENT);
}

static void so_many_commands_go_ahead(void **state)
{
	struct pop3_client c = greeted();

	(void)state;
	/* More than once round the ring. */
	for (unsigned round = 0; round < 3; round++) {
		while (pop3_client_ahead(&c) < POP3_CLIENT_AHEAD_MAX)
			assert_int_equal(send(&c, POP3_DELE), POP3_CLIENT_SENT);
		assert_int_equal(send(&c, POP3_DELE), POP3_CLIENT_WAIT);
		for (unsigned i = 0; i < 40; i++)
			assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
		assert_int_equal(pop3_client_ahead(&c), POP3_CLIENT_AHEAD_MAX - 40);
	}
}

/* Commands go out while a reply is read, too. */
static void commands_go_ahead_in_the_middle_of_a_reply(void **state)
{
	struct pop3_client c = greeted();

	(void)state;
	assert_int_equal(send(&c, POP3_RETR), POP3_CLIENT_SENT);
	assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
	assert_int_equal(send(&c, POP3_UIDL), POP3_CLIENT_SENT);
	assert_int_equal(pop3_client_ahead(&c), 2);
	assert_int_equal(hear(&c, S(".\r\n")), POP3_CLIENT_END);
	assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
	assert_int_equal(send(&c, POP3_DELE), POP3_CLIENT_SENT);
	assert_int_equal(hear(&c, S(".\r\n")), POP3_CLIENT_END);
	assert_int_equal(pop3_client_ahead(&c), 1);
}

static void nothing_goes_behind_what_must_be_last(void **state)
{
	static const struct pop3_command last[] = {
		{.verb = POP3_QUIT},
		{.verb = POP3_STLS},
		{.verb = POP3_AUTH, .mechanism = {"LOGIN", 5}},
	};
	char memory[64];

	(void)state;
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
		struct pop3_client c = greeted();
		struct out out = {.p = memory, .cap = sizeof(memory)};

		/* In front of it is fine. */
		assert_int_equal(send(&c, POP3_NOOP), POP3_CLIENT_SENT);
		assert_int_equal(pop3_client_send(&c, &last[i], &out), POP3_CLIENT_SENT);
		assert_int_equal(send(&c, POP3_NOOP), POP3_CLIENT_WAIT);
		assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
		assert_int_equal(send(&c, POP3_NOOP), POP3_CLIENT_WAIT);
	}
}

static void a_challenge_waits_for_its_response(void **state)
{
	const struct pop3_command login = {.verb = POP3_AUTH, .mechanism = {"LOGIN", 5}};
	static char memory[LIMIT_SASL_LINE], base64[LIMIT_SASL_LINE];
	struct out out = {.p = memory, .cap = sizeof(memory)};
	struct pop3_client c = greeted();

	(void)state;
	memset(base64, 'A', sizeof(base64));
	assert_int_equal(pop3_client_respond(&c, S("QQ=="), &out), POP3_CLIENT_WAIT);
	assert_int_equal(pop3_client_send(&c, &login, &out), POP3_CLIENT_SENT);
	assert_int_equal(pop3_client_respond(&c, S("QQ=="), &out), POP3_CLIENT_WAIT);
	assert_int_equal(hear(&c, S("+ \r\n")), POP3_CLIENT_CHALLENGE);
	assert_int_equal(send(&c, POP3_NOOP), POP3_CLIENT_WAIT);
	assert_int_equal(pop3_client_respond(&c, S("QQ==\n"), &out), POP3_CLIENT_BAD_ARGUMENT);
	assert_int_equal(pop3_client_respond(&c, S("Q Q="), &out), POP3_CLIENT_BAD_ARGUMENT);
	out.n = 0;
	assert_int_equal(pop3_client_respond(&c, span_of(base64, LIMIT_SASL_LINE - 1), &out),
			 POP3_CLIENT_TOO_LONG);
	out.cap--;
	assert_int_equal(pop3_client_respond(&c, span_of(base64, LIMIT_SASL_LINE - 2), &out),
			 POP3_CLIENT_NO_ROOM);
	assert_int_equal(out.n, 0);
	out.cap++;
	assert_int_equal(pop3_client_respond(&c, span_of(base64, LIMIT_SASL_LINE - 2), &out),
			 POP3_CLIENT_SENT);
	assert_int_equal(out.n, LIMIT_SASL_LINE);
	assert_int_equal(hear(&c, S("+ \r\n")), POP3_CLIENT_CHALLENGE);
	out.n = 0;
	assert_int_equal(pop3_client_respond(&c, S(""), &out), POP3_CLIENT_SENT);
	assert_true(span_eq(out_span(&out), S("\r\n")));
	/* Who goes on before the response has come answers something else. */
	assert_int_equal(hear(&c, S("+ \r\n")), POP3_CLIENT_CHALLENGE);
	assert_int_equal(hear(&c, S("+ \r\n")), POP3_CLIENT_BAD);
}

static void octets_between_stls_and_tls_are_an_injection(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pop3_client c = greeted();
		struct span in = S("+OK\r\n+OK you are in\r\n");
		struct pop3_client_event e;

		assert_int_equal(send(&c, POP3_STLS), POP3_CLIENT_SENT);
		assert_int_equal(pop3_client_read(&c, &in, &e), POP3_CLIENT_OK);
		/* Whether the caller asks, or reads on. */
		if (i == 0)
			assert_false(pop3_client_tls(&c, in));
		assert_int_equal(pop3_client_read(&c, &in, &e), POP3_CLIENT_BAD);
		assert_int_equal(e.reason, POP3_CLIENT_INJECTED);
	}
}

static void after_tls_the_session_goes_on(void **state)
{
	struct pop3_client c = greeted();

	(void)state;
	assert_int_equal(send(&c, POP3_STLS), POP3_CLIENT_SENT);
	assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
	assert_int_equal(send(&c, POP3_CAPA), POP3_CLIENT_WAIT);
	assert_true(pop3_client_tls(&c, S("")));
	assert_int_equal(send(&c, POP3_CAPA), POP3_CLIENT_SENT);
	assert_int_equal(hear(&c, S("+OK\r\n")), POP3_CLIENT_OK);
}

static void every_reason_has_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POP3_CLIENT_REASONS; i++) {
		const char *const text = pop3_client_reason_text((enum pop3_client_reason)i);

		assert_true(text != NULL && text[0] != '\0');
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(
				text, pop3_client_reason_text((enum pop3_client_reason)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greeting_is_read),
		cmocka_unit_test(replies_of_one_line_are_read),
		cmocka_unit_test(response_codes_are_read),
		cmocka_unit_test(listings_are_read),
		cmocka_unit_test(messages_are_read),
		cmocka_unit_test(exchanges_are_read),
		cmocka_unit_test(long_lines_are_bad),
		cmocka_unit_test(a_line_without_end_is_bad_in_time),
		cmocka_unit_test(bad_is_final),
		cmocka_unit_test(nothing_is_sent_before_the_greeting),
		cmocka_unit_test(so_many_commands_go_ahead),
		cmocka_unit_test(commands_go_ahead_in_the_middle_of_a_reply),
		cmocka_unit_test(nothing_goes_behind_what_must_be_last),
		cmocka_unit_test(a_challenge_waits_for_its_response),
		cmocka_unit_test(octets_between_stls_and_tls_are_an_injection),
		cmocka_unit_test(after_tls_the_session_goes_on),
		cmocka_unit_test(every_reason_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
