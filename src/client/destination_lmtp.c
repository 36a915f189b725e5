/* SPDX-License-Identifier: MIT */
/*
 * An LMTP server as a destination (RFC 2033): a transaction for each message, in a
 * connection of its own. What was answered 2xx behind the message is the server's.
 */
#include "client/destination_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "codec/dot.h"
#include "codec/line.h"
#include "codec/mail/mail_field.h"
#include "codec/smtp/smtp_answer.h"
#include "net/dial.h"
#include "net/stream.h"
#include "client/dialogue.h"
#include "client/server_address.h"

#define LMTP_PORT 24
#define LINE_LENGTH 4096
#define CHUNK 32768
/* A Return-Path stands at the top. */
#define HEAD_MAX 8192
/* Lines of an answer: more than any server has to say. */
#define ANSWER_LINES_MAX 100

struct lmtp {
	struct server_address address;
	struct stream stream;
	bool eightbit; /* 8BITMIME is announced */
	size_t in_at;  /* [in_at, in_n) has come and wasn't read yet */
	size_t in_n;
	char in[LINE_LENGTH];
	char from[CHUNK];
	char to[CHUNK];
};

static int open_lmtp(struct destination *d, struct err *err)
{
	struct lmtp *const l = calloc(1, sizeof(*l));
	bool ok;

	if (l == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	d->own = l;
	ok = server_address_parse(span_str(d->options.account->lmtp), LMTP_PORT, &l->address);
	assert(ok);
	return 0;
}

static void close_lmtp(struct destination *d)
{
	struct lmtp *const l = d->own;

	if (l == NULL)
		return;
	stream_close(&l->stream);
	free(l);
}

/* Whatever is wrong with the line to it: nobody is there who would take the message. */
static int away(int r)
{
	return r == -ECANCELED || r == -ENOMEM || r == 0 ? r : -EHOSTDOWN;
}

static int connect_path(const struct lmtp *l, int *ret_fd, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(err, errno, "cannot make a socket");
	memcpy(a.sun_path, l->address.path, sizeof(a.sun_path));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		const int r = err_sys(err, errno, "cannot connect to '%s'", l->address.path);

		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int connect_server(struct destination *d, struct err *err)
{
	struct lmtp *const l = d->own;
	const uint32_t timeout_ms = d->options.account->timeout * 1000;
	const bool local = l->address.path[0] != '\0';
	int fd;
	const int r = local ? connect_path(l, &fd, err)
			    : dial(&(struct dial_options){.host = l->address.host,
							  .port = l->address.port,
							  .timeout_ms = timeout_ms,
							  .stop_fd = d->options.stop_fd},
				   &fd, err);

	if (r < 0)
		return away(r);
	stream_close(&l->stream);
	/*
	 * Nothing stops it from here on: half a transaction may be a whole one for the
	 * server, and so a double one.
	 */
	stream_open(&l->stream, fd, local ? l->address.path : l->address.host, timeout_ms, -1);
	l->in_at = l->in_n = 0;
	l->eightbit = false;
	return 0;
}

/* ---- What it says ---- */

static int nonsense(const struct lmtp *l, struct err *err)
{
	return err_set(err, EHOSTDOWN, "%s says what no LMTP server says", l->stream.host);
}

static int read_line(struct lmtp *l, struct span *ret_line, struct err *err)
{
	struct line_reader reader = {.max = sizeof(l->in)};

	for (;;) {
		struct span in = span_of(l->in + l->in_at, l->in_n - l->in_at);
		const enum line_status status = line_take(&reader, &in, ret_line);
		ssize_t n;

		l->in_at = l->in_n - in.n;
		if (status == LINE_GOT)
			return 0;
		if (status == LINE_TOO_LONG)
			return nonsense(l, err);
		memmove(l->in, l->in + l->in_at, in.n);
		l->in_at = 0;
		l->in_n = in.n;
		n = stream_read(&l->stream, l->in + l->in_n, sizeof(l->in) - l->in_n, err);
		if (n == 0)
			return err_set(err, EHOSTDOWN, "%s has closed the connection",
				       l->stream.host);
		if (n < 0)
			return away((int)n);
		l->in_n += (size_t)n;
	}
}

/* The last line of an answer; its text lives until the next one is read. */
static int read_answer(struct lmtp *l, struct smtp_answer *ret_answer, struct err *err)
{
	struct span line;

	for (int i = 0; i < ANSWER_LINES_MAX; i++) {
		const int r = read_line(l, &line, err);

		if (r < 0)
			return r;
		if (!smtp_answer_line(line, ret_answer))
			return nonsense(l, err);
		if (smtp_answer_announces(ret_answer->text, SPAN_LIT("8BITMIME")))
			l->eightbit = true;
		if (!ret_answer->more)
			return 0;
	}
	return nonsense(l, err);
}

/* It must begin with that digit. Otherwise it is a refusal, now or for good. */
static int expect(struct lmtp *l, unsigned class, struct err *err)
{
	struct smtp_answer answer;
	char text[DIALOGUE_TEXT_MAX + 1];
	const int r = read_answer(l, &answer, err);

	if (r < 0 || answer.code / 100 == class)
		return r;
	dialogue_text(answer.text, text);
	if (answer.code / 100 < 4)
		return nonsense(l, err);
	return err_set(err, answer.code / 100 == 4 ? EAGAIN : EBADMSG, "%s refused it: %u %s",
		       l->stream.host, answer.code, text);
}

/* ---- What it is told ---- */

__attribute__((format(printf, 4, 5))) static int ask(struct lmtp *l, unsigned class,
						     struct err *err, const char *fmt, ...)
{
	char line[2 * LIMIT_ADDRESS];
	va_list ap;
	int n;
	int r;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	assert(n > 0 && (size_t)n < sizeof(line) - 2);
	memcpy(line + n, "\r\n", 2);
	r = stream_write(&l->stream, line, (size_t)n + 2, err);
	return r < 0 ? away(r) : expect(l, class, err);
}

/* Nobody's fault but the configuration's, or the server's: no message is to blame. */
static int greet(struct lmtp *l, struct err *err)
{
	char host[256] = "localhost";
	int r = expect(l, 2, err);

	(void)gethostname(host, sizeof(host) - 1);
	if (r == 0)
		r = ask(l, 2, err, "LHLO %s", host);
	return r == -EAGAIN || r == -EBADMSG ? -EHOSTDOWN : r;
}

static int send_text(struct lmtp *l, int fd, struct err *err)
{
	struct dot_encoder encoder = {.octets = 0};
	struct out out = {.p = l->to, .cap = sizeof(l->to)};
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(fd, l->from, sizeof(l->from))) != 0) {
		struct span in = span_of(l->from, n < 0 ? 0 : (size_t)n);

		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "cannot read a message again");
		while (in.n > 0 && r == 0) {
			dot_encode(&encoder, &in, &out);
			r = away(stream_write(&l->stream, out.p, out.n, err));
			out.n = 0;
		}
	}
	if (r < 0)
		return r;
	(void)dot_encode_end(&encoder, &out);
	return away(stream_write(&l->stream, out.p, out.n, err));
}

