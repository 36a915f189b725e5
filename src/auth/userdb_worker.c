/* SPDX-License-Identifier: MIT */
#include "auth/userdb_worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

/* More questions than this can't be answered in time either. */
#define JOBS_MAX 2048

#define BACK_OFF_MIN_MS 500
#define BACK_OFF_MAX_MS 10000

/* A thread says by itself that the time is over, in better words; this is how much later the loop
 * does. */
#define GRACE_MS 250

/* One question. It is the loop's and the threads', as each member says. */
struct job {
	/* the loop's */
	TAILQ_ENTRY(job) waiting;
	struct userdb_query *q; /* NULL: nobody waits for it any more */
	uint64_t overdue_ms;
	/* under the lock */
	TAILQ_ENTRY(job) queue; /* or done */
	uint64_t turn;          /* while it is queued */
	bool queued;
	bool abandoned;
	/* set before it is queued; then the thread's, until it is done */
	bool verifies;
	bool by_address;
	uint64_t place;
	uint64_t deadline_ms;
	char name[LIMIT_USER + 1];
	char password[LIMIT_PASSWORD + 1];
	char secret[SCHEME_STORED_MAX];
	char remote[64];
	struct user_record record;
	bool unasked; /* others took its time */
	int result;
	struct err err;
};

TAILQ_HEAD(jobs, job);

struct worker {
	/* never changed */
	const struct userdb_driver *driver;
	void *settings;
	char *title;
	unsigned threads_max;
	uint32_t timeout_ms;
	userdb_notice *notice;
	void *notice_arg;
	/*
	 * Both reasons for the loop to look: something is done (it expires at once), or the
	 * oldest question is overdue. Set under the lock.
	 */
	int timer;

	/* the loop's */
	struct jobs waiting; /* in the order of their deadlines, for all have the same time */
	unsigned n_waiting;
	unsigned n_threads;
	uint32_t back_off_ms; /* 0: it answers */
	uint64_t away_until_ms;
	char trouble[ERR_TEXT_MAX]; /* what was said last; "" when all is well */
	bool has_decoy;
	char decoy[SCHEME_STORED_MAX];
	char decoy_scram[SCRAM_HASHES][SCRAM_TEXT_MAX];

	pthread_mutex_t lock;
	pthread_cond_t more;
	/* under the lock */
	struct jobs queue; /* by turn */
	uint64_t turn;     /* of the job that was taken last */
	struct jobs done;
	unsigned idle;
	unsigned refs; /* the loop's, and each thread's: a thread that hangs may be the last */
	bool stopping;
};

static void job_free(struct job *j)
{
	secret_wipe(j, sizeof(*j));
	free(j);
}

static void free_jobs(struct jobs *jobs)
{
	struct job *j;

	while ((j = TAILQ_FIRST(jobs)) != NULL) {
		TAILQ_REMOVE(jobs, j, queue);
		job_free(j);
	}
}

/* With the lock, which it gives back. */
static void release(struct worker *w)
{
	const bool last = --w->refs == 0;

	(void)pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	free_jobs(&w->queue);
	free_jobs(&w->done);
	w->driver->free(w->settings);
	if (w->timer >= 0)
		(void)close(w->timer);
	(void)pthread_cond_destroy(&w->more);
	(void)pthread_mutex_destroy(&w->lock);
	free(w->title);
	secret_wipe(w, sizeof(*w));
	free(w);
}

/* ---- a thread ---- */

static int ask(const struct worker *w, void *connection, struct job *j)
{
	const struct userdb_question q = {
		.name = j->name,
		.by_address = j->by_address,
		.secret = j->secret,
		.password = j->password,
		.remote = j->remote,
		.deadline_ms = j->deadline_ms,
	};

	if (j->verifies)
		return w->driver->verify(connection, &q, &j->err);
	userdb_record_begin(&j->record, j->name);
	return w->driver->lookup(connection, &q, &j->record, &j->err);
}

static bool is_away(int result)
{
	return result < 0 && result != -EINVAL;
}

/*
 * A connection that stood idle may have ended meanwhile, which is nobody's failure: so it is made
 * anew once, while there is time.
 */
static void work(const struct worker *w, void **connection, struct job *j)
{
	for (;;) {
		const bool fresh = *connection == NULL;

		if (fresh)
			*connection = w->driver->connect(w->settings, j->deadline_ms, &j->err);
		j->result = *connection == NULL ? -EIO : ask(w, *connection, j);
		if (*connection != NULL && is_away(j->result)) {
			w->driver->disconnect(*connection);
			*connection = NULL;
		}
		if (!is_away(j->result) || fresh || clock_mono_ms() >= j->deadline_ms)
			return;
	}
}

