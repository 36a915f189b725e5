/* SPDX-License-Identifier: MIT */
/*
 * Both sides of POP3: what the server's writers write is what the client reads,
 * however it is cut. Octets of an input: the seed of the cuts, then exchanges: an
 * octet for the command, two for a length, and so many octets of text or message.
 */
#include "fuzz.h"

#include "codec/dot.h"
#include "codec/pop3/pop3_client.h"
#include "codec/pop3/pop3_listing.h"

/* A client, and what the server has written and it hasn't read. */
struct wire {
	struct pop3_client client;
	struct out server;
	size_t given; /* of the server's, to the client */
	struct span in;
	struct fuzz_random random;
};

/* The next event, with no more of the server's octets than it takes. */
static enum pop3_client_status next(struct wire *w, struct pop3_client_event *e)
{
	for (;;) {
		const enum pop3_client_status status = pop3_client_read(&w->client, &w->in, e);

		if (status != POP3_CLIENT_MORE)
			return status;
		fuzz_need(w->given < w->server.n);
		/* Nothing is moved: what was left and what is new stand together. */
		w->in.p = w->server.p + w->given - w->in.n;

		const size_t n = fuzz_length(&w->random, w->server.n - w->given);

		w->in.n += n;
		w->given += n;
	}
}

static void finish(struct wire *w)
{
	struct pop3_client_event e;

	fuzz_need(w->given == w->server.n && w->in.n == 0);
	fuzz_need(pop3_client_read(&w->client, &w->in, &e) == POP3_CLIENT_MORE);
	fuzz_need(pop3_client_ahead(&w->client) == 0);
	w->server.n = w->given = 0;
}

static void send(struct wire *w, enum pop3_verb verb, uint32_t number)
{
	const struct pop3_command command = {
		.verb = verb,
		.has_number = number > 0,
		.number = number,
		.password = SPAN_LIT("x"),
	};
	char memory[LIMIT_POP3_COMMAND];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	fuzz_need(pop3_client_send(&w->client, &command, &out) == POP3_CLIENT_SENT);
}

/* What a server may say: no line end, and nothing at its front that is read away. */
static struct span text_of(struct span data)
{
	size_t n = 0;

	while (data.n > 0 && (data.p[0] == ' ' || data.p[0] == '\t' || data.p[0] == '['))
		span_skip(&data, 1);
	while (n < data.n && n < 500 && data.p[n] != '\r' && data.p[n] != '\n')
		n++;
	return span_of(data.p, n);
}

static void a_line(struct wire *w, enum pop3_code code, struct span data)
{
	const struct span text = text_of(data);
	struct pop3_client_event e;

	send(w, POP3_PASS, 0);
	fuzz_need(pop3_reply_err(&w->server, code, text));
	fuzz_need(next(w, &e) == POP3_CLIENT_ERR);
	fuzz_need(e.code == code);
	fuzz_need(span_eq(e.code_text, span_str(pop3_code_name(code))));
	fuzz_need(e.text.n >= text.n);
	fuzz_need(span_eq(span_of(e.text.p + e.text.n - text.n, text.n), text));
	finish(w);

	send(w, POP3_NOOP, 0);
	fuzz_need(pop3_reply_ok(&w->server, text));
	fuzz_need(next(w, &e) == POP3_CLIENT_OK);
	fuzz_need(span_eq(e.text, text));
	finish(w);
}

/* Eight octets of the data each, as they come. */
static uint64_t take_u64(struct span *data)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | fuzz_choice(data);
	return v;
}

static void sizes(struct wire *w, struct span data)
{
	struct span again = data;
	struct pop3_client_event e;
	uint32_t number;
	uint64_t octets;

	send(w, POP3_STAT, 0);
	fuzz_need(pop3_reply_stat(&w->server, (uint32_t)data.n, UINT64_MAX - data.n));
	fuzz_need(next(w, &e) == POP3_CLIENT_OK && !e.lines);
	fuzz_need(pop3_listing_stat(e.text, &number, &octets));
	fuzz_need(number == data.n && octets == UINT64_MAX - data.n);
	finish(w);

	send(w, POP3_LIST, 0);
	fuzz_need(
		pop3_reply_list_begin(&w->server, POP3_LANGUAGE_EN, (uint32_t)data.n, UINT64_MAX));
	for (uint32_t i = UINT32_MAX; data.n > 0; i--)
		fuzz_need(pop3_reply_list_line(&w->server, i, take_u64(&data)));
	fuzz_need(pop3_reply_end(&w->server));
	fuzz_need(next(w, &e) == POP3_CLIENT_OK && e.lines);
	for (uint32_t i = UINT32_MAX; again.n > 0; i--) {
		fuzz_need(next(w, &e) == POP3_CLIENT_LINE);
		fuzz_need(pop3_listing_size(e.text, &number, &octets));
		fuzz_need(number == i && octets == take_u64(&again));
	}
	fuzz_need(next(w, &e) == POP3_CLIENT_END);
	finish(w);
}

