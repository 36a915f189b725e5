/* SPDX-License-Identifier: MIT */
/*
 * An SMTP server as a destination, by libcurl: one recipient, whoever the message was for.
 */
#include "client/destination_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/mail/mail_field.h"
#include "client/curl_target.h"
#include "client/dialogue.h"
#include "client/wire_reader.h"

/* A Return-Path stands at the top. */
#define HEAD_MAX 8192

struct smtp {
	CURL *curl;                    /* Owned */
	struct curl_slist *recipients; /* Owned */
	struct wire_reader reader;     /* the message that is being sent */
	char error[CURL_ERROR_SIZE];
	char reply[DIALOGUE_TEXT_MAX + 1]; /* the last refusal that the server said */
};

/* curl reads the message here; dots are its business. */
static size_t on_read(char *to, size_t size, size_t n, void *ctx)
{
	struct smtp *const s = ctx;
	const ssize_t got = wire_reader_read(&s->reader, to, size * n);

	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

/* The lines that the server says come here. */
static size_t on_line(char *line, size_t size, size_t n, void *ctx)
{
	struct smtp *const s = ctx;
	struct span text = span_of(line, size * n);

	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	/* libcurl leaves with QUIT, and that is answered too. */
	if (text.n > 0 && (text.p[0] == '4' || text.p[0] == '5'))
		dialogue_text(text, s->reply);
	return size * n;
}

static int open_smtp(struct destination *d, struct err *err)
{
	const struct account *const a = d->options.account;
	struct smtp *const s = calloc(1, sizeof(*s));
	char recipient[LIMIT_ADDRESS + 3];

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	d->own = s;
	(void)snprintf(recipient, sizeof(recipient), "<%s>", a->recipient);
	s->curl = curl_target_new(&d->options, a->smtp, s->error);
	s->recipients = curl_slist_append(NULL, recipient);
	if (s->curl == NULL || s->recipients == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	(void)curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, s->recipients);
	(void)curl_easy_setopt(s->curl, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(s->curl, CURLOPT_READFUNCTION, on_read);
	(void)curl_easy_setopt(s->curl, CURLOPT_READDATA, s);
	(void)curl_easy_setopt(s->curl, CURLOPT_HEADERFUNCTION, on_line);
	(void)curl_easy_setopt(s->curl, CURLOPT_HEADERDATA, s);
	return 0;
}

static void close_smtp(struct destination *d)
{
	struct smtp *const s = d->own;

	if (s == NULL)
		return;
	curl_easy_cleanup(s->curl);
	curl_slist_free_all(s->recipients);
	free(s);
}

static int set_sender(struct smtp *s, const struct incoming *in, struct err *err)
{
	char head[HEAD_MAX];
	char sender[LIMIT_ADDRESS + 3] = "<";
	struct out o = {.p = sender, .n = 1, .cap = sizeof(sender) - 2};
	const ssize_t n = spool_head(in, head, sizeof(head));

	if (n < 0)
		return err_sys(err, (int)-n, "cannot read a message again");
	mail_field_sender(span_of(head, (size_t)n), &o);
	sender[o.n] = '>';
	sender[o.n + 1] = '\0';
	(void)curl_easy_setopt(s->curl, CURLOPT_MAIL_FROM, sender);
	return 0;
}

/*
 * A refusal of the message, if it was that: libcurl says the same of a greeting that isn't
 * a welcome, when nothing was sent yet.
 */
static int verdict(const struct destination *d, CURLcode code, struct err *err)
{
	const struct smtp *const s = d->own;
	const char *const url = d->options.account->smtp;
	curl_off_t sent = 0;
	long reply = 0;

	if (code == CURLE_OK)
		return 0;
	(void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &reply);
	(void)curl_easy_getinfo(s->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (reply / 100 < 4 || reply / 100 > 5 ||
	    !(code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && sent > 0)))
		return curl_target_failed(code, url, s->error, err);
	return err_set(err, reply / 100 == 4 ? EAGAIN : EBADMSG, "%s refused it: %s", url,
		       s->reply);
}

static int place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	struct smtp *const s = d->own;
	const int fd = spool_open(in);
	int r;

	assert(n == 1);
	if (fd < 0)
		return err_sys(err, -fd, "cannot read a message again");
	s->reader = (struct wire_reader){.fd = fd};
	(void)curl_easy_setopt(s->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)in->octets);
	r = set_sender(s, in, err);
	if (r == 0)
		r = verdict(d, curl_easy_perform(s->curl), err);
	(void)close(fd);
	if (r == 0)
		spool_abort(&d->spool, in);
	return r;
}

const struct destination_driver destination_smtp = {
	.together = 1,
	.open = open_smtp,
	.close = close_smtp,
	.place = place,
};
