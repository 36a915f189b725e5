/* SPDX-License-Identifier: MIT */
/*
 * The rows of the state, one for each message.
 */
#include "client/state_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char *const sql_of[STATEMENTS] = {
	[STATEMENT_FIND] =
		"SELECT id, key, header, octets, status, vanished_at IS NOT NULL,"
		" stored_at, maildir FROM message WHERE account = ?1 AND uidl = ?2 ORDER BY id",
	[STATEMENT_FIND_HEADER] =
		"SELECT id, key, header, octets, status, vanished_at IS NOT NULL,"
		" stored_at, maildir FROM message"
		" WHERE account = ?1 AND header = ?3 AND (uidl = ?2 OR ?2 = x'') ORDER BY id",
	[STATEMENT_HAS_KEY] = "SELECT 1 FROM message WHERE account = ?1 AND key = ?2",
	[STATEMENT_HAS_UIDLS] = "SELECT 1 FROM message WHERE account = ?1 AND uidl > x'' LIMIT 1",
	/* A row with that key can only be what is left of an earlier life of the same file. */
	[STATEMENT_ADD] = "INSERT INTO message"
			  " (account, key, uidl, header, octets, status, maildir, stored_at)"
			  " SELECT ?1, ?2, ?3, ?4, ?5, ?6, id, ?8"
			  " FROM maildir WHERE path = ?7"
			  " ON CONFLICT (account, key) DO UPDATE SET"
			  " uidl = ?3, header = ?4, octets = ?5, status = ?6,"
			  " maildir = excluded.maildir, stored_at = ?8, vanished_at = NULL"
			  " RETURNING id",
	[STATEMENT_MAILDIR] = "INSERT INTO maildir (path) VALUES (?1) ON CONFLICT DO NOTHING",
	[STATEMENT_OCTETS] = "UPDATE message SET octets = ?2 WHERE id = ?1",
	[STATEMENT_STATUS] = "UPDATE message SET status = ?2 WHERE id = ?1",
	[STATEMENT_LISTED] = "INSERT INTO listed (id) VALUES (?1) ON CONFLICT DO NOTHING",
	[STATEMENT_FORGET] = "DELETE FROM message WHERE id = ?1",
};

sqlite3_stmt *state_statement(struct state *s, enum state_statement which, struct err *err)
{
	sqlite3_stmt **const p = &s->prepared[which];

	if (*p == NULL && sqlite3_prepare_v3(s->db, sql_of[which], -1, SQLITE_PREPARE_PERSISTENT, p,
					     NULL) != SQLITE_OK)
		(void)state_fail(s, "read", err);
	return *p;
}

int state_step_done(struct state *s, sqlite3_stmt *statement, const char *what, struct err *err)
{
	const int code = sqlite3_step(statement);
	const int r = code == SQLITE_DONE ? 0 : state_fail(s, what, err);

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return r;
}

/* The empty one too: a NULL pointer would be NULL. */
static void bind_span(sqlite3_stmt *statement, int i, struct span v)
{
	(void)sqlite3_bind_blob64(statement, i, v.n == 0 ? "" : v.p, v.n, SQLITE_STATIC);
}

static void bind_octets(sqlite3_stmt *statement, int i, const uint8_t *p, size_t n)
{
	(void)sqlite3_bind_blob64(statement, i, p, n, SQLITE_STATIC);
}

/* False when the column isn't n octets long: somebody else has written there. */
static bool read_octets(sqlite3_stmt *statement, int column, uint8_t *to, size_t n)
{
	const void *const p = sqlite3_column_blob(statement, column);

	if (p == NULL || sqlite3_column_bytes(statement, column) != (int)n)
		return false;
	memcpy(to, p, n);
	return true;
}

