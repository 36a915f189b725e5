/* SPDX-License-Identifier: MIT */
/*
 * lmtp_session_priv.h - one LMTP or SMTP session, for the lmtp_*.c of this folder:
 *
 *	lmtp_session.c  the session's life
 *	lmtp_command.c  its commands
 *	lmtp_data.c     the message, from DATA to the last recipient's reply
 *	lmtp_chunks.c   how it comes by BDAT
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "codec/dot.h"
#include "codec/line.h"
#include "codec/smtp/smtp_chunk.h"
#include "codec/smtp/lmtp_state.h"
#include "codec/smtp/smtp_command.h"
#include "codec/smtp/smtp_reply.h"
#include "server/listener/listener_priv.h"
#include "server/listener/session.h"

/* Whose answer the session waits for. Commands that follow stay in the input. */
enum lmtp_wait {
	LMTP_WAIT_NONE,
	LMTP_WAIT_RCPT,      /* auth: may this address have mail? */
	LMTP_WAIT_ROOM,      /* storage: has this recipient's maildrop room for more? */
	LMTP_WAIT_READY,     /* storage: where to write */
	LMTP_WAIT_DELIVERED, /* storage: whose it is now */
};

/* Why a message that is still coming in will not be delivered. Zero: it will. */
enum lmtp_failure {
	LMTP_NO_FAILURE,
	LMTP_TOO_LARGE,
	LMTP_DISK_FULL,
	LMTP_DISK_FAILED,
	LMTP_STORAGE_LOST,
	LMTP_BARE_CR_LF,
	LMTP_FAILURES
};

#define LMTP_FULL "the mailbox is full, try again when its owner has made room"

/* Octets of a message that are read and written at a time. */
#define LMTP_IN_CAP 32768

struct lmtp_session {
	struct session base;
	enum smtp_dialect dialect;
	struct lmtp_state state;
	enum lmtp_wait waiting;
	bool closing;  /* nothing is read any more */
	bool starttls; /* 220 to STARTTLS is on its way */
	bool esmtp;    /* LHLO or EHLO, not HELO */
	bool smtputf8;
	bool asked_storage; /* it may hold something of this session */
	struct line_reader lines;
	uint32_t bad_commands;
	uint32_t transaction; /* counted up by MAIL */
	uint64_t announced;   /* SIZE of MAIL; 0: none */
	const char *reason;   /* how it ended; NULL: the peer hung up */
	uint32_t delivered;   /* copies, in all */

	/* The message that is coming in */
	int file; /* -1, or owned */
	struct dot_decoder decoder;
	struct smtp_chunks chunks;
	bool in_chunk;                   /* what comes next belongs to a BDAT */
	bool chunked;                    /* the message comes by BDAT */
	enum lmtp_verdict chunk_refused; /* LMTP_MAY, or why in_chunk is thrown away */
	struct dot_measure measure;      /* of the file, trace lines included */
	uint32_t trace_octets;           /* of its first lines, which are ours */
	uint64_t octets;                 /* of the message as it was sent */
	enum lmtp_failure failure;

	/* The replies that are still to be given: replied to n_replies - 1 */
	uint32_t replied;
	uint32_t n_replies;
	uint8_t statuses[LIMIT_RECIPIENTS]; /* enum ipc_status */

	char host[LIMIT_ADDRESS + 1]; /* what the client calls itself; SMTP only */
	char envid[LIMIT_DSN_ENVID + 1];
	char sender[LIMIT_ADDRESS + 1];
	char recipients[LIMIT_RECIPIENTS][LIMIT_ADDRESS + 1];
};

static inline struct lmtp_session *lmtp_of(struct session *s)
{
	return (struct lmtp_session *)s;
}

/* ---- lmtp_session.c ---- */

void lmtp_count_bad(struct lmtp_session *p);
void lmtp_reply(struct lmtp_session *p, unsigned code, const char *enhanced, const char *text);
void lmtp_hang_up(struct lmtp_session *p, const char *why);

/* Storage shall forget this transaction's recipients and message. */
void lmtp_reset_storage(struct lmtp_session *p);

/* A session as it is before LHLO. */
void lmtp_start_over(struct lmtp_session *p);

/* ---- lmtp_command.c ---- */

/* A line that is a command, or LINE_TOO_LONG. was_bdat: the long one began so. */
void lmtp_take_line(struct lmtp_session *p, enum line_status status, struct span line,
		    bool was_bdat);

/*
 * Auth has said whether the last recipient may have mail. If there is a quota, only
 * storage knows what is used of it, and has the last word.
 */
void lmtp_take_rcpt(struct lmtp_session *p, const struct ipc_rcpt_reply *reply);
void lmtp_reply_rcpt(struct lmtp_session *p, enum ipc_status status);

/* ---- lmtp_data.c ---- */

/* Asks storage for a file. False: nobody is there to be asked. */
bool lmtp_ask_file(struct lmtp_session *p);

/* DATA. */
void lmtp_begin(struct lmtp_session *p);
void lmtp_ready(struct lmtp_session *p, enum ipc_status status, int fd);

/* Takes all input that belongs to the message. */
void lmtp_take_data(struct lmtp_session *p);

/* What goes wrong first with a message is what its sender hears. */
void lmtp_fail(struct lmtp_session *p, enum lmtp_failure why);
void lmtp_reply_failure(struct lmtp_session *p);

/* The next octets of the message, to be kept as they are. */
void lmtp_write(struct lmtp_session *p, struct span text);

/* No more will come: delivers it, or refuses it. */
void lmtp_end_message(struct lmtp_session *p);

/* Throws away what there is of a message. */
void lmtp_drop_message(struct lmtp_session *p);
void lmtp_delivered(struct lmtp_session *p, const struct ipc_delivered *m);

/* One recipient's reply; there must be one to be given. */
void lmtp_next_reply(struct lmtp_session *p);

/* Storage is gone, whatever the message was up to. */
void lmtp_data_lost(struct lmtp_session *p);

/* ---- lmtp_chunks.c ---- */

/* BDAT, which may be done or not: its octets follow in any case. */
void lmtp_begin_chunk(struct lmtp_session *p, const struct smtp_command *c,
		      enum lmtp_verdict verdict);

/* Takes all input that belongs to the chunk. False: more must come. */
bool lmtp_take_chunk(struct lmtp_session *p);
