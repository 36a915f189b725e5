/* SPDX-License-Identifier: MIT */
/*
 * The commands of LMTP and SMTP, but for what brings the message.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/listener/lmtp_session_priv.h"

static void reset(struct lmtp_session *p)
{
	if (p->state.phase == LMTP_SENDER || p->state.phase == LMTP_RECIPIENT ||
	    p->state.phase == LMTP_CHUNKS)
		lmtp_reset_storage(p);
	lmtp_drop_message(p);
}

/* Who reaches the socket by a path is on this machine, and is let in by the path's permissions. */
static bool may_start_tls(const struct lmtp_session *p)
{
	return p->base.listener->tls != NULL && !conn_is_tls(&p->base.conn) && !p->base.unix_socket;
}

static void note_host(struct lmtp_session *p, struct span host)
{
	p->host[0] = '\0';
	if (p->dialect == SMTP_DIALECT_SMTP)
		(void)snprintf(p->host, sizeof(p->host), "%.*s",
			       (int)(host.n < LIMIT_ADDRESS ? host.n : LIMIT_ADDRESS), host.p);
}

static void do_hello(struct lmtp_session *p, const struct smtp_command *c)
{
	const struct config *const config = p->base.listener->config;
	const struct smtp_hello hello = {
		.host = span_str(config->hostname),
		.size_limit = config->message_size_limit,
		.starttls = may_start_tls(p),
	};
	const bool fits = c->verb == SMTP_HELO ? smtp_reply(&p->base.out, 250, NULL, hello.host)
					       : smtp_reply_hello(&p->base.out, &hello);

	assert(fits);
	(void)fits;
	reset(p);
	note_host(p, c->host);
	p->esmtp = c->verb != SMTP_HELO;
	lmtp_state_did(&p->state, c->verb);
}

static void do_starttls(struct lmtp_session *p)
{
	if (conn_is_tls(&p->base.conn)) {
		lmtp_reply(p, 503, "5.5.1", "TLS is active already");
	} else if (!may_start_tls(p)) {
		lmtp_reply(p, 502, "5.5.1", "STARTTLS is not offered here");
	} else {
		reset(p);
		lmtp_reply(p, 220, "2.0.0", "begin TLS");
		p->starttls = true;
	}
}

/* It becomes a C string: the codec lets no NUL through, and nothing that is longer. */
static void copy(char *to, size_t max, struct span from)
{
	assert(from.n <= max);
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

/* More is as absurd, and storage takes no number that is no length of a file. */
#define ANNOUNCED_MAX ((uint64_t)INT64_MAX / 2)

static void do_mail(struct lmtp_session *p, const struct smtp_command *c)
{
	const uint64_t limit = p->base.listener->config->message_size_limit;

	if (c->has_size && limit != 0 && c->size > limit) {
		lmtp_reply(p, 552, "5.3.4", "the message is too large");
		return;
	}
	copy(p->sender, LIMIT_ADDRESS, c->path.address);
	copy(p->envid, LIMIT_DSN_ENVID, c->envid);
	p->smtputf8 = c->smtputf8;
	p->announced = !c->has_size ? 0 : c->size < ANNOUNCED_MAX ? c->size : ANNOUNCED_MAX;
	p->transaction++;
	lmtp_state_did(&p->state, SMTP_MAIL);
	lmtp_reply(p, 250, "2.1.0", "sender ok");
}

void lmtp_reply_rcpt(struct lmtp_session *p, enum ipc_status status)
{
	if (status == IPC_OK) {
		lmtp_state_did(&p->state, SMTP_RCPT);
		lmtp_reply(p, 250, "2.1.5", "recipient ok");
		return;
	}
	metric_add(METRIC_DELIVERIES + (status == IPC_NO_USER ? METRIC_REFUSED : METRIC_TEMPORARY),
		   1);
	log_event(LOG_LEVEL_INFO, "recipient-refused", log_hex("session", p->base.log_id),
		  log_str("from", p->sender), log_str("to", p->recipients[p->state.recipients]),
		  log_str("status", ipc_status_name(status)));
	if (status == IPC_NO_USER)
		lmtp_reply(p, 550, "5.1.1", "no such user here");
	else if (status == IPC_OVER_QUOTA)
		lmtp_reply(p, 452, "4.2.2", LMTP_FULL);
	else
		lmtp_reply(p, 451, "4.3.0", "cannot tell now, try again later");
}

void lmtp_take_rcpt(struct lmtp_session *p, const struct ipc_rcpt_reply *reply)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (reply->status != IPC_OK || reply->quota == 0) {
		lmtp_reply_rcpt(p, (enum ipc_status)reply->status);
		return;
	}
	ipc_start(m, IPC_ROOM, p->base.id);
	m->room.transaction = p->transaction;
	m->room.recipients = p->state.recipients + 1;
	m->room.octets = p->announced;
	if (session_send(&p->base, IPC_STORAGE, m))
		p->waiting = LMTP_WAIT_ROOM;
	else
		lmtp_reply_rcpt(p, IPC_TEMPORARY);
}

