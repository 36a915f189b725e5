/* SPDX-License-Identifier: MIT */
/*
 * process.h - what every child of the master has in common: how it starts, its
 * loop, the control channel to the master, and how it ends.
 *
 * A child is forked without exec. It keeps standard error, its control channel and
 * the listening sockets that it was given, and nothing else of the master's. In
 * order, process_main()
 *
 *	closes, resets signals, names the process, begins its log
 *	prepare()        still with the master's rights: keys, files, counters
 *	drops privileges for good, and forbids dumps
 *	makes the loop and the control channel
 *	start()          no rights left: handles
 *	seals itself     ops->sandbox; the pool's threads come later, and are sealed too
 *	IPC_READY        said to the master
 *	runs the loop:   on_link(), on_config(), on_drain() as the master says
 *	stop()           frees what start() made, for leak checkers
 *
 * A child ends by process_quit(), or at once when the control channel breaks: then
 * the master is gone, and another one may be about to start.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "net/tls_tickets.h"
#include "server/config.h"
#include "server/ipc.h"
#include "server/ipc_channel.h"
#include "server/metrics.h"
#include "server/sandbox.h"

struct process;

/* One kind of process. Each folder declares its own: listener_ops, authd_ops, stored_ops. */
struct process_ops {
	enum ipc_role role;
	const struct sandbox_profile *sandbox; /* NULL: it stays open, in tests */

	/* 0 or negative errno; the process then ends with *err in the log. May be NULL. */
	int (*prepare)(struct process *p, struct err *err);
	int (*start)(struct process *p, struct err *err);

	/*
	 * A new channel to another process; fd belongs to the callee. A role that
	 * has one already (auth, storage) has been restarted: the new one counts,
	 * and the old one's on_closed comes before or after.
	 */
	void (*on_link)(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd);

	/* p->config has been replaced. Never comes to a listener: a new one is started. May be
	 * NULL. */
	void (*on_config)(struct process *p);

	/*
	 * Take nothing new; process_quit() when the last session has ended. Sessions
	 * have p->drain_seconds for that. Comes again when the time is shortened:
	 * first for a reload, for ever, and then because everything ends.
	 */
	void (*on_drain)(struct process *p);

	/*
	 * The loop has ended, and the master is not listened to any more. Close every
	 * handle and free everything; the loop runs once more afterwards, for the close
	 * callbacks. May be NULL.
	 */
	void (*stop)(struct process *p);
};

struct process {
	void *owner; /* the role's own, set in prepare() or start(). Borrowed */
	const struct process_ops *ops;
	uint32_t id;           /* other processes' peer_id for it; unique while the master lives */
	struct config *config; /* Owned */
	/* Bound and listening, one for each of config->listen; -1: not this process's. Owned */
	const int *sockets;
	const struct metrics_area *metrics;    /* a monitor's, to read; else NULL */
	const struct sandbox_profile *sandbox; /* as ops say: prepare() may choose another */
	unsigned threads;       /* of libuv's pool: prepare() may set it. Starts as 4 */
	uint32_t drain_seconds; /* when on_drain() is called; IPC_DRAIN_FOREVER: any time */
	bool has_tickets;       /* only a listener has, and may move them away in prepare() */
	struct tls_tickets tickets;
	uv_loop_t loop; /* from start() on */

	struct ipc_channel _control;
};

/* What the master gives to a child that it has just forked. */
struct process_start {
	const struct process_ops *ops;
	uint32_t id;
	const struct config *config; /* Borrowed: process_main() copies it */
	int control;                 /* Owned by the child */
	const int *sockets;          /* Borrowed; config->n_listen of them, or NULL */
	/*
	 * What all listeners seal session tickets with, or NULL. Borrowed, and wiped: with
	 * fork() every child has inherited a copy, and none may keep it.
	 */
	struct tls_tickets *tickets;
	struct metrics_area *metrics; /* NULL: nothing is counted. Borrowed */
	int metrics_page;
};

/* The whole life of a child. Returns what to exit with. */
int process_main(const struct process_start *start);

/*
 * Handles now what the master has already said: storage calls it before it says
 * that it doesn't know a listener.
 */
void process_read_control(struct process *p);

/* Ends the loop soon, with exit status 0. */
void process_quit(struct process *p);

/*
 * Remembers where the program's arguments are, so that ps(1) can show what each
 * child is. Call it once, in main(), before anything looks at argv again.
 */
void process_title_init(int argc, char **argv);
