/* SPDX-License-Identifier: MIT */
/* What the server's codec writes, read by the client's, cut at every octet. */
#include "codec/pop3/pop3_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "codec/dot.h"
#include "codec/pop3/pop3_capabilities.h"
#include "codec/pop3/pop3_listing.h"
#include "codec/sasl/sasl_frame.h"
#include "cuts.h"

#define S(text) SPAN_LIT(text)
#define UIDL "0123456789012345678901234567890123456789012345678901234567890123456789"

/* A command that was sent, what the server has written, and how the client reads it. */
struct exchange {
	struct pop3_client client;
	char memory[2048];
	struct out server;
	struct cuts cuts;
	char held[2048];
	struct span in; /* of held: what the client has not used */
};

static void begin(struct exchange *x, const struct pop3_command *command)
{
	char memory[LIMIT_POP3_COMMAND];
	struct out out = {.p = memory, .cap = sizeof(memory)};
	struct span greeting = S("+OK\r\n");
	struct pop3_client_event e;

	*x = (struct exchange){.server = {.cap = sizeof(x->memory)}};
	x->server.p = x->memory;
	assert_int_equal(pop3_client_read(&x->client, &greeting, &e), POP3_CLIENT_GREETING);
	assert_int_equal(pop3_client_send(&x->client, command, &out), POP3_CLIENT_SENT);
}

/* The next event; MORE when the server's octets are at an end. */
static enum pop3_client_status next(struct exchange *x, struct pop3_client_event *e)
{
	for (;;) {
		const enum pop3_client_status status = pop3_client_read(&x->client, &x->in, e);
		struct span piece;

		if (status != POP3_CLIENT_MORE || !cuts_next(&x->cuts, &piece))
			return status;
		memmove(x->held, x->in.p, x->in.n);
		memcpy(x->held + x->in.n, piece.p, piece.n);
		x->in = span_of(x->held, x->in.n + piece.n);
	}
}

static void finish(struct exchange *x)
{
	struct pop3_client_event e;

	assert_int_equal(next(x, &e), POP3_CLIENT_MORE);
	assert_int_equal(x->in.n, 0);
	assert_int_equal(pop3_client_ahead(&x->client), 0);
	assert_false(pop3_client_over(&x->client));
}

typedef void write_function(struct out *out);
typedef void read_function(struct exchange *x);

/* Each way of cutting what is written. */
static void both(const struct pop3_command *command, write_function *write, read_function *read)
{
	for (size_t way = 0, ways = 1; way < ways; way++) {
		struct exchange x;

		begin(&x, command);
		write(&x.server);
		ways = cuts_ways(out_span(&x.server));
		x.cuts = cuts_begin(out_span(&x.server), way);
		x.in = span_of(x.held, 0);
		read(&x);
		finish(&x);
	}
}

static void write_stat(struct out *out)
{
	assert_true(pop3_reply_stat(out, UINT32_MAX, UINT64_MAX));
}

static void read_stat(struct exchange *x)
{
	struct pop3_client_event e;
	uint32_t count;
	uint64_t octets;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	assert_true(pop3_listing_stat(e.text, &count, &octets));
	assert_int_equal(count, UINT32_MAX);
	assert_true(octets == UINT64_MAX);
}

static void write_sizes(struct out *out)
{
	assert_true(pop3_reply_list_begin(out, POP3_LANGUAGE_EN, 2, UINT64_C(5000000001)));
	assert_true(pop3_reply_list_line(out, 1, 1));
	assert_true(pop3_reply_list_line(out, 3, UINT64_C(5000000000)));
	assert_true(pop3_reply_end(out));
}

static void read_sizes(struct exchange *x)
{
	struct pop3_client_event e;
	uint32_t number;
	uint64_t octets;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	assert_true(e.lines);
	assert_int_equal(next(x, &e), POP3_CLIENT_LINE);
	assert_true(pop3_listing_size(e.text, &number, &octets));
	assert_int_equal(number, 1);
	assert_int_equal(octets, 1);
	assert_int_equal(next(x, &e), POP3_CLIENT_LINE);
	assert_true(pop3_listing_size(e.text, &number, &octets));
	assert_int_equal(number, 3);
	assert_true(octets == UINT64_C(5000000000));
	assert_int_equal(next(x, &e), POP3_CLIENT_END);
}

static void write_one_size(struct out *out)
{
	assert_true(pop3_reply_list_one(out, 7, UINT64_MAX));
}

static void read_one_size(struct exchange *x)
{
	struct pop3_client_event e;
	uint32_t number;
	uint64_t octets;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	assert_false(e.lines);
	assert_true(pop3_listing_size(e.text, &number, &octets));
	assert_int_equal(number, 7);
	assert_true(octets == UINT64_MAX);
}

