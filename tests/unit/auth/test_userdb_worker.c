/* SPDX-License-Identifier: MIT */
/* A database that takes its time, hangs, breaks, comes back, and is closed in the middle of it. */
#include "auth/userdb_worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

/* What the database does; shared with its threads. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool hangs;  /* until it is false again */
	bool broken; /* can't be connected to */
	unsigned connections;
	unsigned connected; /* ever */
	unsigned asked;
	unsigned last_other; /* which question asked for "other" last */
	unsigned freed;
	int pause_ms; /* in each answer */
} its = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void set(bool *what, bool value)
{
	(void)pthread_mutex_lock(&its.lock);
	*what = value;
	(void)pthread_cond_broadcast(&its.changed);
	(void)pthread_mutex_unlock(&its.lock);
}

static void wait_for(const unsigned *what, unsigned value)
{
	(void)pthread_mutex_lock(&its.lock);
	while (*what != value)
		(void)pthread_cond_wait(&its.changed, &its.lock);
	(void)pthread_mutex_unlock(&its.lock);
}

static void *open_it(const void *settings, uint64_t deadline_ms, struct err *err)
{
	bool broken;

	(void)deadline_ms;
	(void)pthread_mutex_lock(&its.lock);
	broken = its.broken;
	if (!broken) {
		its.connections++;
		its.connected++;
	}
	(void)pthread_mutex_unlock(&its.lock);
	if (broken)
		(void)err_set(err, EIO, "cannot connect");
	return broken ? NULL : (void *)settings;
}

static int ask(const char *name, struct err *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&its.lock);
	its.asked++;
	if (strcmp(name, "other") == 0)
		its.last_other = its.asked;
	(void)pthread_cond_broadcast(&its.changed);
	while (its.hangs)
		(void)pthread_cond_wait(&its.changed, &its.lock);
	(void)pthread_mutex_unlock(&its.lock);
	(void)poll(NULL, 0, its.pause_ms);
	if (strcmp(name, "alice") == 0)
		r = 1;
	else if (strcmp(name, "odd") == 0)
		r = err_set(err, EINVAL, "the row is odd");
	else if (strcmp(name, "lost") == 0)
		r = err_set(err, EIO, "the connection is lost");
	return r;
}

static int lookup(void *connection, const struct userdb_question *q, struct user_record *ret_record,
		  struct err *err)
{
	(void)connection;
	(void)snprintf(ret_record->secret, sizeof(ret_record->secret), "{THERE}%s", q->name);
	ret_record->verifies = true;
	return ask(q->name, err);
}

static int verify(void *connection, const struct userdb_question *q, struct err *err)
{
	(void)connection;
	assert_string_equal(q->secret, "{THERE}alice");
	assert_string_equal(q->remote, "192.0.2.1");
	return strcmp(q->password, "broken") == 0 ? err_set(err, EIO, "cannot verify")
						  : strcmp(q->password, "right") == 0;
}

static void close_it(void *connection)
{
	(void)connection;
	(void)pthread_mutex_lock(&its.lock);
	its.connections--;
	(void)pthread_cond_broadcast(&its.changed);
	(void)pthread_mutex_unlock(&its.lock);
}

static void free_it(void *settings)
{
	(void)settings;
	(void)pthread_mutex_lock(&its.lock);
	its.freed++;
	(void)pthread_cond_broadcast(&its.changed);
	(void)pthread_mutex_unlock(&its.lock);
}

static const struct userdb_driver driver = {
	.connect = open_it,
	.lookup = lookup,
	.verify = verify,
	.disconnect = close_it,
	.free = free_it,
};

static char last_notice[ERR_TEXT_MAX];
static unsigned notices;

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	notices++;
	(void)snprintf(last_notice, sizeof(last_notice), "%s", text);
}

static struct userdb *new_db(uint32_t timeout_ms)
{
	const struct userdb_rules rules = {.default_domain = "", .recipient_delimiter = ""};
	const struct userdb_worker_options options = {
		.driver = &driver,
		.settings = &its,
		.title = "slow:it",
		.threads = 2,
		.timeout_ms = timeout_ms,
		.notice = on_notice,
	};
	struct userdb *db = userdb_new(&rules, NULL, NULL);
	struct userdb_source source;

	assert_non_null(db);
	assert_int_equal(userdb_worker_open(&options, &source), 0);
	assert_int_equal(userdb_add_watched(db, &source), 0);
	its.connected = 0;
	its.asked = 0;
	its.freed = 0;
	notices = 0;
	return db;
}

