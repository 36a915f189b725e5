/* SPDX-License-Identifier: MIT */
/*
 * authd_priv.h - the auth process inside: links, requests and what they wait for.
 * Everything belongs to the loop's thread, except the parts of a login that
 * authd_pool.c names while it verifies a password in the pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/err.h"
#include "base/limits.h"
#include "auth/app_password.h"
#include "auth/cache.h"
#include "auth/client_certificate.h"
#include "auth/guard.h"
#include "auth/known_users.h"
#include "auth/login_times.h"
#include "auth/sasl_server.h"
#include "auth/token.h"
#include "auth/userdb.h"
#include "auth/userdb_pam.h"
#include "server/ipc.h"
#include "server/ipc_channel.h"
#include "server/process.h"

#define AUTHD_BUCKETS 4096 /* a power of two */

struct authd;
struct request;
struct users;
struct pam_link;
struct pam_question;

typedef void request_step(struct request *r);

/* A channel to a listener, or to storage. */
struct link {
	TAILQ_ENTRY(link) links;
	struct authd *ad;
	struct ipc_channel ch;
	TAILQ_HEAD(, request) requests;
	size_t n_requests;
	bool closing;
};

/*
 * What a request is doing. There is one for each session at most, from the
 * listener's message to the answer.
 *
 *	          ┌─────────────> CHALLENGED (SASL: the client's turn)
 *	          │                  │
 *	(new) ─> LOOKUP <────────────┘
 *	          ├─> ASKING (the authorization server) ─> LOOKUP
 *	          ├─> QUEUED ─> HASHING ─┬─> granted, freed
 *	          ├──────────────────────┤
 *	          │                      └─> DELAYED ─> refused, freed
 *	          ├─> WAITING ─> as if it came only now
 *	          └─> answered at once, freed
 *
 * A cancelled one is freed at once, but for HASHING: then the pool has it, and
 * nobody else knows it any more (link is NULL).
 */
enum request_state {
	REQUEST_LOOKUP,
	REQUEST_CHALLENGED,
	REQUEST_ASKING,
	REQUEST_QUEUED,
	REQUEST_HASHING,
	REQUEST_DELAYED,
	REQUEST_WAITING,
};

/*
 * How many passwords somebody at one place is having verified under one name. Not how
 * many everybody is: or guessing under a name would lock its user out.
 */
struct trier {
	LIST_ENTRY(trier) triers;
	unsigned n;
	uint64_t place;
	char name[LIMIT_USER + 1];
};

struct introspector;
struct inquiry;

/* Whoever is at one place, while passwords of theirs wait. */
struct guest;

/* The large part of a request: it goes before an answer is delayed. Wiped when freed. */
struct login {
	struct ipc_origin origin;
	const char *how;                        /* "pass", "apop", or the mechanism. A literal */
	const struct sasl_mechanism *mechanism; /* of SASL */
	struct sasl_session *sasl; /* Owned. NULL when the exchange is over, or there is none */
	struct userdb_query query;
	char user[LIMIT_USER + 1]; /* as the client wrote it, or a token or certificate says */
	struct login_name name;    /* the same taken apart: login_call() */
	char device[MAILDROP_DEVICE_MAX + 1]; /* whose session it will be, when the user is found */
	char password[LIMIT_PASSWORD + 1];
	char prepared[LIMIT_PASSWORD + 1]; /* a second form of it to try, or "" */
	struct user_record record;
	bool has_record;
	bool away;   /* its database is: the record is what was known of the user */
	bool locked; /* or no record: record.secret is a decoy */
	struct app_password_found app; /* name "": it was none */
	/* SCRAM */
	enum scram_hash hash;
	struct scram_keys keys;
	const char *why_not; /* NULL, or why the keys are nobody's. A literal */
	struct auth_cache_key key;
	bool has_key;
	bool remembered;      /* the password was */
	struct guard_who who; /* from authd_guard_wait() on */
	bool guarded;         /* who is filled */
	request_step *next;   /* behind the wait */
	uint64_t place;       /* where they are: an address or a network */
	struct trier *trier;  /* counted in while not NULL */
	struct guest *guest;  /* QUEUED */
	/* OAuth */
	struct inquiry *inquiry; /* Owned while ASKING */
	bool is_told;            /* the token was refused, and the client knows why */
	/* APOP */
	char timestamp[128];
	char digest[33];
	/* IPC_AUTH_RCPT */
	uint32_t transaction;
	char address[LIMIT_ADDRESS + 1];
	/* The pool's */
	uv_work_t work;
	bool derives; /* it makes keys of the password, and verifies nothing */
	int verified;
	struct err err;
};

struct request {
	LIST_ENTRY(request) bucket;
	TAILQ_ENTRY(request) of_link;
	TAILQ_ENTRY(request) queue; /* of a guest, or of delayed answers */
	struct authd *ad;
	struct link *link; /* NULL: cancelled. Borrowed */
	uint64_t id;       /* the session */
	enum request_state state;
	uint64_t begun_ms;
	uint64_t answer_ms;     /* DELAYED, WAITING: when */
	request_step *then;     /* WAITING: what */
	enum ipc_status status; /* DELAYED: what */
	struct login *login;    /* Owned. NULL when DELAYED */
};