static int transact(struct destination *d, const struct incoming *in, int fd, struct err *err)
{
	struct lmtp *const l = d->own;
	char sender[LIMIT_ADDRESS + 1];
	struct out o = {.p = sender, .cap = LIMIT_ADDRESS};
	const ssize_t n = spool_head(in, l->from, HEAD_MAX);
	int r;

	if (n < 0)
		return err_sys(err, (int)-n, "cannot read a message again");
	mail_field_sender(span_of(l->from, (size_t)n), &o);
	sender[o.n] = '\0';
	r = greet(l, err);
	if (r == 0)
		r = ask(l, 2, err, "MAIL FROM:<%s>%s", sender, l->eightbit ? " BODY=8BITMIME" : "");
	if (r == 0)
		r = ask(l, 2, err, "RCPT TO:<%s>", d->options.account->recipient);
	if (r == 0)
		r = ask(l, 3, err, "DATA");
	if (r == 0)
		r = send_text(l, fd, err);
	if (r == 0)
		r = expect(l, 2, err);
	/* It has said what counts: a good-bye isn't waited for. */
	if (r == 0)
		(void)stream_write(&l->stream, "QUIT\r\n", 6, &(struct err){.text = ""});
	return r;
}

static int place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	struct lmtp *const l = d->own;
	int fd;
	int r;

	assert(n == 1);
	fd = spool_open(in);
	if (fd < 0)
		return err_sys(err, -fd, "cannot read a message again");
	r = connect_server(d, err);
	if (r == 0)
		r = transact(d, in, fd, err);
	stream_close(&l->stream);
	(void)close(fd);
	if (r == 0)
		spool_abort(&d->spool, in);
	return r;
}

const struct destination_driver destination_lmtp = {
	.together = 1,
	.open = open_lmtp,
	.close = close_lmtp,
	.place = place,
};
