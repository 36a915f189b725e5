/* SPDX-License-Identifier: MIT */
/*
 * userdb_worker.h - a database that makes whoever asks it wait: SQL, LDAP, PAM. Each has
 * threads of its own, so what stands still is that database and nothing else.
 *
 *	loop ──lookup──► queue ──► thread: connection, question, answer ──► done ──► loop
 *	  ▲                                                                   │
 *	  └──── AWAY when the time is over, whatever the thread does ◄────────┘
 *
 * The libraries' own ways not to block all do somewhere (a name is looked up, a handshake
 * made), so none of them may run in the loop.
 *
 * Places have turns in the queue: who asks a thousand times waits behind themselves.
 *
 * A database that failed is left alone for a while, and longer each time; meanwhile everybody
 * is told USERDB_AWAY at once. Then one question is let through to see.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "auth/userdb_priv.h"

#define USERDB_THREADS_MAX 32U

/* What a thread is to find out. Strings live for the call. */
struct userdb_question {
	const char *name; /* normalised */
	bool by_address;
	/* verify() alone: what lookup() has put into the record's secret, and the client's */
	const char *secret;
	const char *password;
	const char *remote;
	uint64_t deadline_ms; /* clock_mono_ms(): an answer after it is heard by nobody */
};

/*
 * One kind of database. All but free() is called in a thread, by several at a time; a
 * connection is one thread's.
 *
 * lookup() and verify() return 1 (found, right), 0 (unknown, wrong), -EINVAL with *err when the
 * row makes no sense, or another negative errno with *err: the database is away, and the
 * connection is closed.
 */
struct userdb_driver {
	/* NULL with *err: away. Gives up at deadline_ms. */
	void *(*connect)(const void *settings, uint64_t deadline_ms, struct err *err);
	/* *ret_record is begun, as userdb_record_begin() does. */
	int (*lookup)(void *connection, const struct userdb_question *q,
		      struct user_record *ret_record, struct err *err);
	int (*verify)(void *connection, const struct userdb_question *q, struct err *err);
	/* Says every name. NULL when the kind can't. */
	int (*list)(void *connection, userdb_name *say, void *arg, struct err *err);
	void (*disconnect)(void *connection);
	void (*free)(void *settings);
};

struct userdb_worker_options {
	const struct userdb_driver *driver;
	void *settings;    /* Owned by the worker, also after a failure */
	const char *title; /* "sqlite:/etc/..."; copied */
	unsigned threads;
	uint32_t timeout_ms;
	userdb_notice *notice;
	void *notice_arg;
};

/* Starts no thread: the first question does. -ENOMEM, or as the kernel says. */
int userdb_worker_open(const struct userdb_worker_options *options,
		       struct userdb_source *ret_source);
