/* SPDX-License-Identifier: MIT */
#include "client/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/folder.h"
#include "client/state_priv.h"

/* How long others may keep the file locked. Their transactions are short. */
#define PATIENCE_MS 60000

/* "RsPo", in the file's header: so a database of something else isn't touched. */
#define APPLICATION_ID 0x5273506f
#define SCHEMA_VERSION 1

#define STRING_OF_(x) #x
#define STRING_OF(x) STRING_OF_(x)

/*
 * A rollback journal, not WAL: that needs memory shared with other processes, which
 * home directories on a network don't have. TRUNCATE with FULL syncs the journal
 * after it was cut, so a commit is on disk when it returns.
 */
static const char on_open[] = "PRAGMA journal_mode = TRUNCATE;"
			      "PRAGMA synchronous = FULL;"
			      "PRAGMA foreign_keys = ON;"
			      "PRAGMA temp_store = MEMORY;"
			      "CREATE TEMP TABLE listed (id INTEGER PRIMARY KEY);";

static const char schema[] =
	"CREATE TABLE account ("
	" id INTEGER PRIMARY KEY,"
	" identity TEXT NOT NULL UNIQUE,"
	" name TEXT NOT NULL,"
	" login TEXT NOT NULL DEFAULT ''"
	") STRICT;"
	"CREATE TABLE maildir ("
	" id INTEGER PRIMARY KEY,"
	" path TEXT NOT NULL UNIQUE"
	") STRICT;"
	"CREATE TABLE message ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account INTEGER NOT NULL REFERENCES account,"
	" key BLOB NOT NULL,"
	" uidl BLOB NOT NULL,"
	" header BLOB NOT NULL,"
	" octets INTEGER NOT NULL,"
	" status INTEGER NOT NULL,"
	" maildir INTEGER NOT NULL REFERENCES maildir,"
	" stored_at INTEGER NOT NULL,"
	" vanished_at INTEGER,"
	" UNIQUE (account, key)"
	") STRICT;"
	"CREATE INDEX message_uidl ON message (account, uidl);"
	"CREATE INDEX message_header ON message (account, header);"
	"PRAGMA application_id = " STRING_OF(APPLICATION_ID) ";"
							     "PRAGMA user_version = " STRING_OF(
								     SCHEMA_VERSION) ";";

#undef STRING_OF
#undef STRING_OF_

static int errno_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH:
		return EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EPROTO;
	default:
		return EIO;
	}
}

int state_fail(struct state *s, const char *what, struct err *err)
{
	return err_set(err, errno_of(sqlite3_extended_errcode(s->db)), "cannot %s '%s': %s", what,
		       s->path, sqlite3_errmsg(s->db));
}

int state_run(struct state *s, const char *sql, const char *what, struct err *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : state_fail(s, what, err);
}

static int read_pragma(struct state *s, const char *sql, int64_t *ret_value, struct err *err)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	if (sqlite3_step(statement) == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	else
		r = state_fail(s, "read", err);
	(void)sqlite3_finalize(statement);
	return r;
}

/* In a transaction: whoever else opens a new file now waits for its tables. */
static int make_or_check_schema(struct state *s, struct err *err)
{
	int64_t version;
	int64_t application;
	int64_t tables;
	int r = read_pragma(s, "PRAGMA user_version", &version, err);

	if (r == 0)
		r = read_pragma(s, "PRAGMA application_id", &application, err);
	if (r == 0)
		r = read_pragma(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (r < 0)
		return r;
	if (version == 0 && application == 0 && tables == 0)
		return state_run(s, schema, "write", err);
	if (application != APPLICATION_ID)
		return err_set(err, EPROTO, "'%s' is no state of restante", s->path);
	if (version != SCHEMA_VERSION)
		return err_set(err, EPROTO, "'%s' is of a newer restante", s->path);
	return 0;
}

/* What SQLite makes has the permissions of the umask: this file is nobody else's business. */
static int make_file(const char *path, struct err *err)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", path);
	(void)close(fd);
	return 0;
}