static bool read_message(sqlite3_stmt *statement, struct state_message *m)
{
	const int64_t status = sqlite3_column_int64(statement, 4);

	if (!read_octets(statement, 1, m->key.octets, sizeof(m->key.octets)) ||
	    !read_octets(statement, 2, m->header.octets, sizeof(m->header.octets)) || status < 0 ||
	    status > STATE_GONE)
		return false;
	m->id = sqlite3_column_int64(statement, 0);
	m->octets = (uint64_t)sqlite3_column_int64(statement, 3);
	m->status = (enum state_status)status;
	m->vanished = sqlite3_column_int(statement, 5) != 0;
	m->stored_at = sqlite3_column_int64(statement, 6);
	m->maildir = sqlite3_column_int64(statement, 7);
	m->elsewhere = header_digest_equal(&m->header, &(struct header_digest){{0}});
	return true;
}

static int read_messages(struct state *s, sqlite3_stmt *statement, struct state_message *ret_found,
			 size_t cap, size_t *ret_n, struct err *err)
{
	size_t n = 0;
	int code = SQLITE_DONE;
	int r = 0;

	while (n < cap && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		if (!read_message(statement, &ret_found[n])) {
			r = err_set(err, EPROTO, "'%s' has a message that makes no sense", s->path);
			break;
		}
		n++;
	}
	if (r == 0 && code != SQLITE_DONE && code != SQLITE_ROW)
		r = state_fail(s, "read", err);
	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	*ret_n = n;
	return r;
}

int state_find(struct state *s, int64_t account, struct span uidl, struct state_message *ret_found,
	       size_t cap, size_t *ret_n, struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_FIND, err);

	if (statement == NULL)
		return -EIO;
	(void)sqlite3_bind_int64(statement, 1, account);
	bind_span(statement, 2, uidl);
	return read_messages(s, statement, ret_found, cap, ret_n, err);
}

int state_find_header(struct state *s, int64_t account, struct span uidl,
		      const struct header_digest *header, struct state_message *ret_found,
		      size_t cap, size_t *ret_n, struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_FIND_HEADER, err);

	if (statement == NULL)
		return -EIO;
	(void)sqlite3_bind_int64(statement, 1, account);
	bind_span(statement, 2, uidl);
	bind_octets(statement, 3, header->octets, sizeof(header->octets));
	return read_messages(s, statement, ret_found, cap, ret_n, err);
}

/* Whether there is a row. */
static int read_has(struct state *s, sqlite3_stmt *statement, bool *ret_has, struct err *err)
{
	const int code = sqlite3_step(statement);
	const int r = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : state_fail(s, "read", err);

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	*ret_has = code == SQLITE_ROW;
	return r;
}

int state_has_key(struct state *s, int64_t account, const struct message_key *key, bool *ret_has,
		  struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_HAS_KEY, err);

	if (statement == NULL)
		return -EIO;
	(void)sqlite3_bind_int64(statement, 1, account);
	bind_octets(statement, 2, key->octets, sizeof(key->octets));
	return read_has(s, statement, ret_has, err);
}

int state_has_uidls(struct state *s, int64_t account, bool *ret_has, struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_HAS_UIDLS, err);

	if (statement == NULL)
		return -EIO;
	(void)sqlite3_bind_int64(statement, 1, account);
	return read_has(s, statement, ret_has, err);
}

int state_maildir(struct state *s, const char *path, int64_t *ret_maildir, struct err *err)
{
	static const char sql[] = "SELECT id FROM maildir WHERE path = ?1";
	sqlite3_stmt *statement;
	int64_t id = 0;
	int code;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	(void)sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		id = sqlite3_column_int64(statement, 0);
	else if (code != SQLITE_DONE)
		r = state_fail(s, "read", err);
	(void)sqlite3_finalize(statement);
	if (r == 0)
		*ret_maildir = id;
	return r;
}

static int add_maildir(struct state *s, const char *path, struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_MAILDIR, err);

	if (statement == NULL)
		return -EIO;
	(void)sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
	return state_step_done(s, statement, "write", err);
}