/*
 * Half of its time is the database's: what comes to it later would be a failure of the
 * database's, and is none.
 */
static bool is_too_late(const struct worker *w, const struct job *j)
{
	return clock_mono_ms() + w->timeout_ms / 2 > j->deadline_ms;
}

static void look_now(struct worker *w)
{
	const struct itimerspec now = {.it_value.tv_nsec = 1};

	(void)timerfd_settime(w->timer, 0, &now, NULL);
}

static void *thread_main(void *arg)
{
	struct worker *const w = arg;
	void *connection = NULL;

	(void)pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		struct job *const j = TAILQ_FIRST(&w->queue);

		if (j == NULL) {
			w->idle++;
			(void)pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
			continue;
		}
		TAILQ_REMOVE(&w->queue, j, queue);
		j->queued = false;
		w->turn = j->turn;
		j->unasked = is_too_late(w, j);
		if (!j->abandoned && !j->unasked) {
			(void)pthread_mutex_unlock(&w->lock);
			work(w, &connection, j);
			(void)pthread_mutex_lock(&w->lock);
		}
		TAILQ_INSERT_TAIL(&w->done, j, queue);
		look_now(w);
	}
	if (connection != NULL) {
		(void)pthread_mutex_unlock(&w->lock);
		w->driver->disconnect(connection);
		(void)pthread_mutex_lock(&w->lock);
	}
	release(w);
	return NULL;
}

/* Signals are the loop's. False: there is none, and none could be made. */
static bool have_thread(struct worker *w)
{
	pthread_t thread;
	sigset_t all;
	sigset_t old;
	bool idle;
	int r;

	(void)pthread_mutex_lock(&w->lock);
	idle = w->idle > 0 && TAILQ_EMPTY(&w->queue);
	w->refs++;
	(void)pthread_mutex_unlock(&w->lock);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	r = idle || w->n_threads == w->threads_max ? EAGAIN
						   : pthread_create(&thread, NULL, thread_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0) {
		(void)pthread_detach(thread);
		w->n_threads++;
		return true;
	}
	(void)pthread_mutex_lock(&w->lock);
	release(w); /* never the last */
	return w->n_threads > 0;
}

/* ---- the loop ---- */

/* Says it once, however many lookups meet it. "" when there is no trouble any more. */
static void report(struct worker *w, const char *trouble)
{
	char text[ERR_TEXT_MAX + 256];

	if (strcmp(w->trouble, trouble) == 0)
		return;
	if (trouble[0] == '\0')
		(void)snprintf(text, sizeof(text), "%s: it answers again", w->title);
	else
		(void)snprintf(text, sizeof(text), "%s: %s", w->title, trouble);
	(void)snprintf(w->trouble, sizeof(w->trouble), "%s", trouble);
	if (w->notice != NULL)
		w->notice(w->notice_arg, text);
}

static void fail(struct worker *w, const char *why)
{
	w->back_off_ms = w->back_off_ms == 0                    ? BACK_OFF_MIN_MS
			 : w->back_off_ms > BACK_OFF_MAX_MS / 2 ? BACK_OFF_MAX_MS
								: w->back_off_ms * 2;
	w->away_until_ms = clock_mono_ms() + w->back_off_ms;
	/* What it says itself may differ from time to time. */
	if (w->trouble[0] == '\0' || w->back_off_ms == BACK_OFF_MIN_MS)
		report(w, why);
}

/* It says nothing of the database that others were asked first, unless it has failed before. */
static void fail_unasked(struct worker *w)
{
	if (w->back_off_ms != 0 && clock_mono_ms() >= w->away_until_ms)
		fail(w, "it doesn't answer in time");
}

static void succeed(struct worker *w)
{
	w->back_off_ms = 0;
	report(w, "");
}

/* With the lock. */
static void set_timer(struct worker *w)
{
	const struct job *first = TAILQ_FIRST(&w->waiting);
	struct itimerspec at = {.it_value.tv_sec = 0};

	if (!TAILQ_EMPTY(&w->done)) {
		look_now(w);
		return;
	}
	if (first != NULL) {
		const uint64_t now = clock_mono_ms();
		const uint64_t in = first->overdue_ms > now ? first->overdue_ms - now : 1;

		at.it_value.tv_sec = (time_t)(in / 1000);
		at.it_value.tv_nsec = (long)(in % 1000 * 1000000);
	}
	(void)timerfd_settime(w->timer, 0, &at, NULL);
}

