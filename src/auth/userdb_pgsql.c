/* SPDX-License-Identifier: MIT */
/*
 * Users in PostgreSQL. libpq is used without its blocking calls, so that each question ends at
 * its deadline; but a host's name is looked up by libc, in whatever time that takes.
 *
 * A question that we give up is not cancelled, for PQcancel() waits for the server: the server
 * itself ends it, by statement_timeout.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "auth/user_name.h"
#include "auth/userdb_settings.h"
#include "auth/userdb_worker.h"

enum {
	CONNECTION,
	PASSWORD,
	QUERY,
	ADDRESS_QUERY,
	LIST_QUERY,
	DEFAULT_SCHEME,
	TIMEOUT,
	CONNECTIONS,
	ROWS
};

static const struct userdb_setting rows[ROWS] = {
	[CONNECTION] = {"connection", USERDB_SETTING_TEXT, true, ""},
	[PASSWORD] = {"password", USERDB_SETTING_SECRET, false, ""},
	[QUERY] = {"query", USERDB_SETTING_TEXT, true, ""},
	[ADDRESS_QUERY] = {"address_query", USERDB_SETTING_TEXT, false, ""},
	[LIST_QUERY] = {"list_query", USERDB_SETTING_TEXT, false, ""},
	[DEFAULT_SCHEME] = {"default_scheme", USERDB_SETTING_TEXT, false, ""},
	[TIMEOUT] = {"timeout", USERDB_SETTING_SECONDS, false, "5s"},
	[CONNECTIONS] = {"connections", USERDB_SETTING_THREADS, false, "4"},
};

/* pg_type's oid of text, which no header of the client has. */
#define TEXT_OID 25

#define N_PARAMETERS 3

struct connection {
	const struct userdb_settings *s;
	PGconn *db;
	uint64_t deadline_ms;
};

/* In one line, whatever libpq makes of it. */
static int failed(const struct connection *c, struct err *err, const char *what)
{
	char text[ERR_TEXT_MAX];
	size_t n;

	(void)snprintf(text, sizeof(text), "%s",
		       c->db != NULL ? PQerrorMessage(c->db) : "no memory");
	for (n = strlen(text); n > 0 && text[n - 1] == '\n'; n--)
		text[n - 1] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n' || text[i] == '\t')
			text[i] = ' ';
	}
	return err_set(err, EIO, "cannot %s PostgreSQL: %s", what, text);
}

static int late(struct err *err)
{
	return err_set(err, ETIMEDOUT, "PostgreSQL doesn't answer in time");
}

static int wait_for(const struct connection *c, short events, struct err *err)
{
	struct pollfd p = {.fd = PQsocket(c->db), .events = events};
	uint64_t now;

	if (p.fd < 0)
		return failed(c, err, "ask");
	while ((now = clock_mono_ms()) < c->deadline_ms) {
		const uint64_t left = c->deadline_ms - now;
		const int r = poll(&p, 1, left < INT32_MAX ? (int)left : INT32_MAX);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_sys(err, errno, "cannot wait for PostgreSQL");
	}
	return late(err);
}

static int send_all(const struct connection *c, struct err *err)
{
	int more;

	while ((more = PQflush(c->db)) == 1) {
		const int r = wait_for(c, POLLIN | POLLOUT, err);

		if (r < 0)
			return r;
		/* The server may want to be read from before it reads. */
		if (PQconsumeInput(c->db) == 0)
			return failed(c, err, "ask");
	}
	return more < 0 ? failed(c, err, "ask") : 0;
}

/* The last result of what was sent, which is the only one or a failure. To be PQclear()ed. */
static int take_result(const struct connection *c, PGresult **ret, struct err *err)
{
	PGresult *next;
	int r = send_all(c, err);

	*ret = NULL;
	while (r == 0) {
		while (r == 0 && PQisBusy(c->db) != 0) {
			r = wait_for(c, POLLIN, err);
			if (r == 0 && PQconsumeInput(c->db) == 0)
				r = failed(c, err, "ask");
		}
		if (r < 0)
			break;
		next = PQgetResult(c->db);
		if (next == NULL)
			break;
		PQclear(*ret);
		*ret = next;
	}
	if (r == 0 && *ret == NULL)
		r = failed(c, err, "ask");
	if (r < 0) {
		PQclear(*ret);
		*ret = NULL;
	}
	return r;
}