int state_add(struct state *s, int64_t account, const struct state_stored *stored, int64_t *ret_id,
	      struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_ADD, err);
	int r = add_maildir(s, stored->maildir, err);

	if (r < 0 || statement == NULL)
		return r < 0 ? r : -EIO;
	assert(sqlite3_get_autocommit(s->db) == 0);
	(void)sqlite3_bind_int64(statement, 1, account);
	bind_octets(statement, 2, stored->key.octets, sizeof(stored->key.octets));
	bind_span(statement, 3, stored->uidl);
	bind_octets(statement, 4, stored->header.octets, sizeof(stored->header.octets));
	(void)sqlite3_bind_int64(statement, 5, (sqlite3_int64)stored->octets);
	(void)sqlite3_bind_int(statement, 6, stored->pending ? STATE_PENDING : STATE_STORED);
	(void)sqlite3_bind_text(statement, 7, stored->maildir, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 8, (sqlite3_int64)(clock_wall_ns() / 1000000000U));
	if (sqlite3_step(statement) != SQLITE_ROW)
		r = state_fail(s, "write", err);
	else
		*ret_id = sqlite3_column_int64(statement, 0);
	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return r;
}

int state_add_elsewhere(struct state *s, int64_t account, const struct message_key *key,
			struct span uidl, struct err *err)
{
	int64_t id;

	return state_add(s, account,
			 &(struct state_stored){.key = *key, .uidl = uidl, .maildir = ""}, &id,
			 err);
}

static int update(struct state *s, enum state_statement which, int64_t id, int64_t value,
		  struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, which, err);

	if (statement == NULL)
		return -EIO;
	assert(sqlite3_get_autocommit(s->db) == 0);
	(void)sqlite3_bind_int64(statement, 1, id);
	(void)sqlite3_bind_int64(statement, 2, value);
	return state_step_done(s, statement, "write", err);
}

int state_set_octets(struct state *s, int64_t id, uint64_t octets, struct err *err)
{
	return update(s, STATEMENT_OCTETS, id, (int64_t)octets, err);
}

int state_set_status(struct state *s, int64_t id, enum state_status status, struct err *err)
{
	return update(s, STATEMENT_STATUS, id, status, err);
}

int state_has_account(struct state *s, const char *account, bool *ret_has, struct err *err)
{
	static const char sql[] = "SELECT 1 FROM account WHERE name = ?1 OR identity = ?1";
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	(void)sqlite3_bind_text(statement, 1, account, -1, SQLITE_STATIC);
	r = read_has(s, statement, ret_has, err);
	(void)sqlite3_finalize(statement);
	return r;
}

/* A statement that is run once for a session. */
static int run_with(struct state *s, const char *sql, int64_t account, int64_t now, struct err *err)
{
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "write", err);
	(void)sqlite3_bind_int64(statement, 1, account);
	(void)sqlite3_bind_int64(statement, 2, now);
	r = state_step_done(s, statement, "write", err);
	(void)sqlite3_finalize(statement);
	return r;
}

int state_compare(struct state *s, int64_t account, const int64_t *ids, size_t n, int64_t now,
		  struct err *err)
{
	int r = state_run(s, "DELETE FROM temp.listed", "write", err);

	for (size_t i = 0; i < n && r == 0; i++) {
		sqlite3_stmt *const statement = state_statement(s, STATEMENT_LISTED, err);

		if (statement == NULL)
			return -EIO;
		(void)sqlite3_bind_int64(statement, 1, ids[i]);
		r = state_step_done(s, statement, "write", err);
	}
	/* 1 is STATE_PENDING, 2 STATE_GONE. */
	if (r == 0)
		r = run_with(s,
			     "UPDATE message SET vanished_at = ?2,"
			     " status = CASE status WHEN 1 THEN 2 ELSE status END"
			     " WHERE account = ?1 AND vanished_at IS NULL"
			     " AND id NOT IN (SELECT id FROM temp.listed)",
			     account, now, err);
	if (r == 0)
		r = run_with(s,
			     "UPDATE message SET vanished_at = NULL"
			     " WHERE account = ?1 AND ?2 IS NOT NULL AND vanished_at IS NOT NULL"
			     " AND id IN (SELECT id FROM temp.listed)",
			     account, now, err);
	return r;
}

