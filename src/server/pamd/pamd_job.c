/* SPDX-License-Identifier: MIT */
/* Questions: in the queue, in a child, answered. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/span.h"
#include "server/pamd/pamd_priv.h"

static void free_job(struct job *j)
{
	TAILQ_REMOVE(&j->pd->jobs, j, all);
	j->pd->n_jobs--;
	if (j->pid != 0)
		j->pd->n_running--;
	if (j->pipe >= 0)
		(void)close(j->pipe);
	secret_wipe(j, sizeof(*j));
	free(j);
}

struct job *pamd_job_new(struct pamd *pd, uint64_t id)
{
	struct job *const j = pd->n_jobs < PAMD_JOBS_MAX ? calloc(1, sizeof(*j)) : NULL;

	if (j == NULL)
		return NULL;
	j->pd = pd;
	j->id = id;
	j->waits = true;
	j->pipe = -1;
	j->deadline_ms = clock_mono_ms() + (uint64_t)pd->process->config->pam_timeout * 1000;
	TAILQ_INSERT_TAIL(&pd->jobs, j, all);
	pd->n_jobs++;
	return j;
}

static void answer(struct job *j, const struct verdict *v)
{
	if (!j->waits)
		return;
	j->waits = false;
	pamd_answer(j->pd, j->id, v);
}

static void answer_away(struct job *j, const char *why)
{
	const struct verdict away = {.status = IPC_TEMPORARY};

	log_event(LOG_LEVEL_WARN, "pam-away", log_str("user", j->q.user),
		  log_str(j->q.verifies ? "service" : NULL, j->q.service), log_str("reason", why));
	answer(j, &away);
}

/* ---- a child ---- */

/*
 * SIGCHLD is blocked meanwhile: libuv's handler would tell our loop of the child's children,
 * through a pipe that both still have.
 */
static int fork_child(struct job *j)
{
	sigset_t blocked;
	sigset_t old;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	(void)sigfillset(&blocked);
	(void)sigprocmask(SIG_BLOCK, &blocked, &old);
	j->pid = fork();
	if (j->pid == 0)
		pamd_child(&j->q, j->pd->process->config->pam_first_uid, ends[1]);

	const int error = errno;

	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)close(ends[1]);
	if (j->pid < 0) {
		j->pid = 0;
		(void)close(ends[0]);
		return -error;
	}
	j->pipe = ends[0];
	j->pd->n_running++;
	return 0;
}

static void kill_child(struct job *j)
{
	(void)kill(j->pid, SIGKILL);
	j->killed = true;
}

static bool is_ours(const struct pamd *pd, pid_t pid)
{
	const struct job *j;

	TAILQ_FOREACH(j, &pd->jobs, all)
	{
		if (j->pid == pid)
			return true;
	}
	return false;
}

/*
 * What a module has started outlives the module, and may have left its session and process
 * group (pam_exec does). But then its parent is us (PR_SET_CHILD_SUBREAPER), and we have no
 * children but the jobs'. Each that ends leaves its own to us: SIGCHLD comes again.
 */
static void end_orphans(const struct pamd *pd)
{
	char text[4096];
	const int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	struct span left = span_of(text, n < 0 ? 0 : (size_t)n);

	if (fd >= 0)
		(void)close(fd);
	while (left.n > 0) {
		const size_t word = span_find(left, ' ');
		uint64_t pid;

		/* What was cut off at the end comes next time. */
		if (word == left.n)
			break;
		if (num_parse_u64(span_of(left.p, word), INT32_MAX, &pid) && pid > 0 &&
		    !is_ours(pd, (pid_t)pid)) {
			(void)kill((pid_t)pid, SIGKILL);
			(void)waitpid((pid_t)pid, NULL, WNOHANG);
		}
		left = span_of(left.p + word + 1, left.n - word - 1);
	}
}

static void log_verdict(const struct job *j, const struct verdict *v)
{
	if (v->reason[0] == '\0')
		return;
	log_event(v->status == IPC_TEMPORARY ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
		  v->status == IPC_TEMPORARY ? "pam-away" : "pam-refused",
		  log_str("user", j->q.user),
		  log_str(j->q.verifies ? "service" : NULL, j->q.service),
		  log_str("reason", v->reason));
}

