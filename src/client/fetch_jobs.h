/* SPDX-License-Identifier: MIT */
/*
 * fetch_jobs.h - the accounts that a command is about, and a session with each: what
 * "restante fetch" and "restante watch" have in common.
 */
#pragma once

#include <limits.h>

#include "client/fetch.h"
#include "client/fetch_board.h"
#include "client/restante.h"

struct fetch_job {
	struct account account;
	char password[LIMIT_PASSWORD + 1];
	char deliver_password[LIMIT_PASSWORD + 1];
	enum fetch_status status;   /* of the last session, or of asking for the password */
	struct fetch_result result; /* of the last session */
};

struct fetch_jobs {
	const struct restante *r; /* Borrowed */
	char state_file[PATH_MAX];
	struct fetch_board board;
	struct fetch_job *all; /* Owned */
	size_t n;
};

/*
 * Those that the command line names, that the configuration has, or the one of --host.
 * All are looked at before the first is asked: what is wrong isn't found when half of
 * the mail is here. EX_OK, or what to exit with, after saying why. fetch_jobs_done()
 * in any case.
 */
int fetch_jobs_choose(struct fetch_jobs *jobs, struct restante *r);
void fetch_jobs_done(struct fetch_jobs *jobs);

/* How many sessions there may be at a time. */
size_t fetch_jobs_parallel(const struct fetch_jobs *jobs);

/* One after the other: people and commands. A failure is said, and is the job's status. */
void fetch_jobs_ask_passwords(struct fetch_jobs *jobs);
void fetch_job_ask_password(struct fetch_jobs *jobs, struct fetch_job *job);

/* A session (with drain, several), shown on the board. Each job in any thread. */
void fetch_job_run(struct fetch_jobs *jobs, struct fetch_job *job);
