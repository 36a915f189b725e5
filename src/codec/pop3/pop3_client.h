/* SPDX-License-Identifier: MIT */
/*
 * pop3_client.h - the client's side of a POP3 session without I/O: commands are
 * written into memory, and replies are read from memory as events (RFC 1939,
 * RFC 2449, RFC 2595 section 4, RFC 5034).
 *
 * The caller moves the octets. In turn it
 *
 *	- writes commands with pop3_client_send() and sends what *out holds,
 *	- keeps what has arrived in a buffer of LIMIT_POP3_REPLY octets at least, and
 *	  pulls events from it until there are no more.
 *
 * Commands may be sent ahead (PIPELINING): each reply is matched with the command
 * that it answers, from the same rows that the server reads (pop3_command.h).
 *
 * A server that is old or careless is understood: "+ok", "+OK" and "-ERR" with any
 * space or none behind them, lines that end with LF alone. One that says what can't
 * be an answer to what was asked isn't: POP3_CLIENT_BAD is final, for from then on it
 * is anybody's guess which message a reply is about. The connection must then be
 * closed without QUIT, so that nothing is deleted.
 *
 * Text, lines and messages are the server's octets: any of them may be a control
 * octet or no UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"
#include "codec/dot.h"
#include "codec/line.h"
#include "codec/pop3/pop3_command.h"
#include "codec/pop3/pop3_reply.h"

/* Commands that may be sent ahead of their replies. */
#define POP3_CLIENT_AHEAD_MAX 64

/* One of them. */
struct pop3_client_command {
	uint32_t number; /* 0: it had none */
	uint8_t verb;    /* enum pop3_verb */
	bool alone;      /* without an argument */
};

/* Embed it, zero it for a new connection, and don't look inside. It needs no cleanup. */
struct pop3_client {
	struct line_reader _lines;
	struct dot_decoder _dots;
	uint64_t _octets; /* of this reply's lines or message */
	uint8_t _state;
	uint8_t _reason; /* enum pop3_client_reason */
	uint8_t _first;  /* of _ahead, a ring */
	uint8_t _count;
	struct pop3_client_command _ahead[POP3_CLIENT_AHEAD_MAX];
};

enum pop3_client_sent {
	POP3_CLIENT_SENT,         /* it is in *out, and a reply is expected */
	POP3_CLIENT_NO_ROOM,      /* in *out: send what it holds, then again */
	POP3_CLIENT_WAIT,         /* not now: read replies first */
	POP3_CLIENT_OVER,         /* never again: see pop3_client_over() */
	POP3_CLIENT_BAD_ARGUMENT, /* holds CR, LF or NUL, a space where none may be, or nothing */
	POP3_CLIENT_TOO_LONG,     /* the line would have more octets than LIMIT_POP3_COMMAND */
};

/*
 * Writes a command as one line into *out, or nothing. Of *command the verb and what
 * its row takes is read, as pop3_command_parse() fills it in:
 *
 *	&(struct pop3_command){.verb = POP3_RETR, .has_number = true, .number = 5}
 *	&(struct pop3_command){.verb = POP3_LIST}
 *	&(struct pop3_command){.verb = POP3_AUTH, .mechanism = SPAN_LIT("PLAIN"),
 *			       .has_initial = true, .initial = base64 or "="}
 *
 * An initial response that is TOO_LONG goes without: the same again with has_initial
 * false, and the response after the challenge (RFC 5034 section 4).
 *
 * It is POP3_CLIENT_WAIT before the greeting, with POP3_CLIENT_AHEAD_MAX commands
 * unanswered, and behind AUTH, STLS and QUIT: what follows them depends on the reply.
 * After the +OK of STLS it is WAIT until pop3_client_tls().
 *
 * Whether the server has that command, and whether it takes commands ahead, is not
 * asked here: see pop3_capabilities.h.
 */
enum pop3_client_sent pop3_client_send(struct pop3_client *c, const struct pop3_command *command,
				       struct out *out);

