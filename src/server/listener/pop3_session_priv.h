/* SPDX-License-Identifier: MIT */
/*
 * pop3_session_priv.h - one POP3 session, for the pop3_*.c of this folder:
 *
 *	pop3_session.c      the session's life, and its commands one after the other
 *	pop3_login.c        AUTHORIZATION: USER PASS APOP AUTH STLS CAPA
 *	pop3_transaction.c  TRANSACTION: STAT LIST RETR DELE NOOP RSET QUIT TOP UIDL
 *	pop3_stream.c       replies of any length, in constant memory
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "codec/dot.h"
#include "codec/index/index_record.h"
#include "codec/line.h"
#include "codec/pop3/pop3_command.h"
#include "codec/pop3/pop3_reply.h"
#include "codec/pop3/pop3_state.h"
#include "codec/pop3/pop3_top.h"
#include "server/listener/deletions.h"
#include "server/listener/listener_priv.h"
#include "server/listener/session.h"

/* Whose answer the session waits for. Commands that follow stay in the input. */
enum pop3_wait {
	POP3_WAIT_NONE,
	POP3_WAIT_LOGIN,   /* AUTH_FAILED, AUTH_CHALLENGE or OPENED */
	POP3_WAIT_MESSAGE, /* for RETR or TOP */
	POP3_WAIT_COMMIT,  /* for QUIT */
};

enum pop3_stream_kind {
	POP3_STREAM_NONE,
	POP3_STREAM_LIST,
	POP3_STREAM_UIDL,
	POP3_STREAM_RAW,  /* a message in wire form: its octets as they are */
	POP3_STREAM_RETR, /* any other message */
	POP3_STREAM_TOP,
	POP3_STREAM_DOWNGRADED, /* a message whose header is internationalised, or its TOP */
};

/*
 * Where a long reply is. It can be copied: what the socket didn't take is thrown
 * away and made again from a copy (pop3_stream.c).
 */
struct pop3_stream {
	enum pop3_stream_kind kind;
	bool ended;      /* the terminator was made */
	uint32_t number; /* LIST, UIDL: the next message; else the one that is sent */
	uint64_t offset; /* in the message's file */
	uint64_t left;   /* octets of the file still to come */
	bool top_only;   /* DOWNGRADED, whose offset is where a field begins: it is for TOP */
	struct dot_encoder encoder;
	struct pop3_top top;
};

struct pop3_session {
	struct session base;
	enum pop3_state state;
	enum pop3_wait waiting;
	bool in_sasl;     /* the next line answers a challenge */
	bool in_external; /* and it was ours, not auth's */
	bool stls;        /* +OK to STLS is on its way */
	bool closing;     /* nothing is read any more */
	bool storage_lost;
	enum pop3_language language; /* of what we say */
	bool utf8;                   /* the client has said UTF8: it gets messages as they are */
	struct line_reader lines;
	uint32_t bad_commands;
	uint64_t stamp[2];         /* what makes APOP's timestamp unique */
	const char *mechanism;     /* of the login that is tried or was right; a literal */
	char user[LIMIT_USER + 1]; /* "": no USER yet; after login: as auth knows it */

	/* TRANSACTION */
	int snapshot; /* -1, or owned */
	uint32_t count;
	uint32_t login_delay; /* the user's, as what follows */
	uint32_t expire_days;
	bool only_looks; /* "recent:": nothing will be deleted */
	uint64_t octets;
	struct deletions deleted;
	enum pop3_verb asked; /* RETR or TOP: what POP3_WAIT_MESSAGE is for */
	uint32_t asked_number;
	uint64_t asked_lines;

	/* A reply that is being sent. */
	struct pop3_stream stream;
	uint32_t stream_skip;    /* octets of what stream makes next that are sent already */
	int message;             /* -1, or owned */
	uint64_t message_octets; /* as the snapshot says */

	/* For the log */
	const char *reason; /* how it ended; NULL: the peer hung up */
	uint32_t retrieved;
	uint32_t removed;
	uint64_t retrieved_octets;
};

static inline struct pop3_session *pop3_of(struct session *s)
{
	return (struct pop3_session *)s;
}

/* ---- pop3_session.c ---- */

/* Say a text of pop3_text.h, in the session's language. */
void pop3_ok(struct pop3_session *p, const char *text);
void pop3_err(struct pop3_session *p, enum pop3_code code, const char *text);

/* A text that has places to be filled: "message {1} deleted". */
void pop3_ok_with(struct pop3_session *p, const char *text, const struct span *args, size_t n);
void pop3_err_with(struct pop3_session *p, enum pop3_code code, const char *text,
		   const struct span *args, size_t n);

/* After the reply that was just written, hangs up. why is for the log; a literal. */
void pop3_hang_up(struct pop3_session *p, const char *why);

/*
 * One more senseless command or failed login; hangs up when it is one too many. Its
 * reply is there: a second one would be taken for that of the next command.
 */
void pop3_count_bad(struct pop3_session *p);

/* ---- pop3_login.c ---- */

void pop3_login_command(struct pop3_session *p, const struct pop3_command *c);
void pop3_capa(struct pop3_session *p);

/* A line that answers a challenge, or LINE_TOO_LONG. */
void pop3_sasl_line(struct pop3_session *p, enum line_status status, struct span line);
void pop3_challenge(struct pop3_session *p, const struct ipc_sasl *m);

/*
 * Says so, and logs it with user, who is "" when nobody knows. NULL: auth has logged
 * it, with a reason that listeners aren't told.
 */
void pop3_login_failed(struct pop3_session *p, enum ipc_status status, const char *user,
		       const char *device);

/* The metrics learn of a login by p->mechanism. */
void pop3_count_login(const struct pop3_session *p, enum metric_result result);

/* "<…@host>", into text. */
void pop3_timestamp(const struct pop3_session *p, char *text, size_t size);

/* ---- pop3_transaction.c ---- */

void pop3_opened(struct pop3_session *p, const struct ipc_opened *m, int fd);
void pop3_transaction_command(struct pop3_session *p, const struct pop3_command *c);
void pop3_message(struct pop3_session *p, const struct ipc_message *m, int fd);
void pop3_committed(struct pop3_session *p, const struct ipc_committed *m);

/* ---- pop3_stream.c ---- */

void pop3_stream_list(struct pop3_session *p, enum pop3_stream_kind kind);

/* record: the snapshot's, for a message that is internationalised; else NULL will do. */
void pop3_stream_message(struct pop3_session *p, const struct ipc_message *m, int fd,
			 const struct index_record *record);

/* struct session_ops. */
int pop3_stream(struct session *s);

/* What the client sees of a message: downgraded, or as it is? And how long is it then? */
bool pop3_is_downgraded(const struct pop3_session *p, const struct index_record *record);
uint64_t pop3_octets(const struct pop3_session *p, const struct index_record *record);

/* Whatever is being sent is not sent any more. */
void pop3_stream_drop(struct pop3_session *p);

/* Record n of the snapshot. False, after a log line, when it can't be read. */
bool pop3_record(struct pop3_session *p, uint32_t n, struct index_record *ret_record);
