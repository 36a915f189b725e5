/* SPDX-License-Identifier: MIT */
/*
 * Replies of any length in constant memory: LIST and UIDL from the snapshot, RETR
 * and TOP from a message's descriptor.
 *
 * What is sent next is made in memory that all sessions share, and what the socket
 * doesn't take is thrown away: the session keeps only the state before it
 * (struct pop3_stream) and how many octets of it are sent (stream_skip). Making it
 * again costs a slow reader's share of a processor, but no memory. A message in
 * wire form on a connection in clear needs not even that: sendfile(2).
 *
 *	         p->out            made from p->stream
 *	  ┌──────────────────┬───────────────────────────────┐
 *	  │ "+OK 120 octets" │ skip │  text …                 │ scratch_out
 *	  └──────────────────┴───────────────────────────────┘
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "codec/mail/downgrade.h"
#include "server/listener/pop3_session_priv.h"

/*
 * One session's share of a turn of the loop. sendfile copies nothing, so its share is
 * what a socket holds: less, and the kernel's queue is never full, and it sends small
 * pieces to a reader that is woken for each.
 */
#define SENDFILE_SHARE (4U << 20)
#define MADE_SHARE (4 * SCRATCH_OCTETS)

/* Below this, reading and sending in one piece is cheaper than sendfile in three calls. */
#define SENDFILE_MIN (32U << 10)

#define RECORDS_AT_ONCE (SCRATCH_OCTETS / INDEX_RECORD_SIZE)

/* ---- the snapshot ---- */

/* Reads records first to first+n-1. The number read; 0 for none, after a log line. */
static uint32_t read_records(struct pop3_session *p, uint32_t first, uint32_t n, char *to)
{
	const off_t at = INDEX_HEADER_SIZE + (off_t)(first - 1) * INDEX_RECORD_SIZE;
	ssize_t got;

	do {
		got = pread(p->snapshot, to, (size_t)n * INDEX_RECORD_SIZE, at);
	} while (got < 0 && errno == EINTR);
	if (got >= INDEX_RECORD_SIZE)
		return (uint32_t)(got / INDEX_RECORD_SIZE);
	log_event(LOG_LEVEL_ERROR, "snapshot-failed", log_hex("session", p->base.log_id),
		  log_str("user", p->user), log_num("message", first),
		  log_str("error", got < 0 ? strerror(errno) : "it ends too early"));
	return 0;
}

static bool decode(struct pop3_session *p, uint32_t n, const char *from,
		   struct index_record *ret_record)
{
	if (index_record_decode(from, ret_record))
		return true;
	log_event(LOG_LEVEL_ERROR, "snapshot-failed", log_hex("session", p->base.log_id),
		  log_str("user", p->user), log_num("message", n),
		  log_str("error", "the record is damaged"));
	return false;
}

bool pop3_record(struct pop3_session *p, uint32_t n, struct index_record *ret_record)
{
	char bytes[INDEX_RECORD_SIZE];

	return read_records(p, n, 1, bytes) == 1 && decode(p, n, bytes, ret_record);
}

void pop3_stream_list(struct pop3_session *p, enum pop3_stream_kind kind)
{
	p->stream = (struct pop3_stream){.kind = kind, .number = 1};
	p->stream_skip = 0;
}

static bool put_line(const struct pop3_session *p, struct out *o, enum pop3_stream_kind kind,
		     uint32_t n, const struct index_record *record)
{
	return kind == POP3_STREAM_LIST ? pop3_reply_list_line(o, n, pop3_octets(p, record))
					: pop3_reply_uidl_line(o, n, index_record_uidl(record));
}

static int make_list(struct pop3_session *p, struct pop3_stream *st, struct out *o)
{
	char *const block = p->base.listener->scratch;
	uint32_t first = 0; /* records first to first+n-1 are in block */
	uint32_t n = 0;
	struct index_record record;

	for (; st->number <= p->count; st->number++) {
		if (deletions_has(&p->deleted, st->number))
			continue;
		if (out_room(o) < POP3_SCAN_LINE_MAX)
			return 0;
		if (n == 0 || st->number - first >= n) {
			const uint32_t more = p->count - st->number + 1;

			first = st->number;
			n = read_records(p, first, more < RECORDS_AT_ONCE ? more : RECORDS_AT_ONCE,
					 block);
			if (n == 0)
				return -EIO;
		}
		if (!decode(p, st->number, block + (size_t)(st->number - first) * INDEX_RECORD_SIZE,
			    &record))
			return -EIO;

		const bool fits = put_line(p, o, st->kind, st->number, &record);

		assert(fits);
		(void)fits;
	}
	st->ended = pop3_reply_end(o);
	return 0;
}

