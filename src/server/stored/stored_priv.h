/* SPDX-License-Identifier: MIT */
/*
 * stored_priv.h - the storage process inside: links, sessions and what they wait
 * for. Everything here belongs to the loop's thread, except a request that runs
 * in the pool together with its session's maildrop and delivery.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/err.h"
#include "base/limits.h"
#include "store/store.h"
#include "server/ipc.h"
#include "server/ipc_channel.h"
#include "server/process.h"

#define STORED_BUCKETS 4096 /* a power of two */

/*
 * Requests of one session that wait for the one that runs. Marking every message
 * of a maildrop of ten million takes 306 of them, answered by nothing.
 */
#define STORED_REQUESTS_MAX 1024
/* And octets of all that wait for one listener. */
#define STORED_WAITING_MAX (64U << 20)

struct stored;
struct session;

/* A channel to a listener or to auth. */
struct link {
	struct link *next;
	struct stored *sd;
	struct ipc_channel ch;
	bool refused;      /* it broke the rules: being closed, nothing is done for it any more */
	size_t n_sessions; /* whose link this is */
	size_t waiting_octets; /* of their requests */
};

/* How many sessions a user has, and who waits until one of them has let go of the maildrop. */
struct user {
	struct user *next;
	unsigned sessions;       /* opening or open */
	unsigned closing;        /* of them, those that are on their way out */
	struct session *waiting; /* to open */
	char name[LIMIT_USER + 1];
};

/* Leave to deliver into one maildrop. */
struct grant {
	struct grant *next;
	uint32_t transaction;
	uint32_t uid;
	uint32_t gid;
	uint8_t status; /* enum ipc_status, after the commit */
	struct maildrop_rules rules;
	uint64_t grace; /* octets by which its last message may exceed the quota */
	/* Point into text. */
	const char *user;
	const char *path;
	const char *address;
	char text[];
};

/* A message that became work, and how that went. */
struct request {
	struct request *next;
	size_t n; /* octets of the message */
	int r;
	unsigned tries;      /* IPC_GRANT_OPEN */
	uint64_t refused_ms; /* IPC_GRANT_OPEN: when it first was; 0: not yet */
	bool again;          /* done() wants it to be tried once more */
	struct err err;
	uint32_t removed;             /* IPC_COMMIT */
	struct store_message message; /* IPC_GET */
	_Alignas(union ipc_msg) char m[];
};

static inline const union ipc_msg *request_msg(const struct request *q)
{
	return (const union ipc_msg *)q->m;
}

struct session {
	struct session *next; /* in its bucket */
	struct stored *sd;
	struct link *link; /* NULL when the listener is gone */
	uint64_t id;

	/* POP3 */
	struct user *user; /* counted in while not NULL. Borrowed */
	struct session *next_waiting;
	struct maildrop *maildrop; /* Owned */
	uint64_t marked;           /* bits set in all IPC_MARKs */
	bool closing;              /* counted in user->closing */
	bool parked;               /* in user->waiting; its IPC_GRANT_OPEN is the first request */
	bool expires;              /* what is too old goes before it is opened */
	bool patient;              /* parked, and in sd->patient */
	uint64_t wake_ms;          /* when it is patient no longer */
	TAILQ_ENTRY(session) patience;

	/* LMTP */
	struct grant *grants; /* in the order of their arrival. Owned */
	unsigned n_grants;
	struct grant *asked;       /* IPC_ROOM: about this one. Borrowed */
	struct delivery *delivery; /* Owned */
	uint32_t transaction;      /* of the delivery */
	struct grant *targets;     /* whom it is for. Owned */
	unsigned n_targets;

	/* Work: one request at a time, the others in order. */
	struct request *first; /* Owned */
	struct request **last;
	unsigned n_requests;
	struct request *running; /* in the pool. Owned */
	bool advancing;          /* in session_advance() */
	bool leaving;            /* IPC_CLOSE, or the listener is gone: ends when nothing waits */
	uv_work_t work;
};

struct stored {
	struct process *process;
	struct store *store;
	struct link *links;
	struct session *sessions[STORED_BUCKETS];
	struct user *users[STORED_BUCKETS];
	struct request *close_request; /* the end of every session is this one. Owned */
	size_t n_sessions;
	uint64_t seed;                 /* of both hashes: odd */
	TAILQ_HEAD(, session) patient; /* by wake_ms */
	uv_timer_t patience_timer;
	/* stored_expire.c */
	TAILQ_HEAD(place_queue, place) places; /* by due_ms */
	LIST_HEAD(, place) places_by_path[STORED_BUCKETS];
	unsigned n_places;
	struct place *swept; /* in the pool; not in places */
	uv_work_t sweep;
	uv_timer_t expire_timer;
	bool draining;
};

