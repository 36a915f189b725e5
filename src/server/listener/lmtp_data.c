/* SPDX-License-Identifier: MIT */
/*
 * A message on its way in. It is written, as it comes, into a file that storage
 * has opened; nobody but storage can give it a name, and only then is it mail.
 *
 * In front of it stand Return-Path, as RFC 5321 section 4.4 asks of final delivery,
 * and Delivered-To.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/mail/mail_trace.h"
#include "server/listener/lmtp_session_priv.h"

static const struct {
	enum ipc_status status;
	unsigned code;
	const char *enhanced;
	const char *text;
} failures[LMTP_FAILURES] = {
	[LMTP_TOO_LARGE] = {IPC_PERMANENT, 552, "5.3.4", "the message is too large"},
	[LMTP_DISK_FULL] = {IPC_NO_SPACE, 452, "4.3.1", "no space left, try again later"},
	[LMTP_DISK_FAILED] = {IPC_TEMPORARY, 451, "4.3.0", "cannot be written now"},
	[LMTP_STORAGE_LOST] = {IPC_TEMPORARY, 451, "4.3.0", "the mail storage is away"},
	[LMTP_BARE_CR_LF] = {IPC_PERMANENT, 554, "5.6.0",
			     "a CR or LF stands alone in the message; lines end with CRLF"},
};

static void close_file(struct lmtp_session *p)
{
	if (p->file >= 0)
		(void)close(p->file);
	p->file = -1;
}

void lmtp_drop_message(struct lmtp_session *p)
{
	close_file(p);
	p->chunked = false;
}

/* DATA itself fails, with one reply, and so does the transaction. */
static void fail_data(struct lmtp_session *p, enum ipc_status status)
{
	if (status == IPC_NO_SPACE)
		lmtp_reply(p, 452, "4.3.1", "no space left, try again later");
	else
		lmtp_reply(p, 451, "4.3.0", "cannot take mail now, try again later");
	log_event(LOG_LEVEL_WARN, "delivery-refused", log_hex("session", p->base.log_id),
		  log_str("status", ipc_status_name(status)));
	lmtp_reset_storage(p);
	lmtp_state_did(&p->state, SMTP_RSET);
}

bool lmtp_ask_file(struct lmtp_session *p)
{
	union ipc_msg *const m = &p->base.listener->msg;

	ipc_start(m, IPC_DELIVER_BEGIN, p->base.id);
	m->deliver.transaction = p->transaction;
	m->deliver.recipients = p->state.recipients;
	if (!session_send(&p->base, IPC_STORAGE, m))
		return false;
	p->waiting = LMTP_WAIT_READY;
	session_time_begin(&p->base, METRIC_LMTP_DATA);
	return true;
}

void lmtp_begin(struct lmtp_session *p)
{
	if (!lmtp_ask_file(p))
		fail_data(p, IPC_TEMPORARY);
}

/* ---- the file ---- */

void lmtp_fail(struct lmtp_session *p, enum lmtp_failure why)
{
	if (p->failure == LMTP_NO_FAILURE)
		p->failure = why;
}