TAILQ_HEAD(request_queue, request);

struct guest {
	LIST_ENTRY(guest) bucket;
	TAILQ_ENTRY(guest) turn;
	struct request_queue waiting; /* QUEUED; never empty */
	uint64_t place;
};

struct authd {
	struct process *process;
	struct users *users;                /* those of the configuration. Owned by all_users */
	LIST_HEAD(, users) all_users;       /* Owned */
	struct userdb *userdb;              /* of users. Borrowed */
	struct sasl_context *sasl;          /* Owned */
	struct auth_cache *cache;           /* Owned */
	struct known_users *known;          /* Owned */
	struct login_times *times;          /* Owned */
	struct guard *guard;                /* Owned */
	struct app_passwords *apps;         /* Owned. NULL: the configuration has none */
	struct client_authority *authority; /* Owned. NULL: nobody logs in by certificate */
	struct token_keys *token_keys;      /* Owned. NULL: no JWT is taken */
	struct introspector *introspector;  /* Owned. NULL: nobody is asked */
	char *client_secret;                /* Owned, until the introspector has it */
	int apps_used;                      /* Owned: app_password_use.h. -1: not kept */
	TAILQ_HEAD(, link) listeners;       /* Owned */
	struct link *storage;               /* Owned. NULL: away */
	struct pam_link *pam;               /* Owned. NULL: away */
	TAILQ_HEAD(, pam_question) pam_questions; /* Owned */
	uint64_t pam_last_id;
	LIST_HEAD(, request) requests[AUTHD_BUCKETS];
	LIST_HEAD(, trier) triers[AUTHD_BUCKETS];
	LIST_HEAD(, guest) guests[AUTHD_BUCKETS];
	TAILQ_HEAD(, guest) turns;
	size_t n_requests; /* cancelled ones in the pool too */
	unsigned hashing;
	unsigned hashing_max;
	struct request_queue delayed; /* DELAYED and WAITING, by answer_ms */
	uv_timer_t delay_timer;
	uint64_t seed;                    /* of the hashes: odd */
	uint8_t salt_key[SCRAM_SALT_KEY]; /* of scram_salt_make_up() */
	bool draining;
	bool users_away; /* METRIC_USERS_AWAY */
};

/* ---- authd_request.c: their life ---- */

struct request *request_find(struct authd *ad, const struct link *l, uint64_t id);

/* NULL when there is no memory. State LOOKUP. */
struct request *request_new(struct link *l, uint64_t id);

/* Ends what it does and frees it; in the pool, as soon as that is done with it. */
void request_cancel(struct request *r);

/* Frees one that does nothing any more. */
void request_free(struct request *r);

/* Answers IPC_AUTH_FAILED and frees it. */
void request_refuse(struct request *r, enum ipc_status status);

/* Frees all but what a delayed answer needs. */
void request_drop_login(struct request *r);

/*
 * False when this name has as many passwords being verified, from the same place, as
 * the configuration allows.
 */
bool request_count_trier(struct request *r);
void request_uncount_trier(struct request *r);

/* ---- authd_delay.c: wrong passwords are answered late ---- */

int authd_delay_init(struct authd *ad);

/* Answers status when the request is as old as the configuration says, and frees it. */
void authd_delay_refuse(struct request *r, enum ipc_status status);
void authd_delay_forget(struct request *r);

/* Does then(r) at that time, unless it is cancelled before. */
void authd_delay_until(struct request *r, uint64_t at_ms, request_step *then);

/* ---- authd_pool.c: verifying passwords takes long ---- */

/*
 * Verifies password and prepared against record.secret; login_verified() comes
 * from the loop. Not a moment on the loop's thread. Without memory it refuses.
 */
void authd_pool_verify(struct request *r);

/* Makes login->keys of login->password in the same way; then scram_derived() comes. */
void authd_pool_derive(struct request *r);

/* ---- authd_queue.c: who is next ---- */

/* Where a numeric address is: itself, or its IPv6 network. */
uint64_t authd_place(const struct authd *ad, const char *remote);

/* False when there is no memory. */
bool authd_queue_put(struct request *r);

/* The next one, out of the queue. NULL: there is none. */
struct request *authd_queue_take(struct authd *ad);
void authd_queue_forget(struct request *r);

/* ---- authd_guard.c: who guesses ---- */

/*
 * Does then(r), which is to look at what login->user says for a proof; after a while, if
 * there has been guessing. Or the request is refused: too many wait already.
 */
void authd_guard_wait(struct request *r, request_step *then);
void authd_guard_let_in(struct request *r);

/* Counts it, and logs it with the reason. wrong: the password or token, "" where none was sent. */
void authd_guard_failed(struct request *r, const char *reason, const char *wrong);

/* ---- authd_login.c: PASS, APOP and SASL ---- */

void login_pass(struct link *l, const struct ipc_auth_pass *m);
void login_apop(struct link *l, const struct ipc_auth_apop *m);
void login_sasl_start(struct link *l, const struct ipc_sasl *m);
void login_sasl_step(struct request *r, const struct ipc_sasl *m);
void login_verified(struct request *r);

