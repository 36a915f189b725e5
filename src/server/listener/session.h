/* SPDX-License-Identifier: MIT */
/*
 * session.h - what every connection to a listener has, whatever it speaks: the
 * connection, its two buffers, its deadline, its ids, and the one loop that
 * drives a protocol.
 *
 * All memory of a session is had when it is accepted, with two exceptions that
 * are bounded and may fail: a SASL exchange (LIMIT_SASL_LINE) and the marks of
 * deleted messages (a bit for each).
 *
 *	input ──► in ──► ops->step() ──► out ──► connection
 *	                                 ops->stream() ──►
 *
 * step() runs commands until it can't go on and says why. Then what they wrote is
 * sent, in as few calls as possible; then there is more input, or none. Nothing is
 * read while output is stuck, so a client that doesn't read stops only itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/out.h"
#include "net/conn.h"
#include "server/config.h"
#include "server/ipc.h"
#include "server/listener/timeout.h"
#include "server/metrics.h"

struct listener;
struct session;

/* Why step() returned. */
enum session_wants {
	SESSION_WANTS_INPUT,  /* there is no whole command, and room for more of it */
	SESSION_WANTS_OUTPUT, /* the output must go first; call again then */
	SESSION_WANTS_PEER,   /* auth or storage will answer: ops->message() */
	SESSION_WANTS_TLS,    /* after the output: a handshake */
	SESSION_WANTS_CLOSE,  /* after the output: the end */
};

/* One protocol. */
struct session_ops {
	size_t size;   /* of its struct, which begins with struct session */
	size_t in_cap; /* octets of input it can hold: a whole command at least */
	size_t out_cap;
	const char *alpn; /* its name in ALPN; NULL: none is registered */

	/* The struct is zeroed; makes it what ended() can end. */
	void (*init)(struct session *s);

	/* Writes the greeting, when the connection is there, or after an implicit handshake. */
	void (*greet)(struct session *s);

	/* Consumes input and appends to out. Never called with less than SESSION_OUT_ROOM there. */
	enum session_wants (*step)(struct session *s);

	/*
	 * Sends s->out and what follows it without going through it. 0 when all is
	 * sent, -EAGAIN when the socket is full or this turn's share is used up,
	 * otherwise the connection has failed. NULL: there is only s->out.
	 */
	int (*stream)(struct session *s);

	/* A handshake asked for by SESSION_WANTS_TLS is done. */
	void (*secured)(struct session *s);

	/* A message for this session; the descriptor, or -1, is now the callee's. */
	void (*message)(struct session *s, const union ipc_msg *m, int fd);

	/* Auth or storage is gone: nothing that was asked for will be answered. */
	void (*peer_lost)(struct session *s, enum ipc_role peer);

	/* Writes last words, if the protocol has some; the session is closed afterwards. */
	void (*timed_out)(struct session *s, enum timeout_kind kind);

	/* Before login, or nothing to do: may a draining listener hang up now? */
	bool (*may_drain)(const struct session *s);
	/* Last words when it does. */
	void (*drained)(struct session *s);

	/* What an operator sees of it: state, user, maildrop. The rest is filled in already. */
	void (*describe)(const struct session *s, struct ipc_session *info);

	/* The operator ends it, and ended() follows: a reason for the log. Nothing is said. */
	void (*kicked)(struct session *s);

	/* Logs, tells auth and storage, frees what the protocol owns. Once. */
	void (*ended)(struct session *s);
};

/* Every command's reply is at most this long, or is a stream. */
#define SESSION_OUT_ROOM 1024

struct session {
	struct conn conn; /* first: a conn is turned back into its session */
	const struct session_ops *ops;
	struct listener *listener; /* Borrowed */