/* ---- messages ---- */

void pop3_stream_message(struct pop3_session *p, const struct ipc_message *m, int fd,
			 const struct index_record *record)
{
	const bool downgraded = record != NULL && pop3_is_downgraded(p, record);
	enum pop3_stream_kind kind = POP3_STREAM_RETR;
	bool fits;

	p->message = fd;
	p->message_octets = downgraded ? pop3_octets(p, record) : m->octets;
	if (downgraded)
		kind = POP3_STREAM_DOWNGRADED;
	else if (p->asked == POP3_TOP)
		kind = POP3_STREAM_TOP;
	else if ((m->flags & INDEX_CRLF) != 0 && (m->flags & INDEX_NO_DOT) != 0 &&
		 (m->flags & INDEX_NO_EOL) == 0)
		kind = POP3_STREAM_RAW;
	p->stream = (struct pop3_stream){
		.kind = kind,
		.number = m->number,
		.offset = m->offset,
		.left = m->bytes,
		.top_only = p->asked == POP3_TOP,
		.top = {.lines = p->asked_lines},
	};
	p->stream_skip = 0;
	fits = p->asked == POP3_TOP ? pop3_reply_ok(&p->base.out, span_of(NULL, 0))
				    : pop3_reply_retr(&p->base.out, p->language, p->message_octets);
	assert(fits);
	(void)fits;
}

