/* SPDX-License-Identifier: MIT */
#include "server/listener/pop3_session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"
#include "server/listener/pop3_session_priv.h"

/* Texts are ours, and what they are filled with is numbers and verbs. */
#define TEXT_MAX 256

void pop3_ok(struct pop3_session *p, const char *text)
{
	const bool fits = pop3_reply_ok(&p->base.out, pop3_text(p->language, text));

	assert(fits);
	(void)fits;
}

void pop3_err(struct pop3_session *p, enum pop3_code code, const char *text)
{
	const bool fits = pop3_reply_err(&p->base.out, code, pop3_text(p->language, text));

	assert(fits);
	(void)fits;
}

void pop3_ok_with(struct pop3_session *p, const char *text, const struct span *args, size_t n)
{
	char memory[TEXT_MAX];
	struct out o = {.p = memory, .cap = sizeof(memory)};
	const bool fits = pop3_text_fill(&o, p->language, text, args, n) &&
			  pop3_reply_ok(&p->base.out, out_span(&o));

	assert(fits);
	(void)fits;
}

void pop3_err_with(struct pop3_session *p, enum pop3_code code, const char *text,
		   const struct span *args, size_t n)
{
	char memory[TEXT_MAX];
	struct out o = {.p = memory, .cap = sizeof(memory)};
	const bool fits = pop3_text_fill(&o, p->language, text, args, n) &&
			  pop3_reply_err(&p->base.out, code, out_span(&o));

	assert(fits);
	(void)fits;
}

void pop3_hang_up(struct pop3_session *p, const char *why)
{
	p->closing = true;
	p->reason = why;
}

void pop3_count_bad(struct pop3_session *p)
{
	if (++p->bad_commands >= p->base.listener->config->max_bad_commands && !p->closing)
		pop3_hang_up(p, "too many bad commands");
}

static void init(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);

	p->lines.max = LIMIT_POP3_COMMAND;
	p->snapshot = p->message = -1;
}

static void greet(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);
	char text[160] = "restante is ready";

	if (config_offers_apop(s->listener->config)) {
		p->stamp[0] = rand_u64();
		p->stamp[1] = clock_wall_ns();
		(void)snprintf(text, sizeof(text), "restante is ready ");
		pop3_timestamp(p, text + strlen(text), sizeof(text) - strlen(text));
	}
	pop3_ok(p, text);
}

static void do_lang(struct pop3_session *p, const struct pop3_command *c)
{
	bool fits = true;

	if (c->language.n == 0)
		fits = pop3_reply_languages(&p->base.out, p->language);
	else if (pop3_language_find(c->language, &p->language))
		fits = pop3_reply_language(&p->base.out, p->language);
	else
		pop3_err(p, POP3_CODE_NONE, "LANG: no such language here");
	assert(fits);
	(void)fits;
}

static void run_command(struct pop3_session *p, struct span line)
{
	struct pop3_command c;
	const enum pop3_command_status status = pop3_command_parse(line, p->state, &c);

	if (status != POP3_COMMAND_OK) {
		pop3_err(p, POP3_CODE_NONE, pop3_command_error(status, c.verb, p->state));
		pop3_count_bad(p);
		return;
	}
	session_time_begin(&p->base, (enum metric_timed)c.verb);
	if (c.verb == POP3_CAPA) {
		pop3_capa(p);
	} else if (c.verb == POP3_LANG) {
		do_lang(p, &c);
	} else if (p->state == POP3_AUTHORIZATION) {
		pop3_login_command(p, &c);
	} else {
		pop3_transaction_command(p, &c);
	}
}

/* RFC 5034 limits AUTH to a command's length, but tokens are longer, and clients don't know. */
static size_t line_limit(const struct pop3_session *p, struct span in)
{
	const bool sasl = p->in_sasl || (p->state == POP3_AUTHORIZATION &&
					 span_starts_with_nocase(in, SPAN_LIT("AUTH ")));

	return sasl ? LIMIT_SASL_LINE : LIMIT_POP3_COMMAND;
}

static enum line_status next_line(struct pop3_session *p, struct span *in, struct span *ret_line)
{
	/* What is left of a line that was too long may begin like AUTH, and what follows is none.
	 */
	if (!line_skip_rest(&p->lines, in))
		return LINE_MORE;
	p->lines.max = line_limit(p, *in);
	return line_take(&p->lines, in, ret_line);
}