/*
 * A place has one job in each turn: a job is in the turn behind that of the place's last one, or in
 * the turn that is on when there is none. With the lock.
 */
static void enqueue(struct worker *w, struct job *j)
{
	struct job *other;

	j->turn = w->turn;
	TAILQ_FOREACH_REVERSE(other, &w->queue, jobs, queue)
	{
		if (other->place == j->place) {
			j->turn = other->turn + 1;
			break;
		}
	}
	TAILQ_FOREACH_REVERSE(other, &w->queue, jobs, queue)
	{
		if (other->turn <= j->turn)
			break;
	}
	if (other != NULL)
		TAILQ_INSERT_AFTER(&w->queue, other, j, queue);
	else
		TAILQ_INSERT_HEAD(&w->queue, j, queue);
}

/*
 * Nobody waits for it any more. A thread that has it goes on and doesn't know: then false; true
 * when none had.
 */
static bool abandon(struct worker *w, struct job *j)
{
	bool queued;

	TAILQ_REMOVE(&w->waiting, j, waiting);
	w->n_waiting--;
	j->q = NULL;
	(void)pthread_mutex_lock(&w->lock);
	j->abandoned = true;
	queued = j->queued;
	if (queued)
		TAILQ_REMOVE(&w->queue, j, queue);
	set_timer(w);
	(void)pthread_mutex_unlock(&w->lock);
	if (queued)
		job_free(j);
	return queued;
}

static enum userdb_status put(struct worker *w, struct job *j, struct userdb_query *q,
			      const char *name)
{
	j->q = q;
	j->by_address = q->_by_address;
	j->place = q->place;
	(void)snprintf(j->name, sizeof(j->name), "%s", name);
	j->deadline_ms = clock_mono_ms() + w->timeout_ms;
	j->overdue_ms = j->deadline_ms + GRACE_MS;
	j->queued = true;
	if (!have_thread(w)) {
		fail(w, "no thread could be started");
		job_free(j);
		return USERDB_AWAY;
	}
	TAILQ_INSERT_TAIL(&w->waiting, j, waiting);
	w->n_waiting++;
	(void)pthread_mutex_lock(&w->lock);
	enqueue(w, j);
	(void)pthread_cond_signal(&w->more);
	if (TAILQ_FIRST(&w->waiting) == j)
		set_timer(w);
	(void)pthread_mutex_unlock(&w->lock);
	return USERDB_LATER;
}

/* NULL: it is away, or there is no memory. */
static struct job *new_job(const struct worker *w)
{
	const bool failing = w->back_off_ms != 0;

	if (w->n_waiting >= JOBS_MAX ||
	    (failing && (w->n_waiting > 0 || clock_mono_ms() < w->away_until_ms)))
		return NULL;
	return calloc(1, sizeof(struct job));
}

static enum userdb_status lookup(void *state, struct userdb_query *q, const char *name,
				 struct user_record *ret_record)
{
	struct worker *w = state;
	struct job *j = new_job(w);

	(void)ret_record;
	return j == NULL ? USERDB_AWAY : put(w, j, q, name);
}

static enum userdb_status verify(void *state, struct userdb_query *q,
				 const struct user_record *record, const char *password,
				 const char *remote)
{
	struct worker *w = state;
	struct job *j = new_job(w);

	if (j == NULL)
		return USERDB_AWAY;
	assert(w->driver->verify != NULL);
	j->verifies = true;
	(void)snprintf(j->secret, sizeof(j->secret), "%s", record->secret);
	(void)snprintf(j->password, sizeof(j->password), "%s", password);
	(void)snprintf(j->remote, sizeof(j->remote), "%s", remote);
	return put(w, j, q, record->name);
}

static void cancel(void *state, struct userdb_query *q)
{
	struct worker *w = state;
	struct job *j;

	TAILQ_FOREACH(j, &w->waiting, waiting)
	{
		if (j->q == q) {
			(void)abandon(w, j);
			return;
		}
	}
}

/* The first one that is found stays it, for somebody who isn't a user must always look the same. */
static void keep_decoy(struct worker *w, const struct user_record *r)
{
	if (w->has_decoy || r->verifies || scheme_is_locked(r->secret))
		return;
	w->has_decoy = true;
	memcpy(w->decoy, r->secret, sizeof(w->decoy));
	memcpy(w->decoy_scram, r->scram, sizeof(w->decoy_scram));
}