static void disconnect(void *connection)
{
	struct connection *c = connection;

	PQfinish(c->db);
	free(c);
}

/* A statement of ours, without a result. */
static int command(const struct connection *c, const char *sql, struct err *err)
{
	PGresult *result;
	int r;

	if (PQsendQuery(c->db, sql) == 0)
		return failed(c, err, "ask");
	r = take_result(c, &result, err);
	if (r == 0 && PQresultStatus(result) != PGRES_COMMAND_OK)
		r = failed(c, err, "ask");
	PQclear(result);
	return r;
}

static int finish_connecting(const struct connection *c, struct err *err)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	while (next != PGRES_POLLING_OK) {
		if (PQstatus(c->db) == CONNECTION_BAD || next == PGRES_POLLING_FAILED)
			return failed(c, err, "connect to");

		const int r = wait_for(c, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, err);

		if (r < 0)
			return r;
		next = PQconnectPoll(c->db);
	}
	return 0;
}

/* What stands behind the connection string comes after it, so it counts. */
static int open_database(struct connection *c, struct err *err)
{
	const char *const password = c->s->value[PASSWORD];
	const char *const names[] = {"dbname", "client_encoding", "fallback_application_name",
				     password[0] != '\0' ? "password" : NULL, NULL};
	const char *const values[] = {c->s->value[CONNECTION], "UTF8", "restante", password, NULL};
	char sql[128];
	int r;

	c->db = PQconnectStartParams(names, values, 1);
	if (c->db == NULL)
		return failed(c, err, "connect to");
	r = finish_connecting(c, err);
	if (r < 0)
		return r;
	if (PQsetnonblocking(c->db, 1) != 0)
		return failed(c, err, "connect to");
	(void)snprintf(sql, sizeof(sql),
		       "SET default_transaction_read_only = on; SET statement_timeout = %u",
		       (unsigned)c->s->number[TIMEOUT] * 1000);
	return command(c, sql, err);
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
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

	const int r = open_database(c, err);

	/* SCRAM has made a generator of random numbers for this thread, which needs it no more. */
	OPENSSL_thread_stop();
	if (r < 0) {
		disconnect(c);
		return NULL;
	}
	/* Else they go to stderr. */
	(void)PQsetNoticeReceiver(c->db, ignore_notice, NULL);
	return c;
}

static bool is_state(const PGresult *result, const char *state)
{
	const char *is = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return is != NULL && strncmp(is, state, strlen(state)) == 0;
}

/*
 * A failure that hangs on the name is no failure of the database: or who logs in with odd names
 * could keep all others out.
 */
static int judge(const struct connection *c, size_t row, const PGresult *result, struct err *err)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	struct err why;

	/* Characters that the database's encoding hasn't, so that nobody is called so. */
	if (is_state(result, "22P05") || is_state(result, "22021"))
		return 0;
	if (message == NULL)
		return failed(c, err, "ask");
	if (is_state(result, "57014"))
		return late(err);
	(void)snprintf(why.text, sizeof(why.text), "failed: %s", message);
	(void)userdb_settings_wrong(c->s, row, err, why.text);
	return is_state(result, "22") ? -EINVAL : -EIO;
}

/* Asks, and gives what a SELECT answers. 0 and a NULL result: nobody. */
static int query(const struct connection *c, size_t row, const char *name, PGresult **ret,
		 struct err *err)
{
	static const Oid types[N_PARAMETERS] = {TEXT_OID, TEXT_OID, TEXT_OID};
	const struct span whole = span_str(name);
	char local[LIMIT_USER + 1];
	const char *values[N_PARAMETERS] = {name, local, ""};
	int r;

