/* SPDX-License-Identifier: MIT */
#include "server/listener/lmtp_session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/listener/lmtp_session_priv.h"

void lmtp_reply(struct lmtp_session *p, unsigned code, const char *enhanced, const char *text)
{
	const bool fits = smtp_reply(&p->base.out, code, enhanced, span_str(text));

	assert(fits);
	(void)fits;
}

void lmtp_hang_up(struct lmtp_session *p, const char *why)
{
	p->closing = true;
	p->reason = why;
}

static void count_bad(struct lmtp_session *p)
{
	if (++p->bad_commands >= p->base.listener->config->max_bad_commands && !p->closing) {
		lmtp_reply(p, 421, "4.7.0", "too many bad commands, good bye");
		lmtp_hang_up(p, "too many bad commands");
	}
}

static void init(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	p->file = -1;
	p->lines.max = LIMIT_SMTP_COMMAND;
	p->state.max_recipients = s->listener->config->lmtp_max_recipients;
}

static void greet(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);
	char text[LIMIT_ADDRESS + 32];

	/* Nobody logs in here: from the first octet on, silence is what counts. */
	s->logged_in = true;
	(void)snprintf(text, sizeof(text), "%s restante LMTP", s->listener->config->hostname);
	lmtp_reply(p, 220, NULL, text);
}

void lmtp_reset_storage(struct lmtp_session *p)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (!p->asked_storage || p->transaction == 0)
		return;
	ipc_start(m, IPC_DELIVER_RESET, p->base.id);
	m->deliver.transaction = p->transaction;
	(void)session_send(&p->base, IPC_STORAGE, m);
}

/* ---- commands ---- */

static void reset(struct lmtp_session *p)
{
	if (p->state.phase == LMTP_SENDER || p->state.phase == LMTP_RECIPIENT)
		lmtp_reset_storage(p);
}

static void do_lhlo(struct lmtp_session *p)
{
	const struct config *const config = p->base.listener->config;
	const struct smtp_hello hello = {
		.host = span_str(config->hostname),
		.size_limit = config->message_size_limit,
	};
	const bool fits = smtp_reply_hello(&p->base.out, &hello);

	assert(fits);
	(void)fits;
	reset(p);
	lmtp_state_did(&p->state, SMTP_LHLO);
}