static bool is_verdict(const struct verdict *v)
{
	return v->status < IPC_STATUSES && memchr(v->reason, '\0', sizeof(v->reason)) != NULL &&
	       memchr(v->user.name, '\0', sizeof(v->user.name)) != NULL &&
	       memchr(v->user.home, '\0', sizeof(v->user.home)) != NULL;
}

/* It has ended. */
static void finish(struct job *j)
{
	struct verdict v;
	const ssize_t n = read(j->pipe, &v, sizeof(v));

	if (n == (ssize_t)sizeof(v) && is_verdict(&v)) {
		log_verdict(j, &v);
		answer(j, &v);
	} else if (!j->killed) {
		answer_away(j, "its process died");
	}
	free_job(j);
}

void pamd_on_child(uv_signal_t *handle, int signal)
{
	struct pamd *const pd = handle->data;
	struct job *j;
	struct job *next;

	(void)signal;
	for (j = TAILQ_FIRST(&pd->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, all);
		if (j->pid != 0 && waitpid(j->pid, NULL, WNOHANG) != 0)
			finish(j);
	}
	end_orphans(pd);
	pamd_run(pd);
}

/* ---- the queue ---- */

static void set_timer(struct pamd *pd)
{
	const struct job *j;
	uint64_t first = UINT64_MAX;

	TAILQ_FOREACH(j, &pd->jobs, all)
	{
		if (!j->killed && j->deadline_ms < first)
			first = j->deadline_ms;
	}
	if (first == UINT64_MAX) {
		(void)uv_timer_stop(&pd->timer);
		return;
	}

	const uint64_t now = clock_mono_ms();

	/* libuv counts from its own clock, which stands still during a turn of the loop. */
	uv_update_time(pd->timer.loop);
	(void)uv_timer_start(&pd->timer, pamd_on_timer, first > now ? first - now : 0, 0);
}

/* One user's may hang, and are not to hold up the others': so they get half. */
static bool has_turn(const struct job *j)
{
	const uint32_t max = j->pd->process->config->pam_processes;
	const struct job *other;
	uint32_t n = 0;

	TAILQ_FOREACH(other, &j->pd->jobs, all)
	{
		n += other->pid != 0 && strcmp(other->q.user, j->q.user) == 0;
	}
	return n < (max + 1) / 2;
}

void pamd_run(struct pamd *pd)
{
	struct job *j;
	struct job *next;

	for (j = TAILQ_FIRST(&pd->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, all);
		if (pd->n_running >= pd->process->config->pam_processes)
			break;
		if (j->pid != 0 || !has_turn(j))
			continue;

		const int r = fork_child(j);

		if (r < 0) {
			answer_away(j, strerror(-r));
			free_job(j);
		}
	}
	set_timer(pd);
}

/* A child that the kernel can't kill now keeps its place until it can, but nobody waiting. */
void pamd_on_timer(uv_timer_t *timer)
{
	struct pamd *const pd = timer->data;
	const uint64_t now = clock_mono_ms();
	struct job *j;
	struct job *next;

	for (j = TAILQ_FIRST(&pd->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, all);
		if (j->killed || j->deadline_ms > now)
			continue;
		answer_away(j, j->pid != 0 ? "no answer in time" : "too many questions");
		if (j->pid != 0)
			kill_child(j);
		else
			free_job(j);
	}
	pamd_run(pd);
}

static void cancel(struct job *j)
{
	j->waits = false;
	if (j->pid == 0)
		free_job(j);
}

void pamd_cancel(struct pamd *pd, uint64_t id)
{
	struct job *j;

	TAILQ_FOREACH(j, &pd->jobs, all)
	{
		if (j->id == id && j->waits) {
			cancel(j);
			return;
		}
	}
}

void pamd_cancel_all(struct pamd *pd)
{
	struct job *j;
	struct job *next;

	for (j = TAILQ_FIRST(&pd->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, all);
		cancel(j);
	}
}

void pamd_drop_jobs(struct pamd *pd)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&pd->jobs)) != NULL) {
		if (j->pid != 0)
			kill_child(j);
		free_job(j);
	}
}