static void do_rcpt(struct lmtp_session *p, const struct smtp_command *c)
{
	union ipc_msg *const m = &p->base.listener->msg;
	char *const address = p->recipients[p->state.recipients];

	copy(address, LIMIT_ADDRESS, c->path.address);
	ipc_start(m, IPC_AUTH_RCPT, p->base.id);
	m->rcpt.transaction = p->transaction;
	memcpy(m->rcpt.address, address, sizeof(m->rcpt.address));
	if (!session_send(&p->base, IPC_AUTH, m)) {
		lmtp_reply_rcpt(p, IPC_TEMPORARY);
		return;
	}
	p->asked_storage = true;
	p->waiting = LMTP_WAIT_RCPT;
	session_time_begin(&p->base, METRIC_LMTP_RCPT);
}

static void do_command(struct lmtp_session *p, const struct smtp_command *c)
{
	switch (c->verb) {
	case SMTP_LHLO:
	case SMTP_EHLO:
	case SMTP_HELO:
		do_hello(p, c);
		break;
	case SMTP_STARTTLS:
		do_starttls(p);
		break;
	case SMTP_MAIL:
		do_mail(p, c);
		break;
	case SMTP_RCPT:
		do_rcpt(p, c);
		break;
	case SMTP_DATA:
		lmtp_begin(p);
		break;
	case SMTP_RSET:
		reset(p);
		lmtp_state_did(&p->state, SMTP_RSET);
		lmtp_reply(p, 250, "2.0.0", "ok");
		break;
	case SMTP_NOOP:
		lmtp_reply(p, 250, "2.0.0", "ok");
		break;
	case SMTP_HELP:
		lmtp_reply(p, 214, "2.0.0",
			   p->dialect == SMTP_DIALECT_SMTP ? "see RFC 5321" : "see RFC 2033");
		break;
	case SMTP_VRFY:
		lmtp_reply(p, 252, "2.5.0", "say RCPT, and see");
		break;
	default:
		/* The codec lets no other verb through in this dialect. */
		assert(c->verb == SMTP_QUIT);
		lmtp_reply(p, 221, "2.0.0", "good bye");
		lmtp_hang_up(p, "quit");
		break;
	}
}

static void refuse(struct lmtp_session *p, enum smtp_command_status status, enum smtp_verb verb)
{
	const bool fits = smtp_command_error(&p->base.out, status, verb, p->dialect);

	assert(fits);
	(void)fits;
	/* One recipient that can't be is not the client's fault. */
	if (verb != SMTP_RCPT)
		lmtp_count_bad(p);
	/* How much mail follows it, nobody knows: the next line isn't a command. */
	if (verb == SMTP_BDAT)
		lmtp_hang_up(p, "bad BDAT");
}

static void refuse_now(struct lmtp_session *p, enum lmtp_verdict verdict)
{
	const bool fits = lmtp_state_error(&p->base.out, verdict, p->dialect);

	assert(fits);
	(void)fits;
	/* Of a pipelined transaction whose MAIL or RCPTs were refused, the rest is normal. */
	if (verdict == LMTP_NO_LHLO || verdict == LMTP_NESTED_MAIL)
		lmtp_count_bad(p);
}

void lmtp_take_line(struct lmtp_session *p, enum line_status line_status, struct span line,
		    bool was_bdat)
{
	struct smtp_command c;

	p->base.progress = true;
	if (line_status == LINE_TOO_LONG) {
		lmtp_reply(p, 500, "5.5.2", "the line is too long");
		lmtp_count_bad(p);
		if (was_bdat)
			lmtp_hang_up(p, "bad BDAT");
		return;
	}

	const enum smtp_command_status status = smtp_command_parse(line, p->dialect, p->smtputf8,
								   &c);

	if (status != SMTP_COMMAND_OK) {
		refuse(p, status, c.verb);
		return;
	}

	const enum lmtp_verdict verdict = lmtp_state_may(&p->state, c.verb);

	if (c.verb == SMTP_BDAT)
		lmtp_begin_chunk(p, &c, verdict);
	else if (verdict != LMTP_MAY)
		refuse_now(p, verdict);
	else
		do_command(p, &c);
}