static int open_database(struct state *s, struct err *err)
{
	int r;

	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return s->db == NULL ? err_sys(err, ENOMEM, "cannot open '%s'", s->path)
				     : state_fail(s, "open", err);
	(void)sqlite3_extended_result_codes(s->db, 1);
	(void)sqlite3_busy_timeout(s->db, PATIENCE_MS);
	r = state_run(s, on_open, "open", err);
	if (r == 0)
		r = state_begin(s, err);
	if (r < 0)
		return r;
	r = make_or_check_schema(s, err);
	if (r == 0)
		r = state_commit(s, err);
	if (r < 0)
		state_abort(s);
	return r;
}

int state_open(const char *path, struct state **ret_state, struct err *err)
{
	struct state *const s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", path);
	s->lock_fd = -1;
	s->path = strdup(path);
	if (s->path == NULL) {
		r = err_sys(err, ENOMEM, "cannot open '%s'", path);
		goto fail;
	}
	r = folder_make_above(path, err);
	if (r == 0)
		r = make_file(path, err);
	if (r == 0)
		r = open_database(s, err);
	if (r < 0)
		goto fail;
	*ret_state = s;
	return 0;
fail:
	state_close(s);
	return r;
}

void state_close(struct state *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(s->prepared[i]);
	(void)sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	free(s->path);
	free(s);
}

int state_account(struct state *s, const char *identity, const char *name, int64_t *ret_account,
		  struct err *err)
{
	static const char sql[] = "INSERT INTO account (identity, name) VALUES (?1, ?2)"
				  " ON CONFLICT (identity) DO UPDATE SET name = ?2 RETURNING id";
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	(void)sqlite3_bind_text(statement, 1, identity, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW) {
		r = state_fail(s, "write", err);
	} else {
		*ret_account = sqlite3_column_int64(statement, 0);
		/* The change is committed when the statement has come to its end. */
		if (sqlite3_step(statement) != SQLITE_DONE)
			r = state_fail(s, "write", err);
	}
	(void)sqlite3_finalize(statement);
	return r;
}

int state_login(struct state *s, int64_t account, char *ret_text, size_t cap, struct err *err)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT login FROM account WHERE id = ?1", -1, &statement,
			       NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	(void)sqlite3_bind_int64(statement, 1, account);
	if (sqlite3_step(statement) != SQLITE_ROW) {
		r = state_fail(s, "read", err);
	} else {
		const char *const text = (const char *)sqlite3_column_text(statement, 0);
		const size_t n = text == NULL ? cap : strlen(text);

		if (n < cap)
			memcpy(ret_text, text, n + 1);
		else
			r = err_set(err, ENOBUFS, "'%s' has a login that makes no sense", s->path);
	}
	(void)sqlite3_finalize(statement);
	return r;
}

int state_set_login(struct state *s, int64_t account, const char *text, struct err *err)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, "UPDATE account SET login = ?2 WHERE id = ?1", -1, &statement,
			       NULL) != SQLITE_OK)
		return state_fail(s, "write", err);
	(void)sqlite3_bind_int64(statement, 1, account);
	(void)sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		r = state_fail(s, "write", err);
	(void)sqlite3_finalize(statement);
	return r;
}

/*
 * One octet of a file beside the database for each account: it costs no file each, and
 * the kernel takes the lock back whatever happens to the process. It belongs to the
 * open file, not to the process, so two threads exclude each other too.
 */
int state_lock(struct state *s, int64_t account, struct err *err)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = account, .l_len = 1};
	char path[PATH_MAX];

	assert(s->lock_fd < 0);
	if ((size_t)snprintf(path, sizeof(path), "%s.lock", s->path) >= sizeof(path))
		return err_sys(err, ENAMETOOLONG, "cannot open '%s.lock'", s->path);

	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", path);
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		const int e = errno == EACCES || errno == EAGAIN ? EBUSY : errno;

		(void)close(fd);
		return e == EBUSY ? err_set(err, EBUSY, "another restante is fetching this account")
				  : err_sys(err, e, "cannot lock '%s'", path);
	}
	s->lock_fd = fd;
	return 0;
}

int state_begin(struct state *s, struct err *err)
{
	/* IMMEDIATE: whoever waits for others waits here, not in the middle. */
	return state_run(s, "BEGIN IMMEDIATE", "write", err);
}

int state_commit(struct state *s, struct err *err)
{
	return state_run(s, "COMMIT", "write", err);
}

void state_abort(struct state *s)
{
	/* After some errors SQLite has done it by itself. */
	if (sqlite3_get_autocommit(s->db) == 0)
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}
