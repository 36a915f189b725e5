/* SPDX-License-Identifier: MIT */
#include "client/dialogue.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "codec/pop3/pop3_command.h"

#define MASK "****"

void dialogue_open(struct dialogue *d, int fd, const char *host, uint32_t idle_ms, int stop_fd,
		   const struct dialogue_watch *watch)
{
	stream_open(&d->stream, fd, host, idle_ms, stop_fd);
	d->watch = *watch;
}

void dialogue_close(struct dialogue *d)
{
	stream_close(&d->stream);
}

static enum fetch_status meaning_of(int r)
{
	switch (-r) {
	case ECANCELED:
		return FETCH_STOPPED;
	case EPROTO:
	case EKEYREJECTED:
		return FETCH_INSECURE;
	case ENOMEM:
		return FETCH_MEMORY;
	default:
		return FETCH_NETWORK;
	}
}

enum fetch_status dialogue_start_tls(struct dialogue *d, struct ssl_ctx_st *ctx, struct err *err)
{
	int r;

	/* Before the greeting there is nothing to forget. */
	if (d->in_n > 0 &&
	    !pop3_client_tls(&d->client, span_of(d->in + d->in_at, d->in_n - d->in_at)))
		return dialogue_surprise(d, pop3_client_reason_text(POP3_CLIENT_INJECTED), err);
	r = stream_start_tls(&d->stream, ctx, err);
	return r < 0 ? meaning_of(r) : FETCH_OK;
}

static void show(const struct dialogue *d, bool sent, struct span line)
{
	if (d->watch.line != NULL)
		d->watch.line(d->watch.ctx, sent, line);
}

/* What goes out, with stars in the place of what nobody shall read over a shoulder. */
static void show_command(const struct dialogue *d, const struct pop3_command *command,
			 struct span line)
{
	char masked[LIMIT_POP3_COMMAND + sizeof(MASK)];
	struct out o = {.p = masked, .cap = sizeof(masked)};
	const struct span name = span_str(pop3_command_row(command->verb)->name);
	bool ok = out_put(&o, name);

	if (d->watch.line == NULL)
		return;
	if (line.n >= 2)
		line.n -= 2;
	switch (command->verb) {
	case POP3_PASS:
		ok = ok && out_put(&o, SPAN_LIT(" " MASK));
		break;
	case POP3_APOP:
		ok = ok && out_char(&o, ' ') && out_put(&o, command->user) &&
		     out_put(&o, SPAN_LIT(" " MASK));
		break;
	case POP3_AUTH:
		ok = ok && out_char(&o, ' ') && out_put(&o, command->mechanism) &&
		     (!command->has_initial || out_put(&o, SPAN_LIT(" " MASK)));
		break;
	default:
		show(d, true, line);
		return;
	}
	show(d, true, ok ? out_span(&o) : SPAN_LIT(MASK));
}

static enum fetch_status sent_status(const struct dialogue *d, enum pop3_client_sent sent,
				     const char *what, struct err *err)
{
	switch (sent) {
	case POP3_CLIENT_SENT:
		return FETCH_OK;
	case POP3_CLIENT_BAD_ARGUMENT:
		(void)err_set(err, EINVAL, "%s: what %s would need can't be sent in a line",
			      d->stream.host, what);
		return FETCH_CONFIG;
	case POP3_CLIENT_TOO_LONG:
		(void)err_set(err, EINVAL, "%s: what %s would need is too long for a line",
			      d->stream.host, what);
		return FETCH_CONFIG;
	case POP3_CLIENT_NO_ROOM:
	case POP3_CLIENT_WAIT:
	case POP3_CLIENT_OVER:
		break;
	}
	/* The caller asks dialogue_may_send() and knows what the session has come to. */
	assert(false);
	return FETCH_PROTOCOL;
}

enum fetch_status dialogue_send(struct dialogue *d, const struct pop3_command *command,
				struct err *err)
{
	struct out o = {.p = d->out, .n = d->out_n, .cap = sizeof(d->out)};
	const enum pop3_client_sent sent = pop3_client_send(&d->client, command, &o);

	if (sent == POP3_CLIENT_SENT) {
		show_command(d, command, span_of(d->out + d->out_n, o.n - d->out_n));
		d->out_n = o.n;
	}
	return sent_status(d, sent, pop3_command_row(command->verb)->name, err);
}

enum fetch_status dialogue_respond(struct dialogue *d, struct span base64, struct err *err)
{
	struct out o = {.p = d->out, .n = d->out_n, .cap = sizeof(d->out)};
	const enum pop3_client_sent sent = pop3_client_respond(&d->client, base64, &o);

	if (sent == POP3_CLIENT_SENT) {
		d->out_n = o.n;
		show(d, true, SPAN_LIT(MASK));
	}
	return sent_status(d, sent, "the answer to a challenge", err);
}

