/* SPDX-License-Identifier: MIT */
/*
 * userdb.h - who a name belongs to. Databases stand in a row behind this
 * interface and are asked one after the other; each may answer at once (a
 * passwd-file) or later (SQL, LDAP, PAM).
 *
 * One thread. Nothing here waits, but for the disk when a passwd-file has changed, and
 * userdb_list().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/maildrop_rules.h"
#include "auth/login_name.h"
#include "auth/scheme.h"

/* A user, with everything that a login or a delivery wants to know. Wipe it after use. */
struct user_record {
	char name[LIMIT_USER + 1]; /* as the database has it, ASCII in lower case */
	/*
	 * A stored password (scheme.h). Where the database verifies passwords itself, something
	 * that no password is verified against, and that changes when it is another account.
	 */
	char secret[SCHEME_STORED_MAX];
	bool verifies;                            /* by userdb_verify() */
	char scram[SCRAM_HASHES][SCRAM_TEXT_MAX]; /* keys of the same password, or "" */
	char home[LIMIT_PATH];
	char mail[LIMIT_PATH]; /* the user's own mail location, or "" */
	uint32_t uid;          /* or PASSWD_NO_ID, PASSWD_BAD_ID of passwd_file.h */
	uint32_t gid;
	struct maildrop_own_rules rules;
};

enum userdb_status {
	USERDB_FOUND,
	USERDB_UNKNOWN,
	USERDB_AWAY, /* some database could not be asked, and none of the others knows the name */
};

/*
 * One question being asked. The caller's memory, zeroed before; untouched from
 * userdb_lookup_*() until done comes or userdb_cancel() returns.
 */
struct userdb_query;

/* record is NULL but for USERDB_FOUND, and lives for the call. */
typedef void userdb_done(struct userdb_query *q, enum userdb_status status,
			 const struct user_record *record);

#define USERDB_CANDIDATES 4
#define USERDB_SOURCES_MAX 8

struct userdb_query {
	userdb_done *done;
	void *owner; /* the caller's own. Borrowed */
	/* Where it comes from: many questions from one place wait behind each other, not others'
	 * behind them. */
	uint64_t place;

	struct userdb *_db;
	char _name[USERDB_CANDIDATES][LIMIT_USER + 1];
	unsigned _n_names;
	unsigned _n_whole; /* of them without a device taken off */
	unsigned _at_name;
	unsigned _at_source;
	bool _away;
	bool _by_address;
	bool _waiting; /* for the source at _at_source */
	bool _verifies;
	struct userdb *_answered; /* by its source at _at_source, while done runs */
};

/* How names are looked for. Strings are copied. */
struct userdb_rules {
	const char *default_domain;      /* "" for none */
	const char *recipient_delimiter; /* any octet of it begins the detail; "" for none */
	uint32_t first_uid;              /* users of this machine below it are none */
};

/* What an operator should know; once for each new trouble, not for each lookup. */
typedef void userdb_notice(void *arg, const char *text);

struct userdb;

/* NULL when there is no memory. */
struct userdb *userdb_new(const struct userdb_rules *rules, userdb_notice *notice, void *arg);

/* No query may be running. NULL is fine. */
void userdb_free(struct userdb *db);

/*
 * Adds a passwd-file behind the databases that are there. A file that can't be
 * read now is reported and tried again at each lookup. -ENOMEM.
 */
int userdb_add_passwd_file(struct userdb *db, const char *path);

/*
 * Adds a database behind those that are there: "passwd-file:PATH", or "sqlite:PATH",
 * "pgsql:PATH" or "ldap:PATH", where PATH is a file that says how it is asked, or "pam:SERVICE"
 * (userdb_pam.h). Nothing is connected to yet, and a database that is away is no failure. -EINVAL
 * and the like with *err, which names file and line; -ENOMEM.
 */
int userdb_add(struct userdb *db, const char *spec, struct err *err);

/* Such a database is asked by sockets that may go to another machine. */
bool userdb_needs_network(const char *spec);

