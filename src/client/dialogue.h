/* SPDX-License-Identifier: MIT */
/*
 * dialogue.h - a POP3 session over a connection: commands out, events in, and both to
 * be watched. It blocks; one thread.
 *
 * After a failure nothing more is sent, no QUIT either: the connection is closed, so
 * that the server deletes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "codec/pop3/pop3_client.h"
#include "net/stream.h"
#include "client/fetch_status.h"

struct ssl_ctx_st;

/*
 * Sees each line before it is sent and after it has come, without its end: secrets are
 * masked, anything else is as it is, control characters too. Messages aren't shown.
 */
struct dialogue_watch {
	void (*line)(void *ctx, bool sent, struct span line); /* NULL: nobody watches */
	void *ctx;
};

/* Octets in the reply to CAPA: more than any server can have to say. */
#define DIALOGUE_CAPA_MAX 65536

#define DIALOGUE_IN (4 * LIMIT_POP3_REPLY)
#define DIALOGUE_OUT (LIMIT_SASL_LINE + 2)

/* The caller's, zeroed before dialogue_open(). Large: not for the stack. */
struct dialogue {
	struct stream stream;
	struct pop3_client client;
	struct dialogue_watch watch;
	size_t in_at; /* [in_at, in_n) has come and wasn't read yet */
	size_t in_n;
	size_t out_n;
	char in[DIALOGUE_IN];
	char out[DIALOGUE_OUT];
};

/* fd is a connected socket, and the dialogue's from here on. host: see struct stream. */
void dialogue_open(struct dialogue *d, int fd, const char *host, uint32_t idle_ms, int stop_fd,
		   const struct dialogue_watch *watch);
void dialogue_close(struct dialogue *d);

/* Turns to TLS: at the very beginning, or after the +OK to STLS. */
enum fetch_status dialogue_start_tls(struct dialogue *d, struct ssl_ctx_st *ctx, struct err *err);

/*
 * Puts a command into the queue; it goes out with the next dialogue_event(). There must
 * be room for it, and the session in a state for it. What can't be a command line
 * (pop3_client.h says which) is FETCH_CONFIG: it came from the user.
 */
enum fetch_status dialogue_send(struct dialogue *d, const struct pop3_command *command,
				struct err *err);

/* Answers a challenge; secret, so it isn't shown. */
enum fetch_status dialogue_respond(struct dialogue *d, struct span base64, struct err *err);

/* Room for another command now. */
static inline bool dialogue_may_send(const struct dialogue *d, unsigned ahead_max)
{
	return pop3_client_ahead(&d->client) < ahead_max &&
	       sizeof(d->out) - d->out_n >= LIMIT_POP3_COMMAND;
}

/*
 * The next thing that the server says; never POP3_CLIENT_MORE or _BAD. Spans in
 * *ret_event live until the next call.
 */
enum fetch_status dialogue_event(struct dialogue *d, enum pop3_client_status *ret_status,
				 struct pop3_client_event *ret_event, struct err *err);

/* Sends a command and waits for +OK or -ERR; lines that follow are left to be read. */
enum fetch_status dialogue_ask(struct dialogue *d, const struct pop3_command *command,
			       enum pop3_client_status *ret_status,
			       struct pop3_client_event *ret_event, struct err *err);

/* Makes a FETCH_PROTOCOL of an answer that wasn't expected: "the server ... to CAPA". */
enum fetch_status dialogue_surprise(const struct dialogue *d, const char *what, struct err *err);

/* What the server said, for a message: control octets are shown as '?', and it is cut. */
#define DIALOGUE_TEXT_MAX 200
void dialogue_text(struct span text, char ret_text[static DIALOGUE_TEXT_MAX + 1]);