	/*
	 * id is what auth and storage know; session_renew_id() changes it when
	 * late answers to the old one must not be mistaken for others. log_id stays.
	 */
	uint64_t id;
	uint64_t log_id;
	const struct config_listen *listen; /* where it came in. Borrowed */
	struct session *same_bucket;        /* Borrowed: session_table.h */
	struct session *prev;               /* Borrowed: of all in this listener */
	struct session *next;               /* Borrowed */
	struct timeout timeout;
	uint64_t acked;       /* when TIMEOUT_WRITE began: what the peer had taken */
	uint64_t address_key; /* 0: not counted */
	uint64_t counted_in;  /* octets that the metrics have of what the connection had */
	uint64_t counted_out;
	uint64_t timed_ns;       /* when what is timed began; 0: nothing is */
	enum metric_timed timed; /* or was last, when there have been commands */
	uint64_t commands;
	uint64_t since;       /* seconds since 1970 */
	uint32_t proxy_extra; /* octets of a PROXY header that are still to be skipped */
	bool proxy_known;     /* all but these have been read */

	char *in; /* Owned: behind the struct, or in_grown */
	uint32_t in_cap;
	uint32_t in_at; /* octets before it are used up */
	uint32_t in_end;
	struct out out;  /* memory behind the struct */
	uint32_t out_at; /* octets before it are sent */

	char remote[48]; /* numeric, or "unix" */
	bool loopback;   /* a UNIX socket too */
	bool unix_socket;
	bool logged_in; /* idle_timeout instead of login_timeout */
	bool in_grown;
	bool stirred;  /* something has happened since the last session_drain() */
	bool at_eof;   /* the peer has said all */
	bool progress; /* step(): a command was taken, or data; stream(): something was sent */

	uint8_t _phase;
};

/*
 * Begins a session on an accepted socket, which is owned from here on. When there
 * is no memory it is closed, with a log line. Where listen says that a PROXY header
 * comes first, from and address_key are the proxy's until it has come.
 */
void session_open(struct listener *l, const struct session_ops *ops, int fd,
		  const struct sockaddr *from, uint64_t address_key,
		  const struct config_listen *listen);

/* Whose session it is: sets remote and loopback. */
void session_describe(struct session *s, const struct sockaddr *from);

/*
 * Reads the PROXY header, and makes its client the session's: for the log, the limits and
 * auth. 0 when that is done, -EAGAIN, -EBUSY when this client has too many connections,
 * -EPROTO for another header or none, else the connection has failed.
 */
int session_take_proxy(struct session *s);

/* Goes on as far as possible now. Call it after message() changed something, from outside step().
 * May close s. */
void session_run(struct session *s);

/* Ends the session at once; its memory lives until this turn of the loop is over. */
void session_close(struct session *s);

/* Its deadline has come. */
void session_expire(struct session *s, enum timeout_kind kind);

/*
 * This listener is to end, and calls this now and then: closes a session that may
 * be closed and that nothing has happened to since the last call.
 */
void session_drain(struct session *s);

/* Auth or storage has gone; calls ops->peer_lost() and goes on. */
void session_peer_lost(struct session *s, enum ipc_role peer);

/* What an operator is told of it. False: it has ended, and only its last words are on their way. */
bool session_describe_to(const struct session *s, struct ipc_session *info);

/* The operator doesn't want it: closes it, as if the line had broken. */
void session_kick(struct session *s);

/* The process with the keys can be asked (again): goes on with a handshake. */
void session_signing_possible(struct session *s);

/* Tells auth and storage to forget the session and takes a new id. */
void session_renew_id(struct session *s);

/* Sends to a peer. False when it is away: nothing was sent. */
bool session_send(struct session *s, enum ipc_role to, const union ipc_msg *m);

/* Appends to the output. There must be room (SESSION_OUT_ROOM, at the start of a command). */
void session_put(struct session *s, struct span text);
#define session_put_lit(s, text) session_put((s), SPAN_LIT(text))
void session_put_u64(struct session *s, uint64_t n);

/* The unused input. session_use() drops n octets of it. */
struct span session_input(const struct session *s);
void session_use(struct session *s, size_t n);

/* Makes the input buffer hold cap octets; it shrinks again when it is empty. -ENOMEM. */
int session_grow_input(struct session *s, uint32_t cap);

/* The metrics learn how long the peer waits for this command. */
void session_time_begin(struct session *s, enum metric_timed timed);
void session_time_end(struct session *s);

/* Sends s->out alone. As ops->stream(). */
int session_flush(struct session *s, bool more);

/* A password may cross this connection as it is now. */
bool session_is_private(const struct session *s);

/* Fills what auth wants to know of the peer. */
void session_origin(const struct session *s, struct ipc_origin *ret);
