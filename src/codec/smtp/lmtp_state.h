/* SPDX-License-Identifier: MIT */
/*
 * lmtp_state.h - what an LMTP session may say when (RFC 2033 section 4, RFC 5321
 * section 4.1.4), and what leads from one state to the next.
 *
 *	CONNECTED ──LHLO──► READY ──MAIL──► SENDER ──RCPT──► RECIPIENT ──DATA──► MESSAGE
 *	                    ▲   ▲                              │  │  ▲            ▲ │
 *	                    │   ├──── RSET, LHLO ──────────────┘  │  └─ RCPT      │ │
 *	                    │   └──── RSET, LHLO ───── CHUNKS ◄───┘ BDAT          │ │
 *	                    │                            └───── the last chunk ───┘ │
 *	                    └───────────────── all replies are given ───────────────┘
 *
 * SMTP says EHLO or HELO in the place of LHLO. STARTTLS leads back to CONNECTED (RFC
 * 3207 section 4.2): zero the state, and set max_recipients again.
 *
 * Ask lmtp_state_may() when a command comes, and tell lmtp_state_did() when it has
 * succeeded: a RCPT that was refused is no recipient. After DATA there are no
 * commands until the message has ended and each recipient's reply is given. Between
 * chunks there are: none of them may change who gets the message.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "codec/smtp/smtp_command.h"

enum lmtp_phase {
	LMTP_CONNECTED, /* zero: a zeroed state is a new session */
	LMTP_READY,
	LMTP_SENDER,    /* MAIL was taken */
	LMTP_RECIPIENT, /* and at least one RCPT */
	LMTP_CHUNKS,    /* BDAT was taken, the last one wasn't yet */
	LMTP_MESSAGE,   /* after 354, or in the last chunk */
	LMTP_ENDED,
	LMTP_PHASES
};

/* Set max_recipients, zero the rest. */
struct lmtp_state {
	enum lmtp_phase phase;
	uint32_t recipients; /* accepted in this transaction */
	uint32_t max_recipients;
};

enum lmtp_verdict {
	LMTP_MAY,
	LMTP_NO_LHLO,      /* 503 5.5.1 */
	LMTP_NESTED_MAIL,  /* 503 5.5.1 */
	LMTP_NO_SENDER,    /* 503 5.5.1: RCPT, DATA or BDAT before MAIL */
	LMTP_NO_RECIPIENT, /* 503 5.5.1: DATA, but no RCPT was accepted (RFC 2033 section 4.2) */
	LMTP_IN_CHUNKS,    /* 503 5.5.1: MAIL, RCPT or DATA after BDAT (RFC 3030 section 2) */
	LMTP_TOO_MANY_RECIPIENTS, /* 452 4.5.3 (RFC 5321 section 4.5.3.1.10): the rest comes later
				   */
	LMTP_VERDICTS
};

/* May this command, well-formed and of LMTP's dialect, be done now? */
enum lmtp_verdict lmtp_state_may(const struct lmtp_state *s, enum smtp_verb verb);

/* It was allowed, and has succeeded. DATA: 354 is about to be said; BDAT: its octets follow. */
void lmtp_state_did(struct lmtp_state *s, enum smtp_verb verb);

/* The chunk that is being read is the last one. */
void lmtp_state_last_chunk(struct lmtp_state *s);

/* The message has ended and its replies are given: the transaction is over. */
void lmtp_state_message_done(struct lmtp_state *s);

/* Appends the reply to a command that may not be done. False: no room (SMTP_COMMAND_ERROR_MAX). */
bool lmtp_state_error(struct out *out, enum lmtp_verdict verdict, enum smtp_dialect dialect);

/* "READY", for logs. */
const char *lmtp_phase_name(enum lmtp_phase phase);