/* Reads up to n octets of the message. What is shorter than storage said can't be sent. */
static ssize_t read_message(struct pop3_session *p, const struct pop3_stream *st, char *to,
			    size_t n)
{
	ssize_t got;

	if (n > st->left)
		n = (size_t)st->left;
	do {
		got = pread(p->message, to, n, (off_t)st->offset);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		return got;
	log_event(LOG_LEVEL_ERROR, "message-failed", log_hex("session", p->base.log_id),
		  log_str("user", p->user), log_num("message", st->number),
		  log_str("error", got < 0 ? strerror(errno) : "the file became shorter"));
	return -EIO;
}

static void advance(struct pop3_stream *st, size_t n)
{
	st->offset += n;
	st->left -= n;
}

/* What was measured can be made: somebody has written to the file since. */
static int changed_header(const struct pop3_session *p, const struct pop3_stream *st)
{
	log_event(LOG_LEVEL_ERROR, "message-failed", log_hex("session", p->base.log_id),
		  log_str("user", p->user), log_num("message", st->number),
		  log_str("error", "its header has changed"));
	return -EIO;
}

static int make_raw(struct pop3_session *p, struct pop3_stream *st, struct out *o)
{
	while (st->left > 0 && out_room(o) > 0) {
		const ssize_t n = read_message(p, st, o->p + o->n, out_room(o));

		if (n < 0)
			return (int)n;
		o->n += (size_t)n;
		advance(st, (size_t)n);
		st->encoder.octets += (size_t)n;
	}
	if (st->left == 0)
		st->ended = pop3_reply_end(o);
	return 0;
}

static bool text_is_over(const struct pop3_stream *st)
{
	return st->left == 0 || (st->kind == POP3_STREAM_TOP && pop3_top_done(&st->top));
}

static int make_encoded(struct pop3_session *p, struct pop3_stream *st, struct out *o)
{
	char *const block = p->base.listener->scratch;

	/* An octet becomes two at most: all that is read finds room. */
	while (!text_is_over(st) && out_room(o) >= 2) {
		const size_t half = out_room(o) / 2;
		const ssize_t n = read_message(p, st, block,
					       half < SCRATCH_OCTETS ? half : SCRATCH_OCTETS);

		if (n < 0)
			return (int)n;

		struct span text = span_of(block, (size_t)n);

		if (st->kind == POP3_STREAM_TOP)
			text.n = pop3_top_take(&st->top, text);
		dot_encode(&st->encoder, &text, o);
		assert(text.n == 0);
		advance(st, (size_t)n);
	}
	if (text_is_over(st))
		st->ended = dot_encode_end(&st->encoder, o);
	return 0;
}

/*
 * Of scratch, the one part is read into and the other one written to. A field that the
 * store has measured fits into each.
 */
#define FIELDS_READ (DOWNGRADE_FIELD_MAX + 1)
_Static_assert(FIELDS_READ + DOWNGRADE_OUT_MAX <= SCRATCH_OCTETS, "scratch holds both");

/* As much as dot_encode() will write of whole lines. */
static size_t encoded_octets(struct span lines)
{
	struct dot_measure m = {0};

	dot_measure(&m, lines);
	return (size_t)(m.bytes + m.bare_lf + m.dot_lines);
}

/* One field, if there is room for what becomes of it. 1, 0 when there is none, -EIO. */
static int make_field(struct pop3_session *p, struct pop3_stream *st, struct span field,
		      struct out *o)
{
	struct out text = {.p = p->base.listener->scratch + FIELDS_READ, .cap = DOWNGRADE_OUT_MAX};
	struct span lines;

	if (field.n > DOWNGRADE_FIELD_MAX || !downgrade_field(field, &text))
		return -EIO;
	lines = out_span(&text);
	if (st->top_only)
		lines.n = pop3_top_take(&st->top, lines);
	if (encoded_octets(lines) > out_room(o))
		return 0;
	dot_encode(&st->encoder, &lines, o);
	advance(st, field.n);
	return 1;
}

/* The header, field by field; then it is a message like others. */
static int make_downgraded(struct pop3_session *p, struct pop3_stream *st, struct out *o)
{
	while (st->left > 0) {
		const ssize_t n = read_message(p, st, p->base.listener->scratch, FIELDS_READ);
		struct span in = span_of(p->base.listener->scratch, n > 0 ? (size_t)n : 0);
		const bool whole = n > 0 && (uint64_t)n == st->left;
		enum downgrade_part part;
		struct span field;
		unsigned fields = 0;

		if (n < 0)
			return (int)n;
		while ((part = downgrade_next(&in, whole, &field)) == DOWNGRADE_FIELD) {
			const struct pop3_top before = st->top;
			const int r = make_field(p, st, field, o);

			if (r <= 0) {
				st->top = before;
				return r < 0 ? changed_header(p, st) : 0;
			}
			fields++;
		}
		if (part == DOWNGRADE_BODY)
			break;
		if (fields == 0)
			return changed_header(p, st);
	}
	st->kind = st->top_only ? POP3_STREAM_TOP : POP3_STREAM_RETR;
	return 0;
}

/* ---- sending ---- */

/* Appends what comes next as far as there is room. 0, or it can't be had. */
static int make(struct pop3_session *p, struct pop3_stream *st, struct out *o)
{
	int r;

	switch (st->kind) {
	case POP3_STREAM_LIST:
	case POP3_STREAM_UIDL:
		return make_list(p, st, o);
	case POP3_STREAM_RAW:
		return make_raw(p, st, o);
	case POP3_STREAM_RETR:
	case POP3_STREAM_TOP:
		return make_encoded(p, st, o);
	case POP3_STREAM_DOWNGRADED:
		r = make_downgraded(p, st, o);
		return r < 0 || st->kind == POP3_STREAM_DOWNGRADED ? r : make_encoded(p, st, o);
	case POP3_STREAM_NONE:
		break;
	}
	return -EIO;
}

void pop3_stream_drop(struct pop3_session *p)
{
	if (p->message >= 0)
		(void)close(p->message);
	p->message = -1;
	p->stream.kind = POP3_STREAM_NONE;
}

/* All of it is sent. */
static void finish(struct pop3_session *p)
{
	const struct pop3_stream *const st = &p->stream;

	if (st->kind == POP3_STREAM_RAW || st->kind == POP3_STREAM_RETR) {
		p->retrieved++;
		metric_add(METRIC_RETRIEVED, 1);
		p->retrieved_octets += st->encoder.octets;
		/* The client trusted LIST. This can only be a message changed in place. */
		if (st->encoder.octets != p->message_octets)
			log_event(LOG_LEVEL_WARN, "wrong-size", log_hex("session", p->base.log_id),
				  log_str("user", p->user), log_num("message", st->number),
				  log_num("listed", p->message_octets),
				  log_num("sent", st->encoder.octets));
	}
	pop3_stream_drop(p);
}

/* n octets of what was made from p->stream, behind those to skip, are sent. */
static int move_on(struct pop3_session *p, const struct pop3_stream *after, size_t made, size_t n)
{
	struct pop3_stream st = p->stream;
	const size_t sent = p->stream_skip + n;
	struct out again = {.p = p->base.listener->scratch_out, .cap = sent};

	if (n == 0)
		return 0;
	if (sent == made) {
		p->stream = *after;
		p->stream_skip = 0;
		return 0;
	}
	/* Whole steps go into the state, what is left of the last one is skipped next time. */
	if (make(p, &st, &again) < 0)
		return -EIO;
	p->stream = st;
	p->stream_skip = (uint32_t)(sent - again.n);
	return 0;
}

/* Sends what is in p->out and as much of the stream as fits behind it. Octets, or the error. */
static ssize_t send_made(struct pop3_session *p)
{
	struct session *const s = &p->base;
	const size_t before = s->out.n - s->out_at;
	char *const buffer = s->listener->scratch_out;
	struct out o = {.p = buffer + before, .cap = SCRATCH_OCTETS - before};
	struct pop3_stream after = p->stream;
	size_t sent = 0;
	int r;

	/* The stream begins only when all before it is sent. */
	assert(before == 0 || p->stream_skip == 0);
	memcpy(buffer, s->out.p + s->out_at, before);
	r = make(p, &after, &o);
	if (r < 0)
		return r;

	const char *const from = buffer + p->stream_skip;
	const size_t all = before + o.n - p->stream_skip;
	ssize_t n = 0;

	/* TLS takes a record at a time. */
	while (sent < all) {
		n = conn_write(&s->conn, from + sent, all - sent, !after.ended);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	if (n < 0 && n != -EAGAIN)
		return n;
	if (sent > 0)
		s->progress = true;
	if (sent < before) {
		s->out_at += (uint32_t)sent;
		return -EAGAIN;
	}
	s->out.n = s->out_at = 0;
	r = move_on(p, &after, o.n, sent - before);
	if (r < 0)
		return r;
	return sent < all ? -EAGAIN : (ssize_t)sent;
}

/* As send_made(), without touching the octets. */
static ssize_t send_file(struct pop3_session *p)
{
	struct session *const s = &p->base;
	struct pop3_stream *const st = &p->stream;
	const int r = session_flush(s, true);

	if (r < 0)
		return r;

	const ssize_t n = conn_sendfile(&s->conn, p->message, st->offset,
					st->left < SENDFILE_SHARE ? (size_t)st->left
								  : SENDFILE_SHARE);

	if (n == 0) {
		log_event(LOG_LEVEL_ERROR, "message-failed", log_hex("session", s->log_id),
			  log_str("user", p->user), log_num("message", st->number),
			  log_str("error", "the file became shorter"));
		return -EIO;
	}
	if (n > 0) {
		s->progress = true;
		advance(st, (size_t)n);
		st->encoder.octets += (uint64_t)n;
	}
	return n;
}

static bool wants_sendfile(const struct pop3_session *p)
{
	return p->stream.kind == POP3_STREAM_RAW && p->stream_skip == 0 &&
	       p->stream.left >= SENDFILE_MIN && conn_can_sendfile(&p->base.conn);
}

int pop3_stream(struct session *s)
{
	struct pop3_session *const p = pop3_of(s);
	size_t share = 0;

	if (p->stream.kind == POP3_STREAM_NONE)
		return session_flush(s, false);
	while (!p->stream.ended) {
		const bool by_file = wants_sendfile(p);
		const ssize_t n = by_file ? send_file(p) : send_made(p);

		if (n < 0) {
			if (n != -EAGAIN)
				p->reason = "broken off while sending";
			return (int)n;
		}
		share += (size_t)n;
		if (!p->stream.ended && share >= (by_file ? SENDFILE_SHARE : MADE_SHARE))
			return -EAGAIN;
	}
	finish(p);
	return 0;
}