/*
 * The same, and looks whether what is there can be used: a passwd-file that can't be read is a
 * failure too. For those who check a configuration.
 */
int userdb_check(struct userdb *db, const char *spec, struct err *err);

/* Adds one that is always away: in the place of one that could not be added. */
void userdb_add_away(struct userdb *db);

/*
 * When this descriptor is readable, userdb_dispatch() is to be called. It is the same for as long
 * as the database lives. -1 when every source answers at once.
 */
int userdb_fd(const struct userdb *db);
void userdb_dispatch(struct userdb *db);

/* Some database may be away: it doesn't answer at once, or from another process. */
bool userdb_may_be_away(const struct userdb *db);

/* No query is running. */
bool userdb_is_idle(const struct userdb *db);

/* Looks whether files have changed, now rather than at the next lookup. */
void userdb_refresh(struct userdb *db);

/*
 * Looks for the user who logs in as login: the name itself, then with the default
 * domain for a name without one, and without the domain for a name with the
 * default one. A name that breaks user_name_check() is USERDB_UNKNOWN.
 *
 * done is called once, from inside this call or later.
 */
void userdb_lookup_login(struct userdb *db, struct userdb_query *q, const char *login);

/*
 * The same for name->whole and, where nobody is called so and name has a device, for name->user:
 * userdb_is_device() is true then.
 */
void userdb_lookup_name(struct userdb *db, struct userdb_query *q, const struct login_name *name);

/* Inside q->done, with USERDB_FOUND. */
bool userdb_is_device(const struct userdb_query *q);

/*
 * The same for the user who gets mail for address, which is as MAIL and RCPT carry
 * it: without the quotes of its local part, then also without what follows the
 * first delimiter there (RFC 5233).
 *
 * Mail for a user who is unknown is sent back. So it is USERDB_AWAY for a moment
 * when a passwd-file was changed in place: whoever writes it may not be done.
 */
void userdb_lookup_address(struct userdb *db, struct userdb_query *q, const char *address);

/*
 * Asks the database that has just found the user whether password is right: to be called from
 * inside q->done, with its record, when that says verifies. q->done, which may be another one from
 * here on, is called once more, with USERDB_FOUND (right; without a record), USERDB_UNKNOWN
 * (wrong) or USERDB_AWAY. remote is the client's address, which PAM wants.
 */
void userdb_verify(struct userdb_query *q, const struct user_record *record, const char *password,
		   const char *remote);

/* done will not be called. Fine after it was, and for a zeroed query. */
void userdb_cancel(struct userdb_query *q);

typedef void userdb_name(void *arg, const char *name);

/* Says the names of all users, database by database. Waits. -ENOTSUP where one can't be listed. */
int userdb_list(struct userdb *db, userdb_name *say, void *arg, struct err *err);

/*
 * Puts somebody's secret and scram into the record, for a name that is nobody's:
 * verifying a password against it takes as long as for a user that exists. Always the
 * same for the same name.
 */
void userdb_decoy(const struct userdb *db, const char *login, struct user_record *record);

/*
 * The keys of the record's user: from secret when that is a {SCRAM-...}, or beside it.
 * False when there are none, or the user is locked.
 */
bool userdb_scram(const struct user_record *r, enum scram_hash hash, struct scram_keys *ret_keys);

/* What the configuration says about where mail is kept. Borrowed. */
struct userdb_place {
	const char *mail_location; /* user_mail_path() */
	const char *default_domain;
	bool own_ids; /* mail belongs to each user's own uid and gid, not to one for all */
	const struct maildrop_rules *rules;
	struct maildrop_bounds bounds;
};

struct userdb_maildrop {
	char path[LIMIT_PATH];
	uint32_t uid; /* UINT32_MAX: whoever storage is */
	uint32_t gid;
	struct maildrop_rules rules;
};

/*
 * Where, as whom and by which rules the user's mail is kept. -EINVAL with the reason when the
 * user's row or the location makes no sense; root never is the owner.
 */
int userdb_maildrop(const struct user_record *r, const struct userdb_place *place,
		    struct userdb_maildrop *ret_maildrop, struct err *err);
