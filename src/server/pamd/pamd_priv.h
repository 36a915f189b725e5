/* SPDX-License-Identifier: MIT */
/*
 * pamd_priv.h - the PAM process inside. Each question is answered by a child that is forked for
 * it: a module that crashes, leaks, hangs or keeps what it has read harms nobody's but its own.
 *
 *	auth ──ask──► queue ──► fork: getpwnam(3), PAM ──pipe──► answer ──► auth
 *	                          │
 *	                          └─ killed when pam_timeout is over: TEMPORARY
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "auth/system_user.h"
#include "server/ipc.h"
#include "server/ipc_channel.h"
#include "server/process.h"

/* Questions from auth; more than this can't be answered in time. */
#define PAMD_JOBS_MAX 2048

struct pamd;

/* Auth's channel. There may be an old one for a moment, when auth was started anew. */
struct auth_link {
	struct pamd *pd;
	struct ipc_channel ch;
};

struct question {
	bool verifies;
	char user[LIMIT_USER + 1];
	/* To verify. Wiped when the job is freed */
	char service[64];
	char remote[56];
	char password[LIMIT_PASSWORD + 1];
};

/* What a child writes into its pipe: less than PIPE_BUF, so all of it or nothing. */
struct verdict {
	enum ipc_status status;
	struct system_user user; /* of OK, when nothing was verified */
	char reason[256];        /* "": nothing that an operator could want to know */
};

struct job {
	TAILQ_ENTRY(job) all;
	struct pamd *pd;
	uint64_t id;
	bool waits; /* for an answer: auth hasn't cancelled, nor been told */
	uint64_t deadline_ms;
	pid_t pid; /* 0: it is still in the queue */
	int pipe;  /* Owned; -1 */
	bool killed;
	struct question q;
};

struct pamd {
	struct process *process;
	struct auth_link *auth; /* Owned. NULL: away */
	TAILQ_HEAD(, job) jobs; /* Owned; in the order in which they came */
	unsigned n_jobs;
	unsigned n_running;
	uv_signal_t ended; /* a child has */
	uv_timer_t timer;  /* of the next deadline */
};

/* ---- pamd_child.c ---- */

/* In a process that was forked for it: answers into pipe, and ends. */
__attribute__((noreturn)) void pamd_child(const struct question *q, uint32_t first_uid, int pipe);

/* ---- pamd_job.c ---- */

/* NULL: there are too many. The caller fills q and calls pamd_run(). */
struct job *pamd_job_new(struct pamd *pd, uint64_t id);

/* Starts as many as may run, and sets the timer. */
void pamd_run(struct pamd *pd);

/* Nobody waits for it; if it runs already, it goes on to its end. */
void pamd_cancel(struct pamd *pd, uint64_t id);

/* The same for all. */
void pamd_cancel_all(struct pamd *pd);

void pamd_on_child(uv_signal_t *handle, int signal);
void pamd_on_timer(uv_timer_t *timer);

/* Kills what runs and frees everything. */
void pamd_drop_jobs(struct pamd *pd);

/* ---- pamd.c ---- */

void pamd_answer(struct pamd *pd, uint64_t id, const struct verdict *v);