static void take(struct worker *w, struct job *j)
{
	struct userdb_query *q = j->q;
	enum userdb_status status = USERDB_AWAY;

	if (j->unasked) {
		fail_unasked(w);
	} else if (is_away(j->result)) {
		/* Of several that failed together, one counts. */
		if (clock_mono_ms() >= w->away_until_ms)
			fail(w, j->err.text);
	} else if (j->result == -EINVAL) {
		w->back_off_ms = 0;
		report(w, j->err.text);
	} else {
		succeed(w);
		status = j->result > 0 ? USERDB_FOUND : USERDB_UNKNOWN;
	}
	if (status == USERDB_FOUND && !j->verifies)
		keep_decoy(w, &j->record);
	if (q != NULL)
		userdb_answer(q, status,
			      status == USERDB_FOUND && !j->verifies ? &j->record : NULL);
	job_free(j);
}

/* One by one, for the answer to the one may cancel the other. False: there is none. */
static bool take_one(struct worker *w)
{
	struct job *j;

	(void)pthread_mutex_lock(&w->lock);
	j = TAILQ_FIRST(&w->done);
	if (j != NULL)
		TAILQ_REMOVE(&w->done, j, queue);
	(void)pthread_mutex_unlock(&w->lock);
	if (j == NULL)
		return false;
	if (j->q == NULL) {
		job_free(j);
		return true;
	}
	TAILQ_REMOVE(&w->waiting, j, waiting);
	w->n_waiting--;
	take(w, j);
	return true;
}

static void expire(struct worker *w)
{
	const uint64_t now = clock_mono_ms();
	struct job *j;

	while ((j = TAILQ_FIRST(&w->waiting)) != NULL && j->overdue_ms <= now) {
		struct userdb_query *q = j->q;

		const bool unasked = abandon(w, j);

		if (unasked)
			fail_unasked(w);
		else if (now >= w->away_until_ms)
			fail(w, "it doesn't answer in time");
		userdb_answer(q, USERDB_AWAY, NULL);
	}
}

static int fd(const void *state)
{
	const struct worker *w = state;

	return w->timer;
}

static void dispatch(void *state)
{
	struct worker *w = state;
	uint64_t times;

	/* Nothing to read: it was set anew meanwhile, which is no reason not to look. */
	if (read(w->timer, &times, sizeof(times)) < 0 && errno != EAGAIN)
		report(w, strerror(errno));
	while (take_one(w))
		;
	expire(w);
	(void)pthread_mutex_lock(&w->lock);
	set_timer(w);
	(void)pthread_mutex_unlock(&w->lock);
}

static void refresh(void *state)
{
	(void)state;
}

static bool decoy(void *state, const char *name, struct user_record *record)
{
	const struct worker *w = state;

	(void)name;
	if (!w->has_decoy)
		return false;
	memcpy(record->secret, w->decoy, sizeof(record->secret));
	memcpy(record->scram, w->decoy_scram, sizeof(record->scram));
	return true;
}

static int list(void *state, userdb_name *say, void *arg, struct err *err)
{
	struct worker *w = state;
	void *connection;
	int r;

	if (w->driver->list == NULL)
		return err_set(err, ENOTSUP, "%s: its users can't be listed", w->title);
	connection = w->driver->connect(w->settings, clock_mono_ms() + w->timeout_ms, err);
	if (connection == NULL)
		return -EIO;
	r = w->driver->list(connection, say, arg, err);
	w->driver->disconnect(connection);
	return r;
}

static void source_free(void *state)
{
	struct worker *w = state;

	assert(TAILQ_EMPTY(&w->waiting));
	(void)pthread_mutex_lock(&w->lock);
	w->stopping = true;
	(void)pthread_cond_broadcast(&w->more);
	release(w);
}

static const struct userdb_source_ops ops = {
	.lookup = lookup,
	.verify = verify,
	.cancel = cancel,
	.refresh = refresh,
	.decoy = decoy,
	.list = list,
	.fd = fd,
	.dispatch = dispatch,
	.free = source_free,
};

int userdb_worker_open(const struct userdb_worker_options *options,
		       struct userdb_source *ret_source)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		options->driver->free(options->settings);
		return -ENOMEM;
	}
	w->driver = options->driver;
	w->settings = options->settings;
	w->title = strdup(options->title);
	w->threads_max = options->threads;
	w->timeout_ms = options->timeout_ms;
	w->notice = options->notice;
	w->notice_arg = options->notice_arg;
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	w->refs = 1;
	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->queue);
	TAILQ_INIT(&w->done);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->more, NULL);
	if (w->title == NULL || w->timer < 0) {
		const int r = w->title == NULL ? -ENOMEM : -errno;

		(void)pthread_mutex_lock(&w->lock);
		release(w);
		return r;
	}
	*ret_source = (struct userdb_source){.ops = &ops, .state = w};
	return 0;
}