/* What a kind of request does, in this order. */
struct stored_op {
	/* On the loop. False: done already (answered, or nothing to do). */
	bool (*admit)(struct session *s, const union ipc_msg *m);
	/* In the pool. */
	void (*run)(struct session *s, struct request *q);
	/* On the loop. link may be gone by now: stored_reply() knows. */
	void (*done)(struct session *s, struct request *q);
	/*
	 * On the loop, once admitted: does what run would do, if that waits for nothing.
	 * False: nothing was done. NULL: it always waits.
	 */
	bool (*run_now)(struct session *s, struct request *q);
};

extern const struct stored_op stored_open, stored_get, stored_mark, stored_commit, stored_close;
extern const struct stored_op stored_room, stored_begin, stored_deliver, stored_reset;
/* IPC_CLOSE is no request: session_leave() comes to stored_close by itself. */

/* ---- stored.c ---- */

/* An answer to the session's listener, if there still is one. fd is borrowed. */
void stored_reply(struct session *s, const union ipc_msg *m, int fd);

/*
 * An honest listener doesn't do this: it loses its channel, and with it all its
 * sessions. They are still there when this returns, and end soon.
 */
void stored_refuse(struct link *l, uint64_t session, const char *why);

/* Handles what auth, or what every listener, has already sent. */
void stored_read_auth(struct stored *sd);
void stored_read_listeners(struct stored *sd);

/* Absolute, and without "..": auth made it from a user's name. */
bool stored_path_is_safe(const char *path);

/* Called when the last session, or a sweep, has ended. */
void stored_idle(struct stored *sd);

/* ---- stored_session.c ---- */

struct session *session_find(struct stored *sd, const struct link *l, uint64_t id);

/*
 * Finds or makes it. NULL when there is no memory, or the listener has too many. A
 * new one holds nothing: give it something, or session_advance() it away.
 */
struct session *session_get(struct link *l, uint64_t id);

/* Queues a request and starts it when it may. */
void session_request(struct session *s, const union ipc_msg *m);

/* After what waits now, lets go of everything and forgets the session. */
void session_leave(struct session *s);

/* Starts what can be started; frees a session that holds nothing. s may be gone afterwards. */
void session_advance(struct session *s);

/* The listener is gone: what runs is finished, what was promised too, then all are closed. */
void session_abandon_all(struct link *l);

/* Counts the session among the user's. False when there is no memory or there are too many. */
bool session_count_in(struct session *s, const char *user);
void session_count_out(struct session *s);

/* Says that the session will let go of its maildrop soon. Undone by session_count_out(). */
void session_closing(struct session *s);

/* Its first request waits until somebody of the same user leaves. */
void session_park(struct session *s);
void session_unpark(struct session *s);

/* ---- stored_patience.c ---- */

int patience_init(struct stored *sd);

/* The parked session waits no longer than for a moment. */
void patience_begin(struct session *s);
void patience_end(struct session *s);

/* Whether a login that was refused now may be tried again. */
bool patience_lasts(const struct session *s, struct request *q);

/* ---- stored_expire.c ---- */

int expire_init(struct stored *sd);

/* All rules may have changed: nothing is deleted by those that were. */
void expire_forget(struct stored *sd);

/* Auth has spoken of a maildrop: it is looked through from time to time. */
void expire_note(struct stored *sd, const struct ipc_grant *g);

/* The same, and true: now, by expire_now(), before it is opened. */
bool expire_is_due(struct stored *sd, const struct ipc_grant *g);

/* In the pool. */
void expire_now(struct stored *sd, const struct store_owner *owner);

/* ---- stored_delivery.c ---- */

/* Remembers an IPC_GRANT_DELIVER. False when there is no memory or there are too many. */
bool delivery_grant(struct session *s, const struct ipc_grant *m);
void delivery_drop_grants(struct grant *first);

/* ---- stored_status.c ---- */

/* What a negative errno of the store means for a reader and for a sending MTA. */
enum ipc_status stored_status(int r);
enum ipc_status stored_delivery_status(int r);
