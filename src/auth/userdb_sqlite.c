/* SPDX-License-Identifier: MIT */
/*
 * Users in a SQLite database. It is opened for reading only: auth may write no file.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "auth/user_name.h"
#include "auth/userdb_settings.h"
#include "auth/userdb_worker.h"

enum { PATH, QUERY, ADDRESS_QUERY, LIST_QUERY, DEFAULT_SCHEME, TIMEOUT, CONNECTIONS, ROWS };

static const struct userdb_setting rows[ROWS] = {
	[PATH] = {"path", USERDB_SETTING_PATH, true, ""},
	[QUERY] = {"query", USERDB_SETTING_TEXT, true, ""},
	[ADDRESS_QUERY] = {"address_query", USERDB_SETTING_TEXT, false, ""},
	[LIST_QUERY] = {"list_query", USERDB_SETTING_TEXT, false, ""},
	[DEFAULT_SCHEME] = {"default_scheme", USERDB_SETTING_TEXT, false, ""},
	[TIMEOUT] = {"timeout", USERDB_SETTING_SECONDS, false, "5s"},
	[CONNECTIONS] = {"connections", USERDB_SETTING_THREADS, false, "2"},
};

/* SQLite's virtual machine asks us so often whether it may go on. */
#define STEPS 10000
#define BUSY_WAIT_US 5000

struct connection {
	const struct userdb_settings *s;
	sqlite3 *db;
	sqlite3_stmt *by_name;
	sqlite3_stmt *by_address; /* NULL: by_name does both */
	struct stat file;         /* what was opened */
	uint64_t deadline_ms;
};

static int failed(const struct connection *c, struct err *err, const char *what)
{
	return err_set(err, EIO, "cannot %s '%s': %s", what, c->s->value[PATH],
		       c->db != NULL ? sqlite3_errmsg(c->db) : "no memory");
}

/* Somebody writes: wait, but not for ever. */
static int on_busy(void *arg, int times)
{
	const struct connection *c = arg;

	(void)times;
	if (clock_mono_ms() >= c->deadline_ms)
		return 0;
	(void)usleep(BUSY_WAIT_US);
	return 1;
}

static int on_progress(void *arg)
{
	const struct connection *c = arg;

	return clock_mono_ms() >= c->deadline_ms;
}

static void disconnect(void *connection)
{
	struct connection *c = connection;

	(void)sqlite3_finalize(c->by_name);
	(void)sqlite3_finalize(c->by_address);
	(void)sqlite3_close(c->db);
	free(c);
}

/* A statement of the settings; the columns and parameters are known from here on. */
static int prepare(const struct connection *c, size_t row, sqlite3_stmt **ret, struct err *err)
{
	const char *tail = NULL;
	struct err why;

	if (c->s->value[row][0] == '\0')
		return 0;
	if (sqlite3_prepare_v2(c->db, c->s->value[row], -1, ret, &tail) != SQLITE_OK) {
		(void)snprintf(why.text, sizeof(why.text), "is no statement: %s",
			       sqlite3_errmsg(c->db));
		return userdb_settings_wrong(c->s, row, err, why.text);
	}
	if (*ret == NULL || tail[strspn(tail, " \t;")] != '\0' || !sqlite3_stmt_readonly(*ret) ||
	    sqlite3_column_count(*ret) == 0)
		return userdb_settings_wrong(c->s, row, err, "is not one SELECT");
	for (int i = 1; i <= sqlite3_bind_parameter_count(*ret); i++) {
		const char *name = sqlite3_bind_parameter_name(*ret, i);

		if (name == NULL || (strcmp(name, ":name") != 0 && strcmp(name, ":local") != 0 &&
				     strcmp(name, ":domain") != 0))
			return userdb_settings_wrong(
				c->s, row, err,
				"has a parameter that is not :name, :local or :domain");
	}
	return 0;
}

static int open_database(struct connection *c, struct err *err)
{
	const char *path = c->s->value[PATH];

	if (stat(path, &c->file) < 0)
		return err_sys(err, errno, "cannot open '%s'", path);
	if (sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return failed(c, err, "open");
	(void)sqlite3_busy_handler(c->db, on_busy, c);
	sqlite3_progress_handler(c->db, STEPS, on_progress, c);
	/* Sorting may want room, and there is no file that we may make. */
	if (sqlite3_exec(c->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL) != SQLITE_OK)
		return failed(c, err, "open");

	int r = prepare(c, QUERY, &c->by_name, err);

	if (r == 0)
		r = prepare(c, ADDRESS_QUERY, &c->by_address, err);
	return r;
}

static void *open_connection(const void *settings, uint64_t deadline_ms, struct err *err)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)err_sys(err, ENOMEM, "cannot connect");
		return NULL;
	}
	c->s = settings;
	c->deadline_ms = deadline_ms;
	if (open_database(c, err) < 0) {
		disconnect(c);
		return NULL;
	}
	return c;
}

