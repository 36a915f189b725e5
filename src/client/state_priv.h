/* SPDX-License-Identifier: MIT */
/*
 * state_priv.h - what state.c (the file) and state_message.c (its rows) share.
 */
#pragma once

#include <sqlite3.h>

#include "client/state.h"

/* Statements that are run for each message are prepared once. */
enum state_statement {
	STATEMENT_FIND,
	STATEMENT_FIND_HEADER,
	STATEMENT_HAS_KEY,
	STATEMENT_HAS_UIDLS,
	STATEMENT_ADD,
	STATEMENT_MAILDIR,
	STATEMENT_OCTETS,
	STATEMENT_STATUS,
	STATEMENT_LISTED,
	STATEMENT_FORGET,
	STATEMENTS
};

struct state {
	sqlite3 *db;                        /* Owned */
	char *path;                         /* Owned */
	int lock_fd;                        /* Owned; -1: none */
	sqlite3_stmt *prepared[STATEMENTS]; /* Owned; NULL: not yet */
};

/* Fills *err with what the database says about the last call. Negative errno. */
int state_fail(struct state *s, const char *what, struct err *err);

/* Runs statements that return nothing. */
int state_run(struct state *s, const char *sql, const char *what, struct err *err);

/* The statement, ready for values. NULL after a failure, which *err describes. */
sqlite3_stmt *state_statement(struct state *s, enum state_statement which, struct err *err);

/* Runs a prepared statement that returns nothing, and makes it ready for the next time. */
int state_step_done(struct state *s, sqlite3_stmt *statement, const char *what, struct err *err);