	(void)snprintf(local, sizeof(local), "%.*s", (int)user_name_local(whole).n, name);
	if (user_name_domain(whole).n > 0)
		values[2] = user_name_domain(whole).p; /* all that is left of name */
	if (PQsendQueryParams(c->db, c->s->value[row], name[0] != '\0' ? N_PARAMETERS : 0, types,
			      values, NULL, NULL, 0) == 0)
		return failed(c, err, "ask");
	r = take_result(c, ret, err);
	if (r < 0)
		return r;
	if (PQresultStatus(*ret) == PGRES_TUPLES_OK)
		return 0;
	if (PQresultStatus(*ret) == PGRES_FATAL_ERROR) {
		r = judge(c, row, *ret, err);
	} else {
		(void)userdb_settings_wrong(c->s, row, err, "is not one SELECT");
		r = -EIO;
	}
	PQclear(*ret);
	*ret = NULL;
	return r;
}

static int take_row(const struct connection *c, const PGresult *result, struct user_record *r,
		    struct err *err)
{
	for (int i = 0; i < PQnfields(result); i++) {
		const struct span value = span_of(PQgetvalue(result, 0, i),
						  (size_t)PQgetlength(result, 0, i));

		/* NULL: the row says nothing about it. */
		if (PQgetisnull(result, 0, i) != 0)
			continue;

		const int set = userdb_record_set(r, span_str(PQfname(result, i)),
						  c->s->value[DEFAULT_SCHEME], value, err);

		if (set < 0)
			return set;
	}
	return 1;
}

static int lookup(void *connection, const struct userdb_question *q, struct user_record *ret_record,
		  struct err *err)
{
	struct connection *c = connection;
	const size_t row = q->by_address && c->s->value[ADDRESS_QUERY][0] != '\0' ? ADDRESS_QUERY
										  : QUERY;
	PGresult *result;
	int r;

	c->deadline_ms = q->deadline_ms;
	r = query(c, row, q->name, &result, err);
	if (r < 0 || result == NULL)
		return r;
	if (PQntuples(result) > 1)
		r = err_set(err, EINVAL, "there is more than one row for '%s'", q->name);
	else if (PQntuples(result) == 1)
		r = take_row(c, result, ret_record, err);
	PQclear(result);
	return r;
}

static int list(void *connection, userdb_name *say, void *arg, struct err *err)
{
	struct connection *c = connection;
	PGresult *result;
	int r;

	if (c->s->value[LIST_QUERY][0] == '\0')
		return userdb_settings_wrong(c->s, LIST_QUERY, err,
					     "is missing: the users can't be listed");
	c->deadline_ms = UINT64_MAX;
	r = command(c, "SET statement_timeout = 0", err);
	if (r == 0)
		r = query(c, LIST_QUERY, "", &result, err);
	if (r < 0 || result == NULL)
		return r;
	for (int i = 0; PQnfields(result) > 0 && i < PQntuples(result); i++) {
		if (PQgetisnull(result, i, 0) == 0)
			say(arg, PQgetvalue(result, i, 0));
	}
	PQclear(result);
	return 0;
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

/* A password in it would be on show in a file that needn't be closed. */
static int check_connection(const struct userdb_settings *s, struct err *err)
{
	PQconninfoOption *options = PQconninfoParse(s->value[CONNECTION], NULL);
	bool has_password = false;

	if (options == NULL)
		return userdb_settings_wrong(s, CONNECTION, err,
					     "is no connection string of PostgreSQL's");
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, "password") == 0 && o->val != NULL)
			has_password = true;
	}
	PQconninfoFree(options);
	if (has_password)
		return userdb_settings_wrong(s, CONNECTION, err,
					     "has a password, whose place is the setting password");
	return 0;
}

int userdb_pgsql_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		      struct err *err)
{
	struct userdb_settings *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", spec->title);
	r = userdb_settings_read(spec->argument, rows, ROWS, s, err);
	if (r == 0)
		r = check_connection(s, err);
	if (r < 0) {
		settings_free(s);
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