/* A page-cache write: it waits for no disk, unless memory is full of what it owes. */
static void write_file(struct lmtp_session *p, struct span text)
{
	dot_measure(&p->measure, text);
	while (text.n > 0 && p->failure == LMTP_NO_FAILURE) {
		const ssize_t n = write(p->file, text.p, text.n);

		if (n >= 0) {
			span_skip(&text, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		log_event(LOG_LEVEL_ERROR, "delivery-failed", log_hex("session", p->base.log_id),
			  log_str("error", strerror(errno)));
		lmtp_fail(p, errno == ENOSPC || errno == EDQUOT || errno == EFBIG
				     ? LMTP_DISK_FULL
				     : LMTP_DISK_FAILED);
	}
}

void lmtp_write(struct lmtp_session *p, struct span text)
{
	const uint64_t limit = p->base.listener->config->message_size_limit;

	p->octets += text.n;
	if (limit != 0 && p->octets > limit)
		lmtp_fail(p, LMTP_TOO_LARGE);
	write_file(p, text);
}

/* A Delivered-To line of one recipient must not tell the others of it. */
static bool shares_delivered_to(const struct lmtp_session *p)
{
	return p->base.listener->config->lmtp_delivered_to != CONFIG_DELIVERED_TO_NEVER &&
	       p->state.recipients == 1;
}

static bool has_own_delivered_to(const struct lmtp_session *p)
{
	return p->base.listener->config->lmtp_delivered_to == CONFIG_DELIVERED_TO_EACH &&
	       p->state.recipients > 1;
}

/* An MTA that speaks LMTP has written its own; before SMTP there is nobody who has. */
static bool put_received(const struct lmtp_session *p, struct out *o)
{
	const bool unix_socket = p->base.unix_socket;
	const bool tls = conn_is_tls(&p->base.conn);
	char id[17];

	(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)p->base.log_id);

	const struct mail_received r = {
		.from = span_str(p->host),
		.address = span_str(unix_socket ? "" : p->base.remote),
		.by = span_str(p->base.listener->config->hostname),
		.with = span_str(tls        ? "ESMTPS"
				 : p->esmtp ? "ESMTP"
					    : "SMTP"),
		.id = span_str(id),
		.seconds = clock_wall_ns() / 1000000000,
	};

	return mail_received(o, &r);
}

static void write_trace(struct lmtp_session *p)
{
	char text[2 * MAIL_TRACE_MAX + MAIL_RECEIVED_MAX];
	struct out o = {.p = text, .cap = sizeof(text)};
	bool fits = mail_return_path(&o, span_str(p->sender));

	if (shares_delivered_to(p))
		fits = fits && mail_delivered_to(&o, span_str(p->recipients[0]));
	if (p->dialect == SMTP_DIALECT_SMTP)
		fits = fits && put_received(p, &o);
	assert(fits);
	(void)fits;
	p->trace_octets = (uint32_t)o.n;
	write_file(p, out_span(&o));
}

static void open_file(struct lmtp_session *p, int fd)
{
	p->file = fd;
	p->measure = (struct dot_measure){0};
	write_trace(p);
}

/* The chunk that waits for it is read in any case, and then its sender hears. */
static void ready_for_chunks(struct lmtp_session *p, enum ipc_status status, int fd)
{
	if (status == IPC_OK)
		open_file(p, fd);
	else
		lmtp_fail(p, status == IPC_NO_SPACE ? LMTP_DISK_FULL : LMTP_STORAGE_LOST);
}

void lmtp_ready(struct lmtp_session *p, enum ipc_status status, int fd)
{
	if (p->chunked) {
		ready_for_chunks(p, status, fd);
		return;
	}
	if (status != IPC_OK) {
		fail_data(p, status);
		return;
	}
	p->decoder = (struct dot_decoder){.mode = DOT_STRICT};
	p->octets = 0;
	p->failure = LMTP_NO_FAILURE;
	open_file(p, fd);
	lmtp_state_did(&p->state, SMTP_DATA);
	lmtp_reply(p, 354, NULL, "send the message, and a line with a dot");
}

/* ---- the end of the message ---- */

static void reply_to_all(struct lmtp_session *p, enum ipc_status status)
{
	close_file(p);
	memset(p->statuses, (int)status, sizeof(p->statuses));
	p->n_replies = p->state.recipients;
	p->replied = 0;
}

static void commit(struct lmtp_session *p)
{
	union ipc_msg *const m = &p->base.listener->msg;

	close_file(p);
	ipc_start(m, IPC_DELIVER_COMMIT, p->base.id);
	m->deliver_commit.octets = p->measure.bytes;
	m->deliver_commit.dot_lines = p->measure.dot_lines;
	m->deliver_commit.prefix = has_own_delivered_to(p);
	m->deliver_commit.prefix_at = p->trace_octets;
	if (session_send(&p->base, IPC_STORAGE, m)) {
		p->waiting = LMTP_WAIT_DELIVERED;
		session_time_begin(&p->base, METRIC_LMTP_MESSAGE);
		return;
	}
	lmtp_fail(p, LMTP_STORAGE_LOST);
	reply_to_all(p, failures[p->failure].status);
}

void lmtp_end_message(struct lmtp_session *p)
{
	if (p->failure == LMTP_NO_FAILURE) {
		commit(p);
		return;
	}
	reply_to_all(p, failures[p->failure].status);
	lmtp_reset_storage(p);
}

/*
 * Said behind the end, where the sender listens: one that is still sending would
 * take the reply, or our hanging up, for a broken line, and send it all again.
 */
static void refuse_bare(struct lmtp_session *p)
{
	p->failure = LMTP_BARE_CR_LF;
	dot_decoder_relent(&p->decoder);
}

void lmtp_take_data(struct lmtp_session *p)
{
	struct session *const s = &p->base;
	/* Runs between stuffed dots may be short: they are written together. */
	struct out text = {.p = s->listener->scratch, .cap = SCRATCH_OCTETS};
	struct span in = session_input(s);
	enum dot_status status;
	struct span run;

	_Static_assert(LMTP_IN_CAP + 16 <= SCRATCH_OCTETS,
		       "all input fits, and what was held back");
	s->progress = true;
	while ((status = dot_decode(&p->decoder, &in, &run)) != DOT_MORE && status != DOT_END) {
		if (status == DOT_BAD) {
			refuse_bare(p);
			continue;
		}

		const bool fits = out_put(&text, run);

		assert(fits);
		(void)fits;
	}
	session_use(s, s->in_end - s->in_at - in.n);
	lmtp_write(p, out_span(&text));
	if (status == DOT_END)
		lmtp_end_message(p);
}

void lmtp_delivered(struct lmtp_session *p, const struct ipc_delivered *m)
{
	reply_to_all(p, IPC_TEMPORARY);
	memcpy(p->statuses, m->status, m->n < p->n_replies ? m->n : p->n_replies);
}

void lmtp_data_lost(struct lmtp_session *p)
{
	switch (p->waiting) {
	case LMTP_WAIT_READY:
		p->waiting = LMTP_WAIT_NONE;
		if (p->chunked) {
			lmtp_fail(p, LMTP_STORAGE_LOST);
			return;
		}
		fail_data(p, IPC_TEMPORARY);
		return;
	case LMTP_WAIT_DELIVERED:
		p->waiting = LMTP_WAIT_NONE;
		lmtp_fail(p, LMTP_STORAGE_LOST);
		reply_to_all(p, IPC_TEMPORARY);
		return;
	default:
		break;
	}
	/* The rest of the message is still read, for its end must be found. */
	if (p->chunked || (p->state.phase == LMTP_MESSAGE && p->n_replies == 0))
		lmtp_fail(p, LMTP_STORAGE_LOST);
}

/* ---- a reply for each ---- */

static void log_delivery(const struct lmtp_session *p, const char *recipient,
			 enum ipc_status status)
{
	log_event(status == IPC_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "delivered",
		  log_hex("session", p->base.log_id), log_str("from", p->sender),
		  log_str("to", recipient), log_num("octets", p->measure.bytes),
		  log_str(p->envid[0] != '\0' ? "envid" : NULL, p->envid),
		  log_str("status", ipc_status_name(status)));
}

void lmtp_reply_failure(struct lmtp_session *p)
{
	lmtp_reply(p, failures[p->failure].code, failures[p->failure].enhanced,
		   failures[p->failure].text);
}

/* A message that can't be taken is refused; what the sender may try again is temporary. */
static enum metric_result result_of(const struct lmtp_session *p, enum ipc_status status)
{
	if (p->failure == LMTP_TOO_LARGE || p->failure == LMTP_BARE_CR_LF)
		return METRIC_REFUSED;
	return p->failure == LMTP_NO_FAILURE && status == IPC_OK ? METRIC_OK : METRIC_TEMPORARY;
}

void lmtp_next_reply(struct lmtp_session *p)
{
	const char *const recipient = p->recipients[p->replied];
	const enum ipc_status status = (enum ipc_status)p->statuses[p->replied];

	assert(p->replied < p->n_replies);
	log_delivery(p, recipient, status);
	metric_add(METRIC_DELIVERIES + result_of(p, status), 1);
	if (p->failure != LMTP_NO_FAILURE) {
		lmtp_reply_failure(p);
	} else if (status == IPC_OK) {
		p->delivered++;
		lmtp_reply(p, 250, "2.0.0", "delivered");
	} else if (status == IPC_NO_SPACE) {
		lmtp_reply(p, 452, "4.3.1", "no space left, try again later");
	} else if (status == IPC_OVER_QUOTA) {
		lmtp_reply(p, 452, "4.2.2", LMTP_FULL);
	} else {
		lmtp_reply(p, 451, "4.3.0", "cannot be delivered now, try again later");
	}
	if (++p->replied < p->n_replies)
		return;
	p->replied = p->n_replies = 0;
	lmtp_state_message_done(&p->state);
	/* Where that message ended is what the sender may see otherwise, unless it was counted. */
	if (p->failure == LMTP_BARE_CR_LF && !p->chunked)
		lmtp_hang_up(p, "bare CR or LF");
	p->chunked = false;
}