void dialogue_text(struct span text, char ret_text[static DIALOGUE_TEXT_MAX + 1])
{
	const size_t n = text.n < DIALOGUE_TEXT_MAX ? text.n : DIALOGUE_TEXT_MAX;

	for (size_t i = 0; i < n; i++)
		ret_text[i] = text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?';
	ret_text[n] = '\0';
}

enum fetch_status dialogue_surprise(const struct dialogue *d, const char *what, struct err *err)
{
	(void)err_set(err, EPROTO, "%s: %s", d->stream.host, what);
	return FETCH_PROTOCOL;
}

static enum fetch_status bad(const struct dialogue *d, const struct pop3_client_event *e,
			     struct err *err)
{
	char text[DIALOGUE_TEXT_MAX + 1];

	dialogue_text(e->text, text);
	if (text[0] == '\0')
		return dialogue_surprise(d, pop3_client_reason_text(e->reason), err);
	(void)err_set(err, EPROTO, "%s: %s: %s", d->stream.host, pop3_client_reason_text(e->reason),
		      text);
	return FETCH_PROTOCOL;
}

static void show_event(const struct dialogue *d, enum pop3_client_status status,
		       const struct pop3_client_event *e)
{
	char line[LIMIT_POP3_REPLY + 8];
	struct out o = {.p = line, .cap = sizeof(line)};
	bool ok = true;

	if (d->watch.line == NULL)
		return;
	switch (status) {
	case POP3_CLIENT_GREETING:
	case POP3_CLIENT_OK:
		ok = out_put(&o, SPAN_LIT("+OK ")) && out_put(&o, e->text);
		break;
	case POP3_CLIENT_ERR:
		ok = out_put(&o, SPAN_LIT("-ERR ")) && out_put(&o, e->text);
		break;
	case POP3_CLIENT_CHALLENGE:
		ok = out_put(&o, SPAN_LIT("+ " MASK));
		break;
	case POP3_CLIENT_LINE:
		ok = out_put(&o, e->text);
		break;
	case POP3_CLIENT_END:
		ok = e->verb == POP3_RETR || e->verb == POP3_TOP
			     ? out_char(&o, '(') && out_u64(&o, e->octets) &&
				       out_put(&o, SPAN_LIT(" octets)"))
			     : out_char(&o, '.');
		break;
	default:
		return;
	}
	show(d, false, ok ? out_span(&o) : SPAN_LIT("..."));
}

/* Sends what waits, then takes what comes. */
static enum fetch_status exchange(struct dialogue *d, struct err *err)
{
	ssize_t n;
	int r;

	if (d->out_n > 0) {
		r = stream_write(&d->stream, d->out, d->out_n, err);
		d->out_n = 0;
		if (r < 0)
			return meaning_of(r);
	}
	if (d->in_at > 0) {
		memmove(d->in, d->in + d->in_at, d->in_n - d->in_at);
		d->in_n -= d->in_at;
		d->in_at = 0;
	}
	assert(d->in_n < sizeof(d->in));
	n = stream_read(&d->stream, d->in + d->in_n, sizeof(d->in) - d->in_n, err);
	if (n < 0)
		return meaning_of((int)n);
	if (n == 0) {
		(void)err_set(err, ECONNRESET, "%s closed the connection before its time",
			      d->stream.host);
		return FETCH_NETWORK;
	}
	d->in_n += (size_t)n;
	return FETCH_OK;
}

enum fetch_status dialogue_event(struct dialogue *d, enum pop3_client_status *ret_status,
				 struct pop3_client_event *ret_event, struct err *err)
{
	for (;;) {
		struct span in = span_of(d->in + d->in_at, d->in_n - d->in_at);
		const enum pop3_client_status status = pop3_client_read(&d->client, &in, ret_event);
		enum fetch_status fs;

		d->in_at = d->in_n - in.n;
		if (status == POP3_CLIENT_BAD)
			return bad(d, ret_event, err);
		if (status != POP3_CLIENT_MORE) {
			show_event(d, status, ret_event);
			*ret_status = status;
			return FETCH_OK;
		}
		fs = exchange(d, err);
		if (fs != FETCH_OK)
			return fs;
	}
}

enum fetch_status dialogue_ask(struct dialogue *d, const struct pop3_command *command,
			       enum pop3_client_status *ret_status,
			       struct pop3_client_event *ret_event, struct err *err)
{
	enum fetch_status fs = dialogue_send(d, command, err);

	if (fs == FETCH_OK)
		fs = dialogue_event(d, ret_status, ret_event, err);
	if (fs == FETCH_OK && *ret_status != POP3_CLIENT_OK && *ret_status != POP3_CLIENT_ERR)
		fs = dialogue_surprise(d, "an answer to something else", err);
	return fs;
}