/* A UIDL of 1 to 70 octets from 0x21 to 0x7E. */
static struct span take_uidl(struct span *data, char uidl[LIMIT_UIDL])
{
	const size_t n = 1 + fuzz_choice(data) % LIMIT_UIDL;

	for (size_t i = 0; i < n; i++)
		uidl[i] = (char)(0x21 + fuzz_choice(data) % (0x7f - 0x21));
	return span_of(uidl, n);
}

static void uidls(struct wire *w, struct span data)
{
	struct span again = data;
	struct pop3_client_event e;
	uint32_t number;
	struct span got;
	char uidl[LIMIT_UIDL];

	send(w, POP3_UIDL, 0);
	fuzz_need(pop3_reply_ok(&w->server, SPAN_LIT("")));
	for (uint32_t i = 1; data.n > 0; i++)
		fuzz_need(pop3_reply_uidl_line(&w->server, i, take_uidl(&data, uidl)));
	fuzz_need(pop3_reply_end(&w->server));
	fuzz_need(next(w, &e) == POP3_CLIENT_OK && e.lines);
	for (uint32_t i = 1; again.n > 0; i++) {
		fuzz_need(next(w, &e) == POP3_CLIENT_LINE);
		fuzz_need(pop3_listing_uidl(e.text, &number, &got));
		fuzz_need(number == i && span_eq(got, take_uidl(&again, uidl)));
	}
	fuzz_need(next(w, &e) == POP3_CLIENT_END);
	finish(w);
}

/* As it goes over the wire: CRLF for each bare LF, and one at its end. */
static size_t in_wire_form(struct span stored, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < stored.n; i++) {
		if (stored.p[i] == '\n' && (i == 0 || stored.p[i - 1] != '\r'))
			ret[n++] = '\r';
		ret[n++] = stored.p[i];
	}
	if (n > 0 && ret[n - 1] != '\n') {
		ret[n++] = '\r';
		ret[n++] = '\n';
	}
	return n;
}

static void a_message(struct wire *w, struct span data)
{
	char *const want = malloc(2 * data.n + 2);
	struct dot_encoder encoder = {0};
	struct pop3_client_event e;
	enum pop3_client_status status;
	size_t at = 0;

	fuzz_need(want != NULL);

	const size_t n = in_wire_form(data, want);

	send(w, POP3_RETR, 1);
	fuzz_need(pop3_reply_retr(&w->server, POP3_LANGUAGE_EN, n));
	dot_encode(&encoder, &data, &w->server);
	fuzz_need(data.n == 0 && dot_encode_end(&encoder, &w->server));
	fuzz_need(encoder.octets == n);
	fuzz_need(next(w, &e) == POP3_CLIENT_OK && e.lines);
	while ((status = next(w, &e)) == POP3_CLIENT_TEXT) {
		fuzz_need(e.text.n <= n - at && memcmp(want + at, e.text.p, e.text.n) == 0);
		at += e.text.n;
	}
	fuzz_need(status == POP3_CLIENT_END && at == n && e.octets == n);
	finish(w);
	free(want);
}

static void exchange(struct wire *w, uint8_t choice, struct span data)
{
	switch (choice & 3) {
	case 0:
		a_line(w, (enum pop3_code)(choice >> 2) % POP3_CODES, data);
		return;
	case 1:
		sizes(w, data);
		return;
	case 2:
		uidls(w, data);
		return;
	default:
		a_message(w, data);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct wire w = {.random = {fuzz_choice(&in)}};
	struct pop3_client_event e;

	/* The longest line for the fewest octets of data is that of a UIDL or a size. */
	w.server.cap = 2048 + 128 * in.n;
	w.server.p = malloc(w.server.cap);
	fuzz_need(w.server.p != NULL);
	fuzz_need(pop3_reply_ok(&w.server, SPAN_LIT("<1.2@host>")));
	fuzz_need(next(&w, &e) == POP3_CLIENT_GREETING);
	fuzz_need(span_eq(e.timestamp, SPAN_LIT("<1.2@host>")));
	finish(&w);
	while (in.n > 0) {
		const uint8_t choice = fuzz_choice(&in);
		const size_t high = fuzz_choice(&in);
		const size_t wish = high << 8 | fuzz_choice(&in);
		const size_t n = wish < in.n ? wish : in.n;

		exchange(&w, choice, span_of(in.p, n));
		span_skip(&in, n);
	}
	free(w.server.p);
	return 0;
}
