/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/line.h"
#include "load.h"

/*
 * LHLO, then per_connection messages, then QUIT. MAIL, RCPT and DATA go together, as
 * MTAs do it (RFC 2920); the message goes when 354 has come. A message is over when its
 * 250 is there, and that is what latency means here.
 */
enum step { GREETING, LHLO, MAIL, RCPT, DATA, MESSAGE, QUIT };

struct lmtp {
	struct client base;
	enum step step; /* whose reply comes next */
	bool sending;   /* the message */
	uint64_t at;    /* octets of it in c->out or sent */
	uint64_t messages;
	uint64_t mail_ns;
	struct mail mail;
	struct line_reader lines;
};

static struct lmtp *lmtp_of(struct client *c)
{
	return (struct lmtp *)c;
}

static void begin(struct client *c)
{
	lmtp_of(c)->lines.max = sizeof(c->kept);
}

static void put(struct client *c, const char *text)
{
	if (!out_put(&c->out, span_str(text)))
		client_fail(c, "no room for a command");
}

static void quit(struct lmtp *p)
{
	p->step = QUIT;
	put(&p->base, "QUIT\r\n");
}

/* The first message of a connection was counted when the connection was begun. */
static void next_message(struct lmtp *p)
{
	struct load *const l = p->base.load;
	char text[512];

	if (p->messages > 0 && (p->messages == l->o.per_connection || !load_begin_one(l))) {
		p->base.may_begin = p->messages == l->o.per_connection;
		quit(p);
		return;
	}
	/* Each message for the user after the last one's: all maildrops get some. */
	p->mail = (struct mail){
		.user = (uint32_t)(l->o.user + l->made % l->o.users),
		.number = (uint32_t)(l->o.first + l->made),
		.octets = l->o.octets,
		.kind = MAIL_CRLF,
	};
	l->made++;
	p->messages++;
	p->at = 0;
	p->step = MAIL;
	p->mail_ns = uv_hrtime();
	(void)snprintf(text, sizeof(text),
		       "MAIL FROM:<bench@example.org>\r\nRCPT TO:<user%u@%s>\r\nDATA\r\n",
		       p->mail.user, l->o.domain);
	put(&p->base, text);
}

static void message_done(struct lmtp *p)
{
	struct load *const l = p->base.load;

	l->done++;
	l->octets += p->mail.octets;
	l->ended_ns = uv_hrtime();
	latency_add(&l->latency, l->ended_ns - p->mail_ns);
	next_message(p);
}

/* The last line of a reply. */
static void took_reply(struct lmtp *p, struct span line)
{
	static const char *const wanted[] = {
		[GREETING] = "220", [LHLO] = "250",    [MAIL] = "250", [RCPT] = "250",
		[DATA] = "354",     [MESSAGE] = "250", [QUIT] = "221",
	};

	if (memcmp(line.p, wanted[p->step], 3) != 0) {
		client_fail(&p->base, "%.*s", (int)(line.n < 80 ? line.n : 80), line.p);
		return;
	}
	switch (p->step) {
	case GREETING:
		p->step = LHLO;
		put(&p->base, "LHLO bench.example.org\r\n");
		break;
	case LHLO:
		next_message(p);
		break;
	case MAIL:
		p->step = RCPT;
		break;
	case RCPT:
		p->step = DATA;
		break;
	case DATA:
		p->step = MESSAGE;
		p->sending = true;
		break;
	case MESSAGE:
		message_done(p);
		break;
	case QUIT:
		p->base.over = true;
		break;
	}
}

static void input(struct client *c, struct span *in)
{
	struct lmtp *const p = lmtp_of(c);
	struct span line;

	while (!c->ending) {
		const enum line_status status = line_take(&p->lines, in, &line);

		if (status == LINE_MORE)
			return;
		if (status == LINE_TOO_LONG || line.n < 3 ||
		    (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')) {
			client_fail(c, "a reply that is none");
			return;
		}
		if (line.n == 3 || line.p[3] == ' ')
			took_reply(p, line);
	}
}

static void output(struct client *c)
{
	struct lmtp *const p = lmtp_of(c);

	if (!p->sending)
		return;
	mail_make(&p->mail, &p->at, &c->out);
	if (p->at == p->mail.octets && out_put(&c->out, SPAN_LIT(".\r\n")))
		p->sending = false;
}

static void closed(struct client *c)
{
	if (!c->over)
		client_fail(c, "the server hung up");
	else
		client_end(c);
}

const struct client_ops load_lmtp_ops = {
	.size = sizeof(struct lmtp),
	.begin = begin,
	.input = input,
	.output = output,
	.closed = closed,
};