_Static_assert(STATE_PENDING == 1 && STATE_GONE == 2, "the numbers stand in SQL above");

static int forget(struct state *s, int64_t id, struct err *err)
{
	sqlite3_stmt *const statement = state_statement(s, STATEMENT_FORGET, err);

	if (statement == NULL)
		return -EIO;
	(void)sqlite3_bind_int64(statement, 1, id);
	return state_step_done(s, statement, "write", err);
}

int state_forget(struct state *s, int64_t account, int64_t before,
		 bool (*there)(void *ctx, const struct message_key *key), void *ctx,
		 struct err *err)
{
	static const char sql[] =
		"SELECT id, key FROM message WHERE account = ?1 AND vanished_at < ?2 AND id > ?3"
		" ORDER BY id LIMIT 1";
	sqlite3_stmt *statement;
	int64_t last = 0;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	while (r == 0) {
		struct message_key key;

		(void)sqlite3_bind_int64(statement, 1, account);
		(void)sqlite3_bind_int64(statement, 2, before);
		(void)sqlite3_bind_int64(statement, 3, last);

		const int code = sqlite3_step(statement);

		if (code != SQLITE_ROW) {
			r = code == SQLITE_DONE ? 0 : state_fail(s, "read", err);
			break;
		}
		last = sqlite3_column_int64(statement, 0);

		const bool known = read_octets(statement, 1, key.octets, sizeof(key.octets));

		(void)sqlite3_reset(statement);
		if (!known || !there(ctx, &key))
			r = forget(s, last, err);
	}
	(void)sqlite3_finalize(statement);
	return r;
}

/* What state_each() and state_row() have in common; the statement is this one's to end. */
static int show_rows(struct state *s, sqlite3_stmt *statement,
		     int (*each)(void *ctx, const struct state_row *row), void *ctx,
		     struct err *err)
{
	int code;
	int r = 0;

	while (r == 0 && (code = sqlite3_step(statement)) != SQLITE_DONE) {
		if (code != SQLITE_ROW) {
			r = state_fail(s, "read", err);
			break;
		}

		struct state_row row = {
			.id = sqlite3_column_int64(statement, 0),
			.account = (const char *)sqlite3_column_text(statement, 1),
			.stored_at = sqlite3_column_int64(statement, 3),
			.maildir = (const char *)sqlite3_column_text(statement, 4),
		};

		if (row.account == NULL || row.maildir == NULL)
			r = err_sys(err, ENOMEM, "cannot read '%s'", s->path);
		else if (!read_octets(statement, 2, row.key.octets, sizeof(row.key.octets)))
			r = err_set(err, EPROTO, "'%s' has a message that makes no sense", s->path);
		else
			r = each(ctx, &row);
	}
	(void)sqlite3_finalize(statement);
	return r;
}

#define SELECT_ROWS                                                          \
	"SELECT message.id, account.name, key, stored_at, path FROM message" \
	" JOIN account ON account.id = message.account"                      \
	" JOIN maildir ON maildir.id = message.maildir AND path > ''"

int state_each(struct state *s, const char *account,
	       int (*each)(void *ctx, const struct state_row *row), void *ctx, struct err *err)
{
	static const char sql[] = SELECT_ROWS
		" WHERE ?1 IS NULL OR account.name = ?1 OR account.identity = ?1"
		" ORDER BY message.id";
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	(void)sqlite3_bind_text(statement, 1, account, -1, SQLITE_STATIC);
	return show_rows(s, statement, each, ctx, err);
}

int state_row(struct state *s, int64_t id, int (*each)(void *ctx, const struct state_row *row),
	      void *ctx, struct err *err)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(s->db, SELECT_ROWS " WHERE message.id = ?1", -1, &statement, NULL) !=
	    SQLITE_OK)
		return state_fail(s, "read", err);
	(void)sqlite3_bind_int64(statement, 1, id);
	return show_rows(s, statement, each, ctx, err);
}
