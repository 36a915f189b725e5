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

void lmtp_count_bad(struct lmtp_session *p)
{
	if (++p->bad_commands >= p->base.listener->config->max_bad_commands && !p->closing) {
		lmtp_reply(p, 421, "4.7.0", "too many bad commands, good bye");
		lmtp_hang_up(p, "too many bad commands");
	}
}

/*
 * SMTP has one reply for all recipients. If the disk took a message for one of them and
 * not for another, 250 would lose it and 451 would make the sender repeat what is
 * there; so there is one recipient, and the next one is told 452: come again.
 */
#define SMTP_RECIPIENTS 1

void lmtp_start_over(struct lmtp_session *p)
{
	p->lines = (struct line_reader){.max = LIMIT_SMTP_COMMAND};
	p->state = (struct lmtp_state){
		.max_recipients = p->dialect == SMTP_DIALECT_SMTP
					  ? SMTP_RECIPIENTS
					  : p->base.listener->config->lmtp_max_recipients,
	};
}

static void init(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	p->file = -1;
	lmtp_start_over(p);
}

static void init_smtp(struct session *s)
{
	lmtp_of(s)->dialect = SMTP_DIALECT_SMTP;
	init(s);
}

static void greet(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);
	char text[LIMIT_ADDRESS + 32];

	/* Nobody logs in here: from the first octet on, silence is what counts. */
	s->logged_in = true;
	(void)snprintf(text, sizeof(text), "%s %s", s->listener->config->hostname,
		       p->dialect == SMTP_DIALECT_SMTP ? "ESMTP restante" : "restante LMTP");
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

/* What was said in clear may be somebody else's words (RFC 3207 section 4.2). */
static void secured(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	p->starttls = false;
	lmtp_start_over(p);
	log_event(LOG_LEVEL_DEBUG, "tls", log_hex("session", s->log_id),
		  log_str("tls", conn_tls_version(&s->conn)),
		  log_str("cipher", conn_tls_cipher(&s->conn)));
}

static enum session_wants step(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	for (;;) {
		if (p->waiting == LMTP_WAIT_NONE)
			session_time_end(s);
		if (p->closing)
			return SESSION_WANTS_CLOSE;
		if (p->starttls)
			return SESSION_WANTS_TLS;
		if (p->waiting != LMTP_WAIT_NONE)
			return SESSION_WANTS_PEER;
		if (out_room(&s->out) < SESSION_OUT_ROOM)
			return SESSION_WANTS_OUTPUT;
		if (p->n_replies > 0) {
			lmtp_next_reply(p);
			continue;
		}
		if (p->in_chunk) {
			if (!lmtp_take_chunk(p))
				return SESSION_WANTS_INPUT;
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
		const bool is_bdat = span_starts_with_nocase(in, SPAN_LIT("BDAT"));
		const enum line_status status = line_take(&p->lines, &in, &line);

		session_use(s, s->in_end - s->in_at - in.n);
		if (status == LINE_MORE)
			return SESSION_WANTS_INPUT;
		lmtp_take_line(p, status, line, is_bdat);
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
		lmtp_take_rcpt(p, &m->rcpt_reply);
	} else if (waiting == LMTP_WAIT_ROOM && m->head.type == IPC_ROOM_REPLY) {
		p->waiting = LMTP_WAIT_NONE;
		lmtp_reply_rcpt(p, (enum ipc_status)m->result.status);
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

	if (peer == IPC_STORAGE && p->waiting != LMTP_WAIT_ROOM) {
		lmtp_data_lost(p);
	} else if (peer == IPC_STORAGE || p->waiting == LMTP_WAIT_RCPT) {
		p->waiting = LMTP_WAIT_NONE;
		lmtp_reply_rcpt(p, IPC_TEMPORARY);
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

/*
 * After a reload too: an MTA that keeps a connection to come back to would hold the old
 * listener for as long as it likes, and every MTA knows what 421 between messages means.
 */
static bool may_drain(const struct session *s)
{
	const struct lmtp_session *const p = (const struct lmtp_session *)s;

	return p->waiting == LMTP_WAIT_NONE && p->n_replies == 0 && !p->in_chunk &&
	       (p->state.phase == LMTP_CONNECTED || p->state.phase == LMTP_READY);
}

static void drained(struct session *s)
{
	struct lmtp_session *const p = lmtp_of(s);

	p->reason = "drained";
	if (out_room(&s->out) >= SESSION_OUT_ROOM)
		lmtp_reply(p, 421, "4.3.2",
			   s->listener->process->drain_seconds == IPC_DRAIN_FOREVER
				   ? "the server was reloaded, please connect again"
				   : "the server is being stopped, try again later");
}

static void describe(const struct session *s, struct ipc_session *info)
{
	const struct lmtp_session *const p = (const struct lmtp_session *)s;

	info->state = p->state.phase == LMTP_CONNECTED || p->state.phase == LMTP_READY
			      ? IPC_SESSION_IDLE
			      : IPC_SESSION_MESSAGE;
}

static void kicked(struct session *s)
{
	lmtp_of(s)->reason = "ended by the operator";
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
	.secured = secured,
	.message = message,
	.peer_lost = peer_lost,
	.timed_out = timed_out,
	.may_drain = may_drain,
	.drained = drained,
	.describe = describe,
	.kicked = kicked,
	.ended = ended,
};

const struct session_ops smtp_session_ops = {
	.size = sizeof(struct lmtp_session),
	.in_cap = LMTP_IN_CAP,
	.out_cap = 4096,
	.init = init_smtp,
	.greet = greet,
	.step = step,
	.secured = secured,
	.message = message,
	.peer_lost = peer_lost,
	.timed_out = timed_out,
	.may_drain = may_drain,
	.drained = drained,
	.describe = describe,
	.kicked = kicked,
	.ended = ended,
};