struct answer {
	struct userdb_query q;
	unsigned times;
	enum userdb_status status;
	const char *password; /* to be verified, when the user is found; NULL: none */
};

static void on_verified(struct userdb_query *q, enum userdb_status status,
			const struct user_record *record)
{
	struct answer *a = q->owner;

	assert_null(record);
	a->times++;
	a->status = status;
}

static void on_answer(struct userdb_query *q, enum userdb_status status,
		      const struct user_record *record)
{
	struct answer *a = q->owner;

	if (a->password != NULL && status == USERDB_FOUND) {
		assert_true(record->verifies);
		q->done = on_verified;
		userdb_verify(q, record, a->password, "192.0.2.1");
		return;
	}
	a->times++;
	a->status = status;
}

static void begin_from(struct userdb *db, struct answer *a, const char *name, uint64_t place)
{
	a->q = (struct userdb_query){.done = on_answer, .owner = a, .place = place};
	a->times = 0;
	userdb_lookup_login(db, &a->q, name);
}

static void begin(struct userdb *db, struct answer *a, const char *name)
{
	begin_from(db, a, name, 0);
}

static void wait_answer(struct userdb *db, const struct answer *a)
{
	while (a->times == 0) {
		struct pollfd p = {.fd = userdb_fd(db), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 60000), 1);
		userdb_dispatch(db);
	}
	assert_int_equal(a->times, 1);
}

static enum userdb_status find(struct userdb *db, const char *name, const char *password)
{
	struct answer a = {.password = password};

	begin(db, &a, name);
	wait_answer(db, &a);
	assert_true(userdb_is_idle(db));
	return a.status;
}

static void end(struct userdb *db)
{
	userdb_free(db);
	wait_for(&its.freed, 1);
	wait_for(&its.connections, 0);
}

static void answers(void **state)
{
	struct userdb *db = new_db(60000);

	(void)state;
	assert_int_equal(find(db, "alice", NULL), USERDB_FOUND);
	assert_int_equal(find(db, "bob", NULL), USERDB_UNKNOWN);
	assert_int_equal(find(db, "alice", "right"), USERDB_FOUND);
	assert_int_equal(find(db, "alice", "wrong"), USERDB_UNKNOWN);
	assert_int_equal(find(db, "alice", "broken"), USERDB_AWAY);
	assert_int_equal(notices, 1);
	end(db);
}

/* Costs its own user: nobody else is told that the database is away. */
static void an_odd_row(void **state)
{
	struct userdb *db = new_db(60000);

	(void)state;
	assert_int_equal(find(db, "odd", NULL), USERDB_AWAY);
	assert_string_equal(last_notice, "slow:it: the row is odd");
	assert_int_equal(find(db, "alice", NULL), USERDB_FOUND);
	assert_string_equal(last_notice, "slow:it: it answers again");
	assert_int_equal(its.connected, 1);
	end(db);
}

static void a_connection_that_ended_is_made_anew(void **state)
{
	struct userdb *db = new_db(60000);

	(void)state;
	assert_int_equal(find(db, "bob", NULL), USERDB_UNKNOWN);
	its.asked = 0;
	/* Twice, with another connection; then it is away, and nobody is asked for a while. */
	assert_int_equal(find(db, "lost", NULL), USERDB_AWAY);
	assert_int_equal(its.asked, 2);
	assert_int_equal(its.connected, 2);
	assert_int_equal(find(db, "alice", NULL), USERDB_AWAY);
	assert_int_equal(its.asked, 2);
	assert_int_equal(notices, 1);
	while (find(db, "alice", NULL) != USERDB_FOUND)
		(void)poll(NULL, 0, 20);
	assert_string_equal(last_notice, "slow:it: it answers again");
	assert_int_equal(notices, 2);
	end(db);
}

static void away_and_back(void **state)
{
	struct userdb *db = new_db(60000);

	(void)state;
	set(&its.broken, true);
	for (int i = 0; i < 5; i++)
		assert_int_equal(find(db, "alice", NULL), USERDB_AWAY);
	assert_int_equal(notices, 1);
	assert_string_equal(last_notice, "slow:it: cannot connect");
	set(&its.broken, false);
	while (find(db, "alice", NULL) != USERDB_FOUND)
		(void)poll(NULL, 0, 20);
	end(db);
}