/* A line so far unfinished fills the buffer: it is a SASL line. */
static bool make_room(struct pop3_session *p)
{
	struct session *const s = &p->base;

	if (s->in_end - s->in_at < s->in_cap)
		return true;
	if (session_grow_input(s, LIMIT_SASL_LINE) == 0)
		return true;
	pop3_err(p, POP3_CODE_SYS_TEMP, "AUTH: no memory for such a long line");
	pop3_hang_up(p, "no memory");
	return false;
}

static void take_line(struct pop3_session *p, enum line_status status, struct span line)
{
	p->base.progress = true;
	if (p->in_sasl) {
		pop3_sasl_line(p, status, line);
	} else if (status == LINE_TOO_LONG) {
		pop3_err(p, POP3_CODE_NONE, "the line is too long");
		pop3_count_bad(p);
	} else {
		run_command(p, line);
	}
}

static enum session_wants step(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);

	for (;;) {
		if (p->waiting == POP3_WAIT_NONE)
			session_time_end(s);
		if (p->stream.kind != POP3_STREAM_NONE)
			return SESSION_WANTS_OUTPUT;
		if (p->closing)
			return SESSION_WANTS_CLOSE;
		if (p->stls)
			return SESSION_WANTS_TLS;
		if (out_room(&s->out) < SESSION_OUT_ROOM)
			return SESSION_WANTS_OUTPUT;
		if (p->storage_lost) {
			pop3_err(p, POP3_CODE_SYS_TEMP, "the mail storage went away, log in again");
			pop3_hang_up(p, "storage lost");
			continue;
		}
		if (p->waiting != POP3_WAIT_NONE)
			return SESSION_WANTS_PEER;

		const bool secret = p->state == POP3_AUTHORIZATION;
		struct span in = session_input(s);
		struct span used = in;
		struct span line = {0};
		const enum line_status status = next_line(p, &in, &line);

		used.n -= in.n;
		session_use(s, used.n);
		if (status != LINE_MORE)
			take_line(p, status, line);
		/* Also what was too long: it may be a password all the same. */
		if (secret)
			secret_wipe((char *)used.p, used.n);
		if (status == LINE_MORE && make_room(p))
			return SESSION_WANTS_INPUT;
	}
}

static void secured(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);

	/* What was said in clear may be somebody else's words (RFC 2595 section 4). */
	p->stls = false;
	p->user[0] = '\0';
	p->language = POP3_LANGUAGE_I_DEFAULT;
	p->utf8 = false;
	p->lines = (struct line_reader){.max = LIMIT_POP3_COMMAND};
	log_event(LOG_LEVEL_DEBUG, "tls", log_hex("session", s->log_id),
		  log_str("tls", conn_tls_version(&s->conn)),
		  log_str("cipher", conn_tls_cipher(&s->conn)));
}

