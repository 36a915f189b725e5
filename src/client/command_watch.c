/* SPDX-License-Identifier: MIT */
/*
 * restante watch - fetches again and again, each account at its interval, until it is
 * told to stop. SIGUSR1 wakes all of them.
 *
 * Each account has a thread that sleeps between its sessions; how many sessions
 * there are at a time is counted.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/notify.h"
#include "base/rand.h"
#include "base/secret.h"
#include "client/fetch_jobs.h"
#include "client/watch_schedule.h"

struct watch {
	struct fetch_jobs jobs;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* stopping, woken or running */
	size_t running;         /* sessions */
	unsigned woken;         /* times that somebody has asked for all accounts now */
	bool stopping;
};

/* An account, and the thread that looks after it. */
struct watched {
	struct watch *watch;
	struct fetch_job *job;
	struct watch_schedule schedule;
	pthread_t thread;
};

static int wake_fd = -1;

static void on_wake(int number)
{
	const int e = errno;
	const uint64_t one = 1;

	(void)number;
	if (write(wake_fd, &one, sizeof(one)) < 0)
		errno = e;
	errno = e;
}

/* Sleeps until it is woken or the time has come, with the lock. */
static void sleep_until(struct watch *w, uint64_t ms)
{
	const struct timespec at = {.tv_sec = (time_t)(ms / 1000),
				    .tv_nsec = (long)(ms % 1000) * 1000000};
	const unsigned woken = w->woken;
	int r = 0;

	while (!w->stopping && w->woken == woken && r != ETIMEDOUT && clock_mono_ms() < ms)
		r = pthread_cond_clockwait(&w->changed, &w->lock, CLOCK_MONOTONIC, &at);
}

/* Until it is this account's turn, with the lock. False: it is time to stop. */
static bool wait_for_turn(const struct watched *a, uint64_t ms)
{
	struct watch *const w = a->watch;
	const uint64_t now = clock_mono_ms();

	sleep_until(w, now + ms);
	/* Somebody who can't wait waits for the server all the same. */
	while (!w->stopping && clock_mono_ms() < now + (uint64_t)a->job->result.login_delay * 1000)
		sleep_until(w, now + (uint64_t)a->job->result.login_delay * 1000);
	while (!w->stopping && w->running >= fetch_jobs_parallel(&w->jobs))
		(void)pthread_cond_wait(&w->changed, &w->lock);
	return !w->stopping;
}

/* A command may print another password each time: a token that runs out in an hour. */
static void session(struct watched *a)
{
	struct fetch_jobs *const jobs = &a->watch->jobs;

	if (a->job->account.password_command[0] != '\0') {
		secret_wipe(a->job->password, sizeof(a->job->password));
		fetch_job_ask_password(jobs, a->job);
	} else {
		a->job->status = FETCH_OK;
	}
	if (a->job->status == FETCH_OK)
		fetch_job_run(jobs, a->job);
}

static void *look_after(void *arg)
{
	struct watched *const a = arg;
	struct watch *const w = a->watch;
	uint64_t wait = 0;

	(void)pthread_mutex_lock(&w->lock);
	while (wait_for_turn(a, wait)) {
		w->running++;
		(void)pthread_mutex_unlock(&w->lock);
		session(a);
		wait = watch_schedule_next(&a->schedule, a->job->status, a->job->result.login_delay,
					   rand_u64());
		(void)pthread_mutex_lock(&w->lock);
		w->running--;
		(void)pthread_cond_broadcast(&w->changed);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Until a signal says that it is enough. */
static void wait_for_signals(struct watch *w)
{
	struct pollfd fds[] = {{.fd = w->jobs.r->stop_fd, .events = POLLIN},
			       {.fd = wake_fd, .events = POLLIN}};
	uint64_t n;

	while ((fds[0].revents & POLLIN) == 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if ((fds[1].revents & POLLIN) == 0)
			continue;
		(void)pthread_mutex_lock(&w->lock);
		if (read(wake_fd, &n, sizeof(n)) > 0)
			w->woken++;
		(void)pthread_cond_broadcast(&w->changed);
		(void)pthread_mutex_unlock(&w->lock);
	}
	notify_send("STOPPING=1");
	(void)pthread_mutex_lock(&w->lock);
	w->stopping = true;
	(void)pthread_cond_broadcast(&w->changed);
	(void)pthread_mutex_unlock(&w->lock);
}

static int watch_all(struct watch *w)
{
	struct watched *const all = calloc(w->jobs.n > 0 ? w->jobs.n : 1, sizeof(*all));
	size_t n = 0;
	int status = EX_OK;

	if (all == NULL)
		return restante_complain(EX_OSERR, "no memory");
	for (; n < w->jobs.n && status == EX_OK; n++) {
		all[n] = (struct watched){
			.watch = w,
			.job = &w->jobs.all[n],
			.schedule.interval = w->jobs.all[n].account.interval,
		};

		const int e = pthread_create(&all[n].thread, NULL, look_after, &all[n]);

		if (e != 0) {
			status = restante_complain(EX_OSERR, "cannot make a thread: %s",
						   strerror(e));
			break;
		}
	}
	if (status == EX_OK) {
		notify_send("READY=1");
		wait_for_signals(w);
	} else {
		(void)pthread_mutex_lock(&w->lock);
		w->stopping = true;
		(void)pthread_cond_broadcast(&w->changed);
		(void)pthread_mutex_unlock(&w->lock);
	}
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(all[i].thread, NULL);
	free(all);
	return status;
}

/* Passwords that a person or a file knows are asked for once, and one that is missing ends it now.
 */
static int ask_passwords(struct watch *w)
{
	for (size_t i = 0; i < w->jobs.n; i++) {
		struct fetch_job *const job = &w->jobs.all[i];

		if (job->account.password_command[0] != '\0')
			continue;
		fetch_job_ask_password(&w->jobs, job);
		if (job->status != FETCH_OK)
			return restante_exit_status(job->status);
	}
	return EX_OK;
}

int restante_watch(struct restante *r)
{
	const struct sigaction wake = {.sa_handler = on_wake, .sa_flags = SA_RESTART};
	struct watch w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	int status = fetch_jobs_choose(&w.jobs, r);

	w.jobs.board.only_news = true;
	if (status == EX_OK)
		status = ask_passwords(&w);
	if (status == EX_OK) {
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (wake_fd < 0)
			status = restante_complain(EX_OSERR, "cannot make an eventfd: %s",
						   strerror(errno));
	}
	if (status == EX_OK) {
		(void)sigaction(SIGUSR1, &wake, NULL);
		status = watch_all(&w);
	}
	if (wake_fd >= 0)
		(void)close(wake_fd);
	fetch_jobs_done(&w.jobs);
	return status;
}