/* An address becomes a C string: the codec lets no NUL through, and none that is longer. */
static void copy_address(char to[LIMIT_ADDRESS + 1], struct span from)
{
	assert(from.n <= LIMIT_ADDRESS);
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

static void do_mail(struct lmtp_session *p, const struct smtp_command *c)
{
	const uint64_t limit = p->base.listener->config->message_size_limit;

	if (c->has_size && limit != 0 && c->size > limit) {
		lmtp_reply(p, 552, "5.3.4", "the message is too large");
		return;
	}
	copy_address(p->sender, c->path.address);
	p->smtputf8 = c->smtputf8;
	p->transaction++;
	lmtp_state_did(&p->state, SMTP_MAIL);
	lmtp_reply(p, 250, "2.1.0", "sender ok");
}

static void reply_rcpt(struct lmtp_session *p, enum ipc_status status)
{
	if (status == IPC_OK) {
		lmtp_state_did(&p->state, SMTP_RCPT);
		lmtp_reply(p, 250, "2.1.5", "recipient ok");
		return;
	}
	log_event(LOG_LEVEL_INFO, "recipient-refused", log_hex("session", p->base.log_id),
		  log_str("from", p->sender), log_str("to", p->recipients[p->state.recipients]),
		  log_str("status", ipc_status_name(status)));
	if (status == IPC_NO_USER)
		lmtp_reply(p, 550, "5.1.1", "no such user here");
	else
		lmtp_reply(p, 451, "4.3.0", "cannot tell now, try again later");
}

static void do_rcpt(struct lmtp_session *p, const struct smtp_command *c)
{
	union ipc_msg *const m = &p->base.listener->msg;
	char *const address = p->recipients[p->state.recipients];

	copy_address(address, c->path.address);
	ipc_start(m, IPC_AUTH_RCPT, p->base.id);
	m->rcpt.transaction = p->transaction;
	memcpy(m->rcpt.address, address, sizeof(m->rcpt.address));
	if (!session_send(&p->base, IPC_AUTH, m)) {
		reply_rcpt(p, IPC_TEMPORARY);
		return;
	}
	p->asked_storage = true;
	p->waiting = LMTP_WAIT_RCPT;
}

static void do_command(struct lmtp_session *p, const struct smtp_command *c)
{
	switch (c->verb) {
	case SMTP_LHLO:
		do_lhlo(p);
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
		lmtp_reply(p, 214, "2.0.0", "see RFC 2033");
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

static void take_line(struct lmtp_session *p, enum line_status line_status, struct span line)
{
	struct smtp_command c;

	p->base.progress = true;
	if (line_status == LINE_TOO_LONG) {
		lmtp_reply(p, 500, "5.5.2", "the line is too long");
		count_bad(p);
		return;
	}

	const enum smtp_command_status status = smtp_command_parse(line, SMTP_DIALECT_LMTP,
								   p->smtputf8, &c);

	if (status != SMTP_COMMAND_OK) {
		const bool fits = smtp_command_error(&p->base.out, status, c.verb,
						     SMTP_DIALECT_LMTP);

		assert(fits);
		(void)fits;
		/* One recipient that can't be is not the client's fault. */
		if (c.verb != SMTP_RCPT)
			count_bad(p);
		return;
	}

	const enum lmtp_verdict verdict = lmtp_state_may(&p->state, c.verb);

	if (verdict != LMTP_MAY) {
		const bool fits = lmtp_state_error(&p->base.out, verdict);

		assert(fits);
		(void)fits;
		/* Of a pipelined transaction whose MAIL or RCPTs were refused, the rest is normal.
		 */
		if (verdict == LMTP_NO_LHLO || verdict == LMTP_NESTED_MAIL)
			count_bad(p);
		return;
	}
	do_command(p, &c);
}

static enum session_wants step(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	for (;;) {
		if (p->closing)
			return SESSION_WANTS_CLOSE;
		if (p->waiting != LMTP_WAIT_NONE)
			return SESSION_WANTS_PEER;
		if (out_room(&s->out) < SESSION_OUT_ROOM)
			return SESSION_WANTS_OUTPUT;
		if (p->n_replies > 0) {
			lmtp_next_reply(p);
			continue;
		}
		if (p->state.phase == LMTP_MESSAGE) {
			if (s->in_at == s->in_end)
				return SESSION_WANTS_INPUT;
			lmtp_take_data(p);
			continue;
		}

		struct span in = session_input(s);
		struct span line = {0};
		const enum line_status status = line_take(&p->lines, &in, &line);

		session_use(s, s->in_end - s->in_at - in.n);
		if (status == LINE_MORE)
			return SESSION_WANTS_INPUT;
		take_line(p, status, line);
	}
}

/* An answer that nobody waits for any more is dropped, and its descriptor with it. */
static void message(struct session *s, const union ipc_msg *m, int fd)
{
	struct lmtp_session *const p = lmtp_of(s);
	const enum lmtp_wait waiting = p->waiting;

	if (waiting == LMTP_WAIT_READY && m->head.type == IPC_DELIVER_READY) {
		p->waiting = LMTP_WAIT_NONE;
		lmtp_ready(p, (enum ipc_status)m->result.status, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (waiting == LMTP_WAIT_RCPT && m->head.type == IPC_AUTH_RCPT_REPLY) {
		p->waiting = LMTP_WAIT_NONE;
		reply_rcpt(p, (enum ipc_status)m->result.status);
	} else if (waiting == LMTP_WAIT_DELIVERED && m->head.type == IPC_DELIVERED) {
		p->waiting = LMTP_WAIT_NONE;
		lmtp_delivered(p, &m->delivered);
	} else {
		log_event(LOG_LEVEL_WARN, "answer-ignored", log_hex("session", s->log_id),
			  log_str("type", ipc_type_name(m->head.type)));
	}
}

/*
 * Grants that got lost with auth or storage show when DATA is said: storage then
 * counts other recipients than we, and refuses.
 */
static void peer_lost(struct session *s, enum ipc_role peer)
{
	struct lmtp_session *const p = lmtp_of(s);

	if (peer == IPC_STORAGE) {
		lmtp_data_lost(p);
	} else if (p->waiting == LMTP_WAIT_RCPT) {
		p->waiting = LMTP_WAIT_NONE;
		reply_rcpt(p, IPC_TEMPORARY);
	}
}

static void timed_out(struct session *s, enum timeout_kind kind)
{
	struct lmtp_session *const p = lmtp_of(s);

	(void)kind;
	p->reason = "idle timeout";
	if (out_room(&s->out) >= SESSION_OUT_ROOM)
		lmtp_reply(p, 421, "4.4.2", "silence for too long, good bye");
}

static bool may_drain(const struct session *s)
{
	const struct lmtp_session *const p = (const struct lmtp_session *)s;

	return p->waiting == LMTP_WAIT_NONE && p->n_replies == 0 &&
	       (p->state.phase == LMTP_CONNECTED || p->state.phase == LMTP_READY);
}

static void drained(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	p->reason = "drained";
	if (out_room(&s->out) >= SESSION_OUT_ROOM)
		lmtp_reply(p, 421, "4.3.2", "the server is being stopped, try again later");
}

static void ended(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);
	struct listener *const l = s->listener;

	if (p->waiting == LMTP_WAIT_RCPT) {
		ipc_start(&l->msg, IPC_AUTH_CANCEL, s->id);
		(void)session_send(s, IPC_AUTH, &l->msg);
	}
	if (p->asked_storage) {
		ipc_start(&l->msg, IPC_CLOSE, s->id);
		(void)session_send(s, IPC_STORAGE, &l->msg);
	}
	if (p->file >= 0)
		(void)close(p->file);
	log_event(LOG_LEVEL_DEBUG, "lmtp-end", log_hex("session", s->log_id),
		  log_str("remote", s->remote),
		  log_str("reason", p->reason != NULL ? p->reason : "disconnected"),
		  log_num("delivered", p->delivered));
}

const struct session_ops lmtp_session_ops = {
	.size = sizeof(struct lmtp_session),
	.in_cap = LMTP_IN_CAP,
	.out_cap = 4096,
	.init = init,
	.greet = greet,
	.step = step,
	.message = message,
	.peer_lost = peer_lost,
	.timed_out = timed_out,
	.may_drain = may_drain,
	.drained = drained,
	.ended = ended,
};