static bool bind(sqlite3_stmt *s, const char *parameter, struct span value)
{
	const int i = sqlite3_bind_parameter_index(s, parameter);

	return i == 0 || sqlite3_bind_text(s, i, value.n > 0 ? value.p : "", (int)value.n,
					   SQLITE_TRANSIENT) == SQLITE_OK;
}

static int take_row(const struct connection *c, sqlite3_stmt *s, struct user_record *r,
		    struct err *err)
{
	for (int i = 0; i < sqlite3_column_count(s); i++) {
		const char *text = (const char *)sqlite3_column_text(s, i);
		const struct span value = span_of(text, (size_t)sqlite3_column_bytes(s, i));

		/* NULL: the row says nothing about it. */
		if (text == NULL)
			continue;

		const int result = userdb_record_set(r, span_str(sqlite3_column_name(s, i)),
						     c->s->value[DEFAULT_SCHEME], value, err);

		if (result < 0)
			return result;
	}
	return 1;
}

static int ask(struct connection *c, sqlite3_stmt *s, const char *name, struct user_record *r,
	       struct err *err)
{
	const struct span whole = span_str(name);
	int step;
	int result;

	if (!bind(s, ":name", whole) || !bind(s, ":local", user_name_local(whole)) ||
	    !bind(s, ":domain", user_name_domain(whole)))
		return failed(c, err, "ask");
	step = sqlite3_step(s);
	if (step == SQLITE_DONE)
		return 0;
	if (step != SQLITE_ROW)
		return failed(c, err, "ask");
	result = take_row(c, s, r, err);
	if (result == 1 && sqlite3_step(s) != SQLITE_DONE)
		return err_set(err, EINVAL, "there is more than one row for '%s'", name);
	return result;
}

static int lookup(void *connection, const struct userdb_question *q, struct user_record *ret_record,
		  struct err *err)
{
	struct connection *c = connection;
	sqlite3_stmt *s = q->by_address && c->by_address != NULL ? c->by_address : c->by_name;
	struct stat now;

	/* A database that was put there anew is another file. */
	if (stat(c->s->value[PATH], &now) < 0)
		return err_sys(err, errno, "cannot open '%s'", c->s->value[PATH]);
	if (now.st_dev != c->file.st_dev || now.st_ino != c->file.st_ino)
		return err_set(err, ESTALE, "'%s' has been replaced", c->s->value[PATH]);
	c->deadline_ms = q->deadline_ms;

	const int result = ask(c, s, q->name, ret_record, err);

	/* Its result was looked at above; and nothing of the name or the row stays in it. */
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return result;
}

static int list(void *connection, userdb_name *say, void *arg, struct err *err)
{
	struct connection *c = connection;
	sqlite3_stmt *s = NULL;
	int step;
	int r;

	if (c->s->value[LIST_QUERY][0] == '\0')
		return userdb_settings_wrong(c->s, LIST_QUERY, err,
					     "is missing: the users can't be listed");
	r = prepare(c, LIST_QUERY, &s, err);
	if (r < 0)
		goto finalize;
	c->deadline_ms = UINT64_MAX;
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(s, 0);

		if (name != NULL)
			say(arg, name);
	}
	if (step != SQLITE_DONE)
		r = failed(c, err, "ask");
finalize:
	(void)sqlite3_finalize(s);
	return r;
}

static void settings_free(void *settings)
{
	userdb_settings_done(settings);
	free(settings);
}

static const struct userdb_driver driver = {
	.connect = open_connection,
	.lookup = lookup,
	.list = list,
	.disconnect = disconnect,
	.free = settings_free,
};

int userdb_sqlite_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		       struct err *err)
{
	struct userdb_settings *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", spec->title);
	r = userdb_settings_read(spec->argument, rows, ROWS, s, err);
	if (r < 0) {
		free(s);
		return r;
	}

	const struct userdb_worker_options options = {
		.driver = &driver,
		.settings = s,
		.title = spec->title,
		.threads = s->number[CONNECTIONS],
		.timeout_ms = s->number[TIMEOUT] * 1000,
		.notice = spec->notice,
		.notice_arg = spec->notice_arg,
	};

	r = userdb_worker_open(&options, ret_source);
	return r < 0 ? err_sys(err, -r, "cannot open '%s'", spec->title) : 0;
}
