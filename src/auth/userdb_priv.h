/* SPDX-License-Identifier: MIT */
/*
 * userdb_priv.h - one kind of user database: what userdb.c asks of it. A query
 * waits in one source at a time.
 */
#pragma once

#include "auth/userdb.h"
#include "auth/userdb_pam.h"

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
	/*
	 * Whether password is the user's, whose record this source gave and said that it
	 * verifies: FOUND, UNKNOWN, AWAY, or later. NULL when it never says so.
	 */
	enum userdb_status (*verify)(void *state, struct userdb_query *q,
				     const struct user_record *record, const char *password,
				     const char *remote);
	void (*cancel)(void *state, struct userdb_query *q); /* NULL when it is never later */
	void (*refresh)(void *state);
	/* 0, or what refresh() would report. NULL: all there is to check was when it was opened. */
	int (*check)(void *state, struct err *err);
	/* True when it has secrets to take one from. Touches nothing else of the record. */
	bool (*decoy)(void *state, const char *name, struct user_record *record);
	/* Waits. NULL when it can't be listed. */
	int (*list)(void *state, userdb_name *say, void *arg, struct err *err);
	/* When it is readable, dispatch() is to be called. Both NULL when it is never later. */
	int (*fd)(const void *state);
	void (*dispatch)(void *state);
	void (*free)(void *state);
};

/* What a kind of source is opened with: "sqlite:/etc/restante/users-sqlite.conf". */
struct userdb_spec {
	const char *title;    /* all of it */
	const char *argument; /* what is behind the ':' */
	userdb_notice *notice;
	void *notice_arg;
	uint32_t first_uid;          /* of users of this machine */
	struct userdb_pam_asker pam; /* ask NULL: there is none */
};

/* What a source said "later" about. */
void userdb_answer(struct userdb_query *q, enum userdb_status status,
		   const struct user_record *record);

/* Adds a source behind the others; it is the database's from here on. */
void userdb_add_source(struct userdb *db, const struct userdb_source *source);

/* The same for one whose fd() userdb_dispatch() is to look at. Negative errno: it is the caller's.
 */
int userdb_add_watched(struct userdb *db, const struct userdb_source *source);

/* Zeroed, without ids, and called name. */
void userdb_record_begin(struct user_record *r, const char *name);

/*
 * Sets what a column or attribute of this name says: password (scheme is what it has when it names
 * none; "": as it is), name, home, mail, uid, gid, the keys of scram_word(), the rules of
 * base/maildrop_rules.h, and extra, words of all of the latter; each also behind "userdb_". Others
 * are left to whoever wrote them. -EINVAL with *err for a value that can't be one.
 */
int userdb_record_set(struct user_record *r, struct span column, const char *scheme,
		      struct span value, struct err *err);

/* Fills *ret_source. -ENOMEM. */
int userdb_passwd_open(const char *path, userdb_notice *notice, void *arg,
		       struct userdb_source *ret_source);

/* Fill *ret_source, or negative errno with *err. Nothing is connected to yet. */
int userdb_sqlite_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		       struct err *err);
int userdb_pgsql_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		      struct err *err);
int userdb_pam_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		    struct err *err);
int userdb_ldap_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		     struct err *err);