static void write_uidls(struct out *out)
{
	assert_true(pop3_reply_ok(out, S("")));
	assert_true(pop3_reply_uidl_line(out, UINT32_MAX, S(UIDL)));
	assert_true(pop3_reply_end(out));
}

static void read_uidls(struct exchange *x)
{
	struct pop3_client_event e;
	uint32_t number;
	struct span uidl;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	assert_int_equal(next(x, &e), POP3_CLIENT_LINE);
	assert_true(pop3_listing_uidl(e.text, &number, &uidl));
	assert_int_equal(number, UINT32_MAX);
	assert_true(span_eq(uidl, S(UIDL)));
	assert_int_equal(next(x, &e), POP3_CLIENT_END);
}

static void write_one_uidl(struct out *out)
{
	assert_true(pop3_reply_uidl_one(out, 7, S("!~")));
}

static void read_one_uidl(struct exchange *x)
{
	struct pop3_client_event e;
	uint32_t number;
	struct span uidl;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	assert_true(pop3_listing_uidl(e.text, &number, &uidl));
	assert_int_equal(number, 7);
	assert_true(span_eq(uidl, S("!~")));
}

static void listings_arrive(void **state)
{
	const struct pop3_command one_size = {.verb = POP3_LIST, .has_number = true, .number = 7};
	const struct pop3_command one_uidl = {.verb = POP3_UIDL, .has_number = true, .number = 7};

	(void)state;
	both(&(struct pop3_command){.verb = POP3_STAT}, write_stat, read_stat);
	both(&(struct pop3_command){.verb = POP3_LIST}, write_sizes, read_sizes);
	both(&one_size, write_one_size, read_one_size);
	both(&(struct pop3_command){.verb = POP3_UIDL}, write_uidls, read_uidls);
	both(&one_uidl, write_one_uidl, read_one_uidl);
}

static enum pop3_code code;

static void write_err(struct out *out)
{
	assert_true(pop3_reply_err(out, code, S("no [really]")));
}

static void read_err(struct exchange *x)
{
	struct pop3_client_event e;

	assert_int_equal(next(x, &e), POP3_CLIENT_ERR);
	assert_int_equal(e.code, code);
	assert_true(span_eq(e.code_text, span_str(pop3_code_name(code))));
}

static void every_code_arrives(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POP3_CODES; i++) {
		code = (enum pop3_code)i;
		both(&(struct pop3_command){.verb = POP3_PASS}, write_err, read_err);
	}
}

static const struct pop3_capa facts[] = {
	{.state = POP3_AUTHORIZATION, .login_delay = 900, .expire_days = 30, .by_user = true},
	{.state = POP3_TRANSACTION, .login_delay = 60, .expire_days = 7},
	{.state = POP3_AUTHORIZATION},
	{.state = POP3_AUTHORIZATION,
	 .stls = true,
	 .user = true,
	 .sasl = {"PLAIN LOGIN SCRAM-SHA-256", 25},
	 .implementation = {"restante", 8}},
	{.state = POP3_TRANSACTION, .stls = true, .sasl = {"PLAIN", 5}},
};
static const struct pop3_capa *capa;

static void write_capa(struct out *out)
{
	assert_true(pop3_reply_capa(out, capa));
}

static void read_capa(struct exchange *x)
{
	struct pop3_capabilities c = {0};
	struct pop3_client_event e;
	enum pop3_client_status status;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	while ((status = next(x, &e)) == POP3_CLIENT_LINE)
		pop3_capabilities_take(&c, e.text);
	assert_int_equal(status, POP3_CLIENT_END);
	assert_true(c.top && c.uidl && c.resp_codes && c.auth_resp_code && c.pipelining);
	assert_int_equal(c.stls, capa->stls && capa->state == POP3_AUTHORIZATION);
	assert_int_equal(c.user, capa->user);
	assert_int_equal(c.sasl, capa->sasl.n > 0);
	assert_true(span_eq(span_of(c.sasl_mechanisms, c.sasl_mechanisms_n), capa->sasl));
	assert_true(span_eq(span_of(c.implementation, c.implementation_n), capa->implementation));
	assert_int_equal(c.login_delay, capa->login_delay != 0);
	assert_int_equal(c.login_delay_seconds, capa->login_delay);
	assert_int_equal(c.login_delay_user, capa->login_delay != 0 && capa->by_user);
	assert_true(c.expire);
	assert_int_equal(c.expire_days,
			 capa->expire_days == 0 ? POP3_EXPIRE_NEVER : capa->expire_days);
	assert_int_equal(c.expire_user, capa->expire_days != 0 && capa->by_user);
	assert_true(c.lang && c.utf8);
}

static void write_mechanisms(struct out *out)
{
	assert_true(pop3_reply_mechanisms(out, POP3_LANGUAGE_EN, capa->sasl));
}