/* Fills user and name: whom the client wants to be. */
void login_call(struct request *r, const char *user);

/* Is user, who is proven, whom the client wants to be, or the user of that device? */
bool login_is_wanted(const struct request *r, const char *user);

/* Then this is who it is, to the letter; of what the client said, only device and recent count. */
void login_prove(struct request *r, const char *user);

/* Who has login->name? */
void login_look_up(struct request *r, userdb_done *done);

/*
 * What the database says of login->name, into record and has_record; while it is away, who has
 * logged in a while ago is known all the same. False: nothing is known, and the login is refused.
 */
bool login_take_user(struct request *r, enum userdb_status status,
		     const struct user_record *record);
void login_sasl_next(struct request *r, enum sasl_status status);
/* A new request; NULL: it was refused already. how is a literal. */
struct request *login_begin(struct link *l, uint64_t id, const struct ipc_origin *origin,
			    const char *how);
void login_refuse(struct request *r, enum ipc_status status, const char *reason);

/* It is the user of record, and storage shall hear of it. */
void login_grant(struct request *r, bool remembered);

/* ---- authd_scram.c: users who prove that they know a password without sending it ---- */

/* SASL_WANT_KEYS: looks for the keys of login->user and goes on. */
void scram_lookup(struct request *r);
void scram_derived(struct request *r);

/* The same for each way to write the name of one user. Borrowed from name or ret_name. */
struct span authd_canonical(const struct authd *ad, const char *name,
			    char ret_name[LIMIT_USER + 1]);

/* ---- authd_external.c: users who have a certificate ---- */

void login_external(struct link *l, const struct ipc_external *m);

/* NULL when nobody is to be asked for one, or the file can't be used: the log says so. */
struct client_authority *external_open(const struct config *c);

/* ---- authd_oauth.c: users who have a token ---- */

/* Both are the name of one user, however it is written. */
bool authd_is_same_user(const struct authd *ad, const char *one, const char *other);

/* SASL_TOKEN: verifies it, or asks, and goes on. */
void oauth_verify(struct request *r);
void oauth_answered(struct request *r, const struct token_verdict *v);
void oauth_introspected(struct request *r, const struct token_verdict *v);

/* What a token must be, now. */
struct token_rules oauth_rules(const struct authd *ad);

/* False when there is no memory; *ret_keys is NULL when the configuration has none. */
bool oauth_open_keys(const struct config *c, struct token_keys **ret_keys);

/* ---- authd_introspect.c: whom we ask about tokens ---- */

/* The secret to ask with, or NULL when path is "". 0 or negative errno. */
int introspector_read_secret(const char *path, char **ret_secret, struct err *err);

/* Takes the secret over, unless it is NULL for lack of memory. */
struct introspector *introspector_new(uv_loop_t *loop, char *secret);
void introspector_close(struct introspector *in);

/* oauth_introspected() comes from the loop. False when there is no memory. */
bool introspector_ask(struct introspector *in, struct request *r, const char *token);

/* ASKING: nobody waits for the answer any more. */
void introspector_forget(struct request *r);

/* ---- authd_rcpt.c: who may get mail ---- */

void rcpt_lookup(struct link *l, const struct ipc_rcpt *m);

/* ---- authd_users.c: the databases of users ---- */

/* Those of the configuration from now on. Negative errno: those that were there stay. */
int authd_users_open(struct authd *ad);

/* Closes databases that were replaced, and that nobody waits for any more. */
void authd_users_settle(struct authd *ad);

/* No query is running. The loop has to run once more. */
void authd_users_close(struct authd *ad);

/* A question about a user found this: the metrics learn whether anybody answers. */
void authd_users_found(struct authd *ad, enum userdb_status status);

/* ---- authd_pam.c: the process that asks PAM ---- */

/* How a database of users asks there. Borrows ad. */
struct userdb_pam_asker authd_pam_asker(struct authd *ad);

/* A channel to it; fd is ours. Whoever waits for an older one is told that it is away. */
void authd_pam_link(struct authd *ad, uint32_t peer_id, int fd);

/* Nobody waits. The loop has to run once more. */
void authd_pam_close(struct authd *ad);

/* ---- authd_grant.c: what storage is told ---- */

/* IPC_OK: storage has been told. Otherwise why not; the reason is in the log. */
enum ipc_status grant_open(const struct request *r);

/* By which rules the user's maildrop will be opened. False: they can't be understood. */
bool grant_rules(const struct request *r, struct maildrop_rules *ret_rules);
enum ipc_status grant_deliver(const struct request *r, const struct user_record *record,
			      bool *ret_quota);

/* ---- authd.c ---- */

static inline const struct config *authd_config(const struct authd *ad)
{
	return ad->process->config;
}

/* Where every message is put together: nothing else runs between ipc_start() and the sending. */
union ipc_msg *authd_out(enum ipc_type type, uint64_t session);

/* The process ends when it is to drain and has nothing left. */
void authd_check_drained(struct authd *ad);
