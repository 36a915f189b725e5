/* SPDX-License-Identifier: MIT */
/*
 * master_priv.h - the master inside. One thread, no event loop library: poll(2)
 * over a signalfd and the children's control channels.
 *
 * A slot is a place that must be filled: storage, auth, signer, and each listener. A
 * child fills a slot, or has been replaced there and only finishes its sessions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "server/config.h"
#include "server/process.h"

#define MASTER_LISTENERS_MAX 256

enum {
	SLOT_STORAGE,
	SLOT_AUTH,
	SLOT_PAM,
	SLOT_SIGNER, /* from here on a generation has its own */
	SLOT_MONITOR,
	SLOT_LISTENER,
	SLOTS_MAX = SLOT_LISTENER + MASTER_LISTENERS_MAX
};

struct child {
	struct child *next;
	enum ipc_role role;
	uint32_t id;         /* its peer_id, never used again */
	uint32_t generation; /* the master's when it was started */
	pid_t pid;
	int control; /* Owned; -1 when it was closed */
	int slot;    /* -1: replaced */
	bool ready;
	bool draining;
	bool foreign; /* of the program before this one: master_takeover.c */
	uint32_t drain_seconds;
	uint64_t started_ms;
	uint64_t started;   /* seconds since 1970, for who asks */
	int page;           /* of the metrics; -1: none */
	unsigned pings;     /* said, and … */
	unsigned pongs;     /* … answered */
	uint64_t pinged_ms; /* the oldest that isn't answered */
};

struct slot {
	struct child *child;  /* Borrowed from the list; NULL: to be started */
	unsigned failures;    /* in a row */
	uint64_t start_at_ms; /* when child is NULL */
};

/* The sockets of one address: one for each listener, or the same for all (UNIX). */
struct bound {
	struct config_listen listen;
	unsigned n;    /* 1 for a UNIX socket, for metrics, and for what was given to us */
	bool given;    /* by the service manager, whose it stays */
	bool nameless; /* given, and called nothing that says what is spoken there */
	int fds[MASTER_LISTENERS_MAX];
};

struct sockets {
	struct bound *bound[CONFIG_LISTEN_MAX]; /* in the order of config->listen. Owned */
	uint32_t n;
};

/* Certificate files, by a number that is another one when anything about them is. */
struct renewal {
	uint64_t used; /* as they were when the listeners' generation began */
	uint64_t seen; /* when they were last looked at */
	uint64_t refused;
	uint64_t due_ms; /* the next look */
};

enum master_state {
	MASTER_STARTING, /* not every slot has been ready yet */
	MASTER_RUNNING,
	MASTER_DRAINING, /* listeners finish their sessions; nothing is restarted */
	MASTER_STOPPING, /* no listener is left: all others end */
};

struct master {
	const char *path; /* of the configuration. Borrowed */
	struct config config;
	struct sockets sockets;
	struct child *children; /* Owned */
	struct slot slots[SLOTS_MAX];
	unsigned n_slots;
	uint32_t next_id;
	struct metrics_area *metrics; /* NULL: there was no memory for it */
	uint64_t started;             /* seconds since 1970 */
	uint64_t reloaded;
	uint32_t generation;        /* of listeners: counted up by reloads and renewals */
	struct tls_tickets tickets; /* what listeners share; as it was when the last one began */
	int signals;                /* signalfd. Owned */
	enum master_state state;
	uint64_t deadline_ms; /* of draining or stopping; 0: none */
	bool reloading;       /* new listeners start, old ones wait for them to be ready */
	bool taken_over;      /* and the old ones are of another program */
	uint32_t watchdog_ms; /* the service manager wants a sign of life that often; 0: never */
	uint64_t watch_at_ms; /* when the children are asked next */
	struct renewal renewal;
};

/* ---- master.c ---- */

/*
 * Without root nobody can become anybody else: the users that the configuration
 * names are replaced by the one that we are.
 */
void master_own_users(struct config *config);

/* Room for as many descriptors as max_connections needs, for us and children to come. */
void master_raise_fd_limit(const struct config *config);

/* READY, with what there is in few words. */
void master_notify_ready(const struct master *m);

/* ---- master_child.c ---- */

/* Starts what should run and doesn't, if its time has come. */
void master_start_due(struct master *m);

/*
 * False for a slot that this configuration leaves empty: the monitor's when nobody asks it, PAM's,
 * the signer's without TLS.
 */
bool master_wants(const struct master *m, unsigned slot);

/* Collects children that have ended. */
void master_reap(struct master *m);

/* Reads a control channel: READY, or its end. */
void master_read_control(struct master *m, struct child *c);

/* seconds may be IPC_DRAIN_FOREVER. Says it again only when the time is shorter. */
void master_drain_child(struct child *c, uint32_t seconds);

/* Milliseconds until master_start_due() has something to do, or -1. */
int64_t master_due_in(const struct master *m, uint64_t now_ms);

