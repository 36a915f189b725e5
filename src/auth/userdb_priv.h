/* SPDX-License-Identifier: MIT */
/*
 * userdb_priv.h - one kind of user database: what userdb.c asks of it. A query
 * waits in one source at a time.
 */
#pragma once

#include "auth/userdb.h"

/* A source's answer, or "later": then it calls userdb_answer() from the loop, or cancel() comes. */
#define USERDB_LATER ((enum userdb_status)(USERDB_AWAY + 1))

struct userdb_source {
	const struct userdb_source_ops *ops;
	void *state; /* Owned by ops */
};

struct userdb_source_ops {
	/* name is normalised. Fills *ret_record for USERDB_FOUND; it comes without rules. */
	enum userdb_status (*lookup)(void *state, struct userdb_query *q, const char *name,
				     struct user_record *ret_record);
	void (*cancel)(void *state, struct userdb_query *q); /* NULL when it is never later */
	void (*refresh)(void *state);
	/* True when it has secrets to take one from. Touches nothing else of the record. */
	bool (*decoy)(void *state, const char *name, struct user_record *record);
	void (*free)(void *state);
};

/* What a source said "later" about. */
void userdb_answer(struct userdb_query *q, enum userdb_status status,
		   const struct user_record *record);

/* Adds a source behind the others; it is the database's from here on. */
void userdb_add_source(struct userdb *db, const struct userdb_source *source);

/* Fills *ret_source. -ENOMEM. */
int userdb_passwd_open(const char *path, userdb_notice *notice, void *arg,
		       struct userdb_source *ret_source);
