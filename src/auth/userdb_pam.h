/* SPDX-License-Identifier: MIT */
/*
 * userdb_pam.h - users of this machine, whose passwords PAM verifies: "pam:SERVICE".
 *
 * A PAM module may do anything and take any time, so PAM has a process of its own. Who speaks
 * with that (auth) says here how it is asked. Who doesn't (restantectl) gets users looked up
 * in their own process, at once, and no password verified.
 */
#pragma once

#include "auth/system_user.h"
#include "auth/userdb.h"

/* Strings live for the call. */
struct userdb_pam_question {
	const char *name;
	/* To verify; else NULL */
	const char *service;
	const char *password;
	const char *remote;
};

struct userdb_pam_asker {
	void *arg;
	/* False: nobody is there to be asked. Or userdb_pam_answer() comes later, or forget(). */
	bool (*ask)(void *arg, struct userdb_query *q, const struct userdb_pam_question *question);
	void (*forget)(void *arg, struct userdb_query *q);
};

/* For databases added from here on. *asker is copied; its arg outlives db. */
void userdb_use_pam(struct userdb *db, const struct userdb_pam_asker *asker);

/* The answer to ask(). user only for USERDB_FOUND where no password was to be verified. */
void userdb_pam_answer(struct userdb_query *q, enum userdb_status status,
		       const struct system_user *user);