/*
 * The answer to a POP3_CLIENT_CHALLENGE: base64, or nothing for an empty response,
 * or "*" to cancel. WAIT when no challenge waits for one; TOO_LONG above
 * LIMIT_SASL_LINE.
 */
enum pop3_client_sent pop3_client_respond(struct pop3_client *c, struct span base64,
					  struct out *out);

enum pop3_client_status {
	POP3_CLIENT_MORE, /* no more events: what is left in *in must be there again next time */
	POP3_CLIENT_GREETING,  /* the server is ready: text, timestamp */
	POP3_CLIENT_OK,        /* text, code, lines */
	POP3_CLIENT_ERR,       /* text, code. With verb POP3_VERBS it was the greeting */
	POP3_CLIENT_CHALLENGE, /* of AUTH; text is base64. pop3_client_respond() is next */
	POP3_CLIENT_LINE,      /* of a multi-line reply other than a message: text */
	POP3_CLIENT_TEXT,      /* a run of the message of RETR or TOP: text, never empty */
	POP3_CLIENT_END,       /* of the lines or the message. Nothing else says that it is whole */
	POP3_CLIENT_BAD,       /* final: reason, text */
	POP3_CLIENT_STATUSES
};

enum pop3_client_reason {
	POP3_CLIENT_NO_REASON,
	POP3_CLIENT_UNASKED,           /* octets, and no command that they could answer */
	POP3_CLIENT_LONG_LINE,         /* more than LIMIT_POP3_REPLY octets */
	POP3_CLIENT_NO_REPLY,          /* neither +OK nor -ERR nor a challenge: text is the line */
	POP3_CLIENT_UNASKED_CHALLENGE, /* outside of AUTH */
	POP3_CLIENT_INJECTED,          /* octets in clear behind the +OK of STLS */
	POP3_CLIENT_REASONS
};

/* What a status doesn't mention is zero. */
struct pop3_client_event {
	enum pop3_verb verb;   /* of the command that this answers; POP3_VERBS: none */
	uint32_t number;       /* its message number; 0: it had none */
	bool lines;            /* OK: LINE or TEXT and then END follow */
	enum pop3_code code;   /* response code, NONE for one that isn't known */
	struct span code_text; /* what stands between the brackets, also if it isn't known */
	/*
	 * OK, ERR, GREETING: what follows the indicator and its spaces, the code
	 * included. LINE: without its end and stuffing dot. A part of *in, or of static
	 * memory; lives as long as the input.
	 */
	struct span text;
	struct span timestamp; /* GREETING: "<...>" for APOP; empty: there is none */
	/*
	 * LINE, TEXT, END: of the lines with their ends, or of the message, so far and
	 * this event's included; stuffing dots and the end are not counted. A server can
	 * go on for ever: bound it.
	 */
	uint64_t octets;
	enum pop3_client_reason reason;
};

/*
 * Takes octets from the front of *in and says what they were. *ret_event is filled
 * in unless the status is MORE.
 *
 * However a stream is cut, the events are the same, but for where runs of TEXT are
 * parted.
 */
enum pop3_client_status pop3_client_read(struct pop3_client *c, struct span *in,
					 struct pop3_client_event *ret_event);

/*
 * Call it after the +OK of STLS and before the handshake, with what is left of the
 * input. False when there is any: it came in clear, perhaps from somebody else who
 * wants it read as if it had come by TLS; the session is then BAD, INJECTED. What was
 * learned before (CAPA) must be forgotten (RFC 2595 section 4).
 */
bool pop3_client_tls(struct pop3_client *c, struct span left);

/* Commands sent whose reply has not come to its end. */
static inline unsigned pop3_client_ahead(const struct pop3_client *c)
{
	return c->_count;
}

/* Nothing can be sent any more: after BAD, an -ERR greeting, and any reply to QUIT. */
bool pop3_client_over(const struct pop3_client *c);

/* "an answer that nobody asked for" */
const char *pop3_client_reason_text(enum pop3_client_reason reason);