static void read_mechanisms(struct exchange *x)
{
	struct pop3_capabilities c = {0};
	struct pop3_client_event e;
	enum pop3_client_status status;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	while ((status = next(x, &e)) == POP3_CLIENT_LINE)
		pop3_capabilities_take_mechanism(&c, e.text);
	assert_int_equal(status, POP3_CLIENT_END);
	assert_true(span_eq(span_of(c.sasl_mechanisms, c.sasl_mechanisms_n), capa->sasl));
}

static void capabilities_arrive(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		capa = &facts[i];
		both(&(struct pop3_command){.verb = POP3_CAPA}, write_capa, read_capa);
		both(&(struct pop3_command){.verb = POP3_AUTH}, write_mechanisms, read_mechanisms);
	}
}

/* As it is stored, and as it arrives. */
static const struct {
	struct span stored;
	struct span arrives;
} messages[] = {
	{S(""), S("")},
	{S("a: b\r\n\r\nc\r\n"), S("a: b\r\n\r\nc\r\n")},
	{S("a\nb\n"), S("a\r\nb\r\n")},
	{S("no end"), S("no end\r\n")},
	{S("ends in CR\r"), S("ends in CR\r\r\n")},
	{S(".\r\n"), S(".\r\n")},
	{S(".first\r\n..\r\n.\r\n...\r\n"), S(".first\r\n..\r\n.\r\n...\r\n")},
	{S("a\n.\n.b\n."), S("a\r\n.\r\n.b\r\n.\r\n")},
	{S("\r\n.\r\n+OK\r\n-ERR\r\n"), S("\r\n.\r\n+OK\r\n-ERR\r\n")},
	{S("a\0b\x80\xff\rc\r\r\n"), S("a\0b\x80\xff\rc\r\r\n")},
	{S("\r.\r\n\r.\r"), S("\r.\r\n\r.\r\r\n")},
};
static size_t message;

static void write_message(struct out *out)
{
	struct span in = messages[message].stored;
	struct dot_encoder d = {0};

	assert_true(pop3_reply_retr(out, POP3_LANGUAGE_EN, messages[message].arrives.n));
	dot_encode(&d, &in, out);
	assert_true(dot_encode_end(&d, out));
	assert_int_equal(d.octets, messages[message].arrives.n);
}

static void read_message(struct exchange *x)
{
	char memory[64];
	struct out out = {.p = memory, .cap = sizeof(memory)};
	struct pop3_client_event e;
	enum pop3_client_status status;

	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
	while ((status = next(x, &e)) == POP3_CLIENT_TEXT)
		assert_true(out_put(&out, e.text));
	assert_int_equal(status, POP3_CLIENT_END);
	assert_int_equal(e.octets, messages[message].arrives.n);
	assert_true(span_eq(out_span(&out), messages[message].arrives));
}

static void messages_arrive(void **state)
{
	const struct pop3_command retr = {.verb = POP3_RETR, .number = 1};
	const struct pop3_command top = {.verb = POP3_TOP, .number = 1, .lines = 9};

	(void)state;
	for (message = 0; message < sizeof(messages) / sizeof(messages[0]); message++) {
		both(&retr, write_message, read_message);
		both(&top, write_message, read_message);
	}
}

static void write_exchange(struct out *out)
{
	assert_true(sasl_frame_challenge(out, S("+ "), S("")));
	assert_true(sasl_frame_challenge(out, S("+ "), S("Password:")));
	assert_true(pop3_reply_ok(out, S("in")));
}

static void read_challenge(struct exchange *x, struct span want)
{
	char memory[64];
	struct out out = {.p = memory, .cap = sizeof(memory)};
	struct pop3_client_event e;

	assert_int_equal(next(x, &e), POP3_CLIENT_CHALLENGE);
	assert_int_equal(base64_decode(&out, e.text), BASE64_OK);
	assert_true(span_eq(out_span(&out), want));
	out.n = 0;
	assert_int_equal(pop3_client_respond(&x->client, S("Zg=="), &out), POP3_CLIENT_SENT);
}

static void read_exchange(struct exchange *x)
{
	struct pop3_client_event e;

	read_challenge(x, S(""));
	read_challenge(x, S("Password:"));
	assert_int_equal(next(x, &e), POP3_CLIENT_OK);
}

static void challenges_arrive(void **state)
{
	const struct pop3_command login = {.verb = POP3_AUTH, .mechanism = {"LOGIN", 5}};

	(void)state;
	both(&login, write_exchange, read_exchange);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings_arrive),     cmocka_unit_test(every_code_arrives),
		cmocka_unit_test(capabilities_arrive), cmocka_unit_test(messages_arrive),
		cmocka_unit_test(challenges_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