/* More wait than there are threads; each is answered when its time is over, and only once. */
static void hangs(void **state)
{
	struct userdb *db = new_db(200);
	struct answer a[10] = {0};
	struct answer late = {0};
	const uint64_t begun = clock_mono_ms();

	(void)state;
	set(&its.hangs, true);
	for (size_t i = 0; i < 10; i++)
		begin(db, &a[i], "alice");
	for (size_t i = 0; i < 10; i++) {
		wait_answer(db, &a[i]);
		assert_int_equal(a[i].status, USERDB_AWAY);
	}
	assert_true(clock_mono_ms() - begun >= 200);
	assert_string_equal(last_notice, "slow:it: it doesn't answer in time");
	begin(db, &late, "alice");
	assert_int_equal(late.status, USERDB_AWAY);
	assert_int_equal(late.times, 1);
	set(&its.hangs, false);
	while (find(db, "alice", NULL) != USERDB_FOUND)
		(void)poll(NULL, 0, 20);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(a[i].times, 1);
	end(db);
}

static void cancelled(void **state)
{
	struct userdb *db = new_db(60000);
	struct answer a[4] = {0};

	(void)state;
	set(&its.hangs, true);
	for (size_t i = 0; i < 4; i++)
		begin(db, &a[i], "alice");
	wait_for(&its.asked, 2);
	/* One that a thread has, and one that waits. */
	userdb_cancel(&a[0].q);
	userdb_cancel(&a[3].q);
	set(&its.hangs, false);
	wait_answer(db, &a[1]);
	wait_answer(db, &a[2]);
	assert_int_equal(a[0].times + a[3].times, 0);
	assert_int_equal(a[1].status, USERDB_FOUND);
	assert_int_equal(a[2].status, USERDB_FOUND);
	assert_true(userdb_is_idle(db));
	end(db);
}

/* Who asks a hundred times waits behind themselves, and nobody else behind them. */
static void places_have_turns(void **state)
{
	static struct answer flood[100];
	struct answer others[3] = {0};
	struct userdb *db = new_db(60000);

	(void)state;
	set(&its.hangs, true);
	for (size_t i = 0; i < 100; i++)
		begin_from(db, &flood[i], "alice", 7);
	for (size_t i = 0; i < 3; i++)
		begin_from(db, &others[i], "other", 8 + i);
	wait_for(&its.asked, 2);
	set(&its.hangs, false);
	for (size_t i = 0; i < 3; i++)
		wait_answer(db, &others[i]);
	for (size_t i = 0; i < 100; i++)
		wait_answer(db, &flood[i]);
	/* The two that were asked are in front of them, and one or two of the flood. */
	assert_in_range(its.last_other, 3, 10);
	assert_int_equal(its.asked, 103);
	end(db);
}

/* A database that answers, but not as much as it is asked, isn't away. */
static void more_than_it_answers(void **state)
{
	static struct answer flood[40];
	struct userdb *db = new_db(2000);
	unsigned found = 0;

	(void)state;
	its.pause_ms = 200;
	for (size_t i = 0; i < 40; i++)
		begin(db, &flood[i], "alice");
	for (size_t i = 0; i < 40; i++) {
		wait_answer(db, &flood[i]);
		found += flood[i].status == USERDB_FOUND;
	}
	assert_in_range(found, 1, 39);
	assert_int_equal(its.asked, found);
	assert_int_equal(find(db, "alice", NULL), USERDB_FOUND);
	assert_int_equal(notices, 0);
	its.pause_ms = 0;
	end(db);
}

/* The last thread frees what it still needs. */
static void closed_while_a_thread_hangs(void **state)
{
	struct userdb *db = new_db(60000);
	struct answer a = {0};

	(void)state;
	set(&its.hangs, true);
	begin(db, &a, "alice");
	wait_for(&its.asked, 1);
	userdb_cancel(&a.q);
	userdb_free(db);
	assert_int_equal(its.freed, 0);
	set(&its.hangs, false);
	wait_for(&its.freed, 1);
	assert_int_equal(its.connections, 0);
	assert_int_equal(a.times, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(an_odd_row),
		cmocka_unit_test(a_connection_that_ended_is_made_anew),
		cmocka_unit_test(away_and_back),
		cmocka_unit_test(hangs),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(places_have_turns),
		cmocka_unit_test(more_than_it_answers),
		cmocka_unit_test(closed_while_a_thread_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
