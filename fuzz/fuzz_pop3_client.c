/* SPDX-License-Identifier: MIT */
/*
 * What a server may send a POP3 client, whatever it is. Octets of an input: the seed
 * of the cuts, how many commands (at most 15), an octet for each (verb and number),
 * then the server's. The events are the same however the stream is cut, a buffer of
 * LIMIT_POP3_REPLY octets is never stuck, and what is read of a line lies in it.
 */
#include "fuzz.h"

#include "codec/pop3/pop3_capabilities.h"
#include "codec/pop3/pop3_client.h"
#include "codec/pop3/pop3_listing.h"

/* A client that sends its commands as early as it may, and what it has been told. */
struct session {
	struct pop3_client client;
	struct span commands;
	char *trace; /* one event after the other */
	size_t n, max;
	uint64_t text_octets; /* of the message that is being read */
};

static void put(struct session *s, const void *p, size_t n)
{
	fuzz_need(n <= s->max - s->n);
	if (n > 0)
		memcpy(s->trace + s->n, p, n);
	s->n += n;
}

static void put_span(struct session *s, struct span span)
{
	const uint32_t n = (uint32_t)span.n;

	put(s, &n, sizeof(n));
	put(s, span.p, span.n);
}

/* All that the input can make a command of, but for what a caller may not ask. */
static struct pop3_command command_of(uint8_t c)
{
	struct pop3_command command = {
		.verb = (enum pop3_verb)(c % POP3_VERBS),
		.has_number = c & 0x10,
		.number = 1 + (c >> 5),
		.lines = c >> 5,
		.user = SPAN_LIT("user"),
		.password = SPAN_LIT(" pass word "),
		.digest = SPAN_LIT("c4c9334bac560ecc979e58001b3e22fb"),
	};

	if (command.verb == POP3_AUTH && c & 0x20)
		command.mechanism = SPAN_LIT("PLAIN");
	command.has_initial = c & 0x40;
	command.initial = SPAN_LIT("=");
	return command;
}

static void send_more(struct session *s)
{
	char memory[LIMIT_POP3_COMMAND];

	while (s->commands.n > 0) {
		struct out out = {.p = memory, .cap = sizeof(memory)};
		const struct pop3_command command = command_of((uint8_t)s->commands.p[0]);
		const enum pop3_client_sent sent = pop3_client_send(&s->client, &command, &out);

		if (sent == POP3_CLIENT_WAIT || sent == POP3_CLIENT_OVER)
			return;
		fuzz_need(sent == POP3_CLIENT_SENT);
		fuzz_need(out.n > 2 && span_find(out_span(&out), '\n') == out.n - 1);
		span_skip(&s->commands, 1);
	}
}

static void parse(const struct pop3_client_event *e)
{
	struct pop3_capabilities capabilities = {0};
	uint32_t number;
	uint64_t octets;
	struct span uidl;

	(void)pop3_listing_stat(e->text, &number, &octets);
	if (pop3_listing_size(e->text, &number, &octets))
		fuzz_need(number > 0);
	if (pop3_listing_uidl(e->text, &number, &uidl)) {
		fuzz_need(number > 0);
		fuzz_need_inside(uidl, e->text);
	}
	pop3_capabilities_take(&capabilities, e->text);
	pop3_capabilities_take_mechanism(&capabilities, e->text);
	fuzz_need(capabilities.sasl_mechanisms_n <= POP3_CAPABILITIES_SASL_MAX);
	fuzz_need(capabilities.implementation_n <= POP3_CAPABILITIES_IMPLEMENTATION_MAX);
}

static void put_event(struct session *s, enum pop3_client_status status,
		      const struct pop3_client_event *e)
{
	const uint64_t numbers[] = {status,  e->verb,   e->number, e->lines,
				    e->code, e->octets, e->reason};

	put(s, numbers, sizeof(numbers));
	put_span(s, e->code_text);
	put_span(s, e->text);
	put_span(s, e->timestamp);
}

static void got_text(struct session *s, const struct pop3_client_event *e)
{
	fuzz_need(e->text.n > 0);
	s->text_octets += e->text.n;
	fuzz_need(e->octets == s->text_octets);
	put(s, e->text.p, e->text.n);
}

static void got_event(struct session *s, enum pop3_client_status status,
		      const struct pop3_client_event *e, struct span input)
{
	char memory[8];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	fuzz_need_inside(e->text, input);
	fuzz_need_inside(e->code_text, e->text);
	fuzz_need_inside(e->timestamp, e->text);
	fuzz_need((status == POP3_CLIENT_BAD) == (e->reason != POP3_CLIENT_NO_REASON));
	if (status == POP3_CLIENT_END && s->text_octets > 0)
		fuzz_need(e->octets == s->text_octets);
	s->text_octets = 0;
	parse(e);
	put_event(s, status, e);
	if (status == POP3_CLIENT_CHALLENGE)
		fuzz_need(pop3_client_respond(&s->client, SPAN_LIT("*"), &out) == POP3_CLIENT_SENT);
	/* Nobody begins TLS here: what follows the +OK of STLS is an injection, always. */
	send_more(s);
}

/* Reads all of what is there. False when nothing more will be read. */
static bool read_events(struct session *s, struct span *in)
{
	for (;;) {
		const struct span before = *in;
		struct pop3_client_event e;
		const enum pop3_client_status status = pop3_client_read(&s->client, in, &e);

		fuzz_need(in->n <= before.n);
		if (status == POP3_CLIENT_MORE)
			return true;
		if (status == POP3_CLIENT_TEXT)
			got_text(s, &e);
		else
			got_event(s, status, &e, before);
		if (status == POP3_CLIENT_BAD)
			return false;
	}
}

/* As a caller does it, with a buffer that is no larger than it must be. */
static void converse(struct session *s, struct span stream, struct fuzz_random *random)
{
	char *const buffer = malloc(LIMIT_POP3_REPLY);
	size_t held = 0;

	fuzz_need(buffer != NULL);
	while (stream.n > 0) {
		const size_t room = LIMIT_POP3_REPLY - held;
		const size_t max = stream.n < room ? stream.n : room;
		const size_t n = random != NULL ? fuzz_length(random, max) : max;

		fuzz_need(room > 0);
		memcpy(buffer + held, stream.p, n);
		span_skip(&stream, n);

		struct span in = span_of(buffer, held + n);

		if (!read_events(s, &in))
			break;
		held = in.n;
		memmove(buffer, in.p, in.n);
	}
	free(buffer);
}

static struct session run(struct span commands, struct span stream, struct fuzz_random *random)
{
	struct session s = {.commands = commands};

	/* An event is at least an octet of the stream, but for the one that is final. */
	s.max = (stream.n + 1) * 128;
	s.trace = malloc(s.max);
	fuzz_need(s.trace != NULL);
	send_more(&s);
	converse(&s, stream, random);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random random = {fuzz_choice(&in)};
	const size_t n = fuzz_choice(&in) & 15;
	const struct span commands = span_of(in.p, n < in.n ? n : in.n);

	span_skip(&in, commands.n);

	struct session whole = run(commands, in, NULL);
	struct session cut = run(commands, in, &random);

	fuzz_need(whole.n == cut.n && memcmp(whole.trace, cut.trace, whole.n) == 0);
	fuzz_need(pop3_client_ahead(&whole.client) == pop3_client_ahead(&cut.client));
	fuzz_need(pop3_client_over(&whole.client) == pop3_client_over(&cut.client));
	free(whole.trace);
	free(cut.trace);
	return 0;
}