bool master_all_ready(const struct master *m);
unsigned master_count(const struct master *m, enum ipc_role role);
const char *master_role_name(enum ipc_role role);

/* A control message; a child that doesn't take it hangs, and is killed. */
void master_tell(struct child *c, const union ipc_msg *msg, int fd);

/* Asks whether it has heard all that was said before; master_has_answered() then says. */
void master_ping(struct child *c);
bool master_has_answered(const struct child *c);

/* ---- master_link.c ---- */

/* Connects a new child with every other that it works with. */
void master_link_all(struct master *m, struct child *c);

/* ---- master_sockets.c ---- */

/*
 * Binds what config names. What keep has of it already is taken over: *ret_sockets
 * then shares those with keep, until sockets_replace() or sockets_drop_new(). 0 or
 * negative errno, with nothing changed.
 */
int sockets_bind(const struct config *config, const struct sockets *keep, unsigned listeners,
		 struct sockets *ret_sockets, struct err *err);

/* old becomes fresh; what fresh doesn't have is closed, and UNIX sockets' names removed. */
void sockets_replace(struct sockets *old, const struct sockets *fresh);

/* Closes what fresh has and keep has not. */
void sockets_drop_new(const struct sockets *fresh, const struct sockets *keep);

/*
 * The sockets of listener number i, or of the monitor, in the order of config->listen; -1
 * where it has none.
 */
void sockets_of(const struct sockets *s, enum ipc_role role, unsigned i, int *ret_fds);

/*
 * The sockets that the service manager has bound (LISTEN_FDS, sd_listen_fds(3)), for
 * sockets_bind() to find. 0 or negative errno.
 */
int sockets_given(struct sockets *ret_sockets, struct err *err);

/*
 * Adds those of them that config doesn't name, as what they are called: pop3, pop3s or
 * lmtp. -EINVAL for one that is called otherwise.
 */
int sockets_add_given(const struct sockets *s, struct config *config, struct err *err);

/* "pop3s": what it is called in the log, and by the service manager. */
const char *sockets_protocol(enum config_protocol protocol);
bool sockets_protocol_find(const char *name, enum config_protocol *ret_protocol);

/* ---- master_check.c ---- */

/*
 * Certificate, key, users and accounts, as the processes will find them. In a
 * process of its own: keys and hashes never come into the master's memory.
 * warnings go to the log.
 */
int master_check(const struct config *config, struct err *err);

/* The same of certificates and keys alone. */
int master_check_tls(const struct config *config, struct err *err);

/* ---- master_renewal.c ---- */

/* The number of the files that config names, as they are now. */
uint64_t master_renewal_look(const struct config *config);

/* A generation of listeners has begun, or is about to, with these. */
void master_renewal_begin(struct master *m, uint64_t used);

/* Looks, when it is time, and renews listeners when there are new certificates. */
void master_renewal(struct master *m);

/*
 * Before one process more is started for this generation: it must find the files that the
 * others have found, or keys and certificates don't belong together. BEGUN: they are others
 * and good, so all of the generation has been replaced. REFUSED: this process has to wait.
 */
enum renewal_answer { RENEWAL_SAME, RENEWAL_BEGUN, RENEWAL_REFUSED };
enum renewal_answer master_renewal_for_start(struct master *m);

/* Milliseconds until master_renewal() has something to do, or -1. */
int64_t master_renewal_in(const struct master *m, uint64_t now_ms);

/* ---- master_reload.c ---- */

/* SIGHUP. */
void master_reload(struct master *m);

/* auth reads its files again, by the configuration that we have. False after a line in the log. */
bool master_tell_auth(struct master *m);

/* A new generation of listeners, with the configuration that we have. */
void master_renew_listeners(struct master *m);

/* ---- master_takeover.c ---- */

/* Call it in main(): finds out which program this is. */
void master_takeover_init(void);

/* This program can take over from one that says so. */
bool master_takeover_fits(const char *version);

/* SIGUSR2. Comes back only if it failed, which is in the log. */
void master_upgrade(struct master *m);

/*
 * Takes over what the program before this one has left: its children into m, its sockets into
 * *ret_sockets. 1; 0 when there was none; negative errno.
 */
int master_takeover(struct master *m, struct sockets *ret_sockets, struct err *err);

/* The others of the program before go after its last listener. */
void master_takeover_settle(struct master *m);

/* ---- master_notify.c ---- */

/* To systemd (sd_notify(3)), when it started us. */
void master_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says in the metrics' area what runs now. */
void master_describe(struct master *m);

/* ---- master_watch.c ---- */

/*
 * Once in a third of the watchdog's time all children are asked; when all have answered,
 * the service manager gets its sign of life. A child that has two thirds of that time no
 * answer hangs, and is killed: it is then started again before the whole server is.
 */
void master_watch_init(struct master *m);
void master_watch(struct master *m);

/* Milliseconds until master_watch() has something to do, or -1. */
int64_t master_watch_in(const struct master *m, uint64_t now_ms);

int pid_file_write(const char *path, struct err *err);