/* An answer that nobody waits for any more is dropped, and its descriptor with it. */
static void message(struct session *s, const union ipc_msg *m, int fd)
{
	struct pop3_session *const p = pop3_of(s);
	const enum pop3_wait waiting = p->waiting;

	if (waiting == POP3_WAIT_LOGIN && m->head.type == IPC_OPENED) {
		p->waiting = POP3_WAIT_NONE;
		pop3_opened(p, &m->opened, fd);
		return;
	}
	if (waiting == POP3_WAIT_MESSAGE && m->head.type == IPC_MESSAGE &&
	    m->message.number == p->asked_number) {
		p->waiting = POP3_WAIT_NONE;
		pop3_message(p, &m->message, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (waiting == POP3_WAIT_LOGIN && m->head.type == IPC_AUTH_CHALLENGE) {
		p->waiting = POP3_WAIT_NONE;
		pop3_challenge(p, &m->sasl);
	} else if (waiting == POP3_WAIT_LOGIN && m->head.type == IPC_AUTH_FAILED) {
		p->waiting = POP3_WAIT_NONE;
		pop3_login_failed(p, (enum ipc_status)m->result.status, NULL, "");
	} else if (waiting == POP3_WAIT_COMMIT && m->head.type == IPC_COMMITTED) {
		p->waiting = POP3_WAIT_NONE;
		pop3_committed(p, &m->committed);
	} else {
		log_event(LOG_LEVEL_WARN, "answer-ignored", log_hex("session", s->log_id),
			  log_str("type", ipc_type_name(m->head.type)));
	}
}

/*
 * A login that is under way may still be granted by the other process, so its
 * session takes a new id and a late OPENED is nobody's. A maildrop is lost with
 * storage; a message that is being sent is finished first.
 */
static void peer_lost(struct session *s, enum ipc_role peer)
{
	struct pop3_session *const p = pop3_of(s);

	if (p->waiting == POP3_WAIT_LOGIN || p->in_sasl) {
		p->waiting = POP3_WAIT_NONE;
		session_renew_id(s);
		pop3_login_failed(p, IPC_TEMPORARY, "", "");
	} else if (peer == IPC_STORAGE && p->state != POP3_AUTHORIZATION) {
		p->waiting = POP3_WAIT_NONE;
		p->storage_lost = true;
	}
}

/*
 * RFC 1939 section 3: an autologout closes without a word. Who waits for auth or
 * storage didn't sleep, though, and is told.
 */
static void timed_out(struct session *s, enum timeout_kind kind)
{
	struct pop3_session *const p = pop3_of(s);

	p->reason = kind == TIMEOUT_LOGIN ? "login timeout" : "idle timeout";
	if (p->waiting != POP3_WAIT_NONE && out_room(&s->out) >= SESSION_OUT_ROOM)
		pop3_err(p, POP3_CODE_SYS_TEMP, "this takes too long, try again later");
}

/* After a reload everybody may go on; when the server stops, who isn't logged in may not. */
static bool may_drain(const struct session *s)
{
	const struct pop3_session *const p = (const struct pop3_session *)s;

	return s->listener->process->drain_seconds != IPC_DRAIN_FOREVER &&
	       p->state == POP3_AUTHORIZATION && p->waiting == POP3_WAIT_NONE;
}

static void drained(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);

	if (out_room(&s->out) >= SESSION_OUT_ROOM)
		pop3_err(p, POP3_CODE_SYS_TEMP, "the server is being stopped, try again later");
}

static void describe(const struct session *s, struct ipc_session *info)
{
	const struct pop3_session *const p = (const struct pop3_session *)s;

	info->state = p->waiting == POP3_WAIT_COMMIT   ? IPC_SESSION_UPDATE
		      : p->state == POP3_AUTHORIZATION ? IPC_SESSION_AUTHORIZATION
		      : p->state == POP3_TRANSACTION   ? IPC_SESSION_TRANSACTION
						       : IPC_SESSION_UPDATE;
	if (!s->logged_in)
		return;
	info->maildrop = p->snapshot >= 0;
	info->messages = p->count;
	info->marked = p->deleted.marked;
	memcpy(info->user, p->user, sizeof(info->user));
}

static void kicked(struct session *s)
{
	pop3_of(s)->reason = "ended by the operator";
}

static void ended(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);
	struct listener *const l = s->listener;
	const bool in_login = p->waiting == POP3_WAIT_LOGIN || p->in_sasl;

	if (in_login) {
		ipc_start(&l->msg, IPC_AUTH_CANCEL, s->id);
		(void)session_send(s, IPC_AUTH, &l->msg);
	}
	/* The maildrop is free before anything else is done. */
	if (in_login || p->snapshot >= 0) {
		ipc_start(&l->msg, IPC_CLOSE, s->id);
		(void)session_send(s, IPC_STORAGE, &l->msg);
	}
	pop3_stream_drop(p);
	if (p->snapshot >= 0)
		(void)close(p->snapshot);
	if (s->logged_in)
		metric_sub(METRIC_LOGGED_IN, 1);
	if (s->logged_in)
		log_event(LOG_LEVEL_INFO, "logout", log_hex("session", s->log_id),
			  log_str("user", p->user), log_str("remote", s->remote),
			  log_str("reason", p->reason != NULL ? p->reason : "disconnected"),
			  log_num("retr", p->retrieved), log_num("octets", p->retrieved_octets),
			  log_num("deleted", p->removed), log_num("messages", p->count));
	else if (p->reason != NULL)
		log_event(LOG_LEVEL_INFO, "login-aborted", log_hex("session", s->log_id),
			  log_str("remote", s->remote), log_str("reason", p->reason));
	deletions_clear(&p->deleted);
	p->snapshot = -1;
}

const struct session_ops pop3_session_ops = {
	.size = sizeof(struct pop3_session),
	/* Several commands of a client that pipelines; a client that sends more waits. */
	.in_cap = 1024,
	.out_cap = 2048,
	.alpn = "pop3",
	.init = init,
	.greet = greet,
	.step = step,
	.stream = pop3_stream,
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
