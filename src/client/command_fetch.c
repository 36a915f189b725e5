/* SPDX-License-Identifier: MIT */
/*
 * restante fetch - several accounts at the same time, each in a thread of its own.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sysexits.h>

#include "client/fetch_jobs.h"

struct work {
	struct fetch_jobs *jobs;
	atomic_size_t next;
	atomic_bool stopped; /* by a signal: none is begun any more */
};

static void *work(void *arg)
{
	struct work *const w = arg;
	size_t i;

	while (!atomic_load(&w->stopped) && (i = atomic_fetch_add(&w->next, 1)) < w->jobs->n) {
		struct fetch_job *const job = &w->jobs->all[i];

		if (job->status == FETCH_OK)
			fetch_job_run(w->jobs, job);
		if (job->status == FETCH_STOPPED)
			atomic_store(&w->stopped, true);
	}
	return NULL;
}

static void run(struct fetch_jobs *jobs)
{
	struct work w = {.jobs = jobs};
	pthread_t others[CLIENT_PARALLEL_MAX];
	size_t n = 0;

	/* Without them it takes longer, and is done all the same. */
	while (n + 1 < fetch_jobs_parallel(jobs) && pthread_create(&others[n], NULL, work, &w) == 0)
		n++;
	(void)work(&w);
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(others[i], NULL);
}

/* The worst of two: what needs somebody to do something comes before what passes by itself. */
static enum fetch_status worse(enum fetch_status a, enum fetch_status b)
{
	if (a == FETCH_OK || (restante_exit_status(a) == EX_TEMPFAIL && b != FETCH_OK))
		return b;
	return a;
}

int restante_fetch(struct restante *r)
{
	struct fetch_jobs jobs;
	enum fetch_status worst = FETCH_OK;
	int status = fetch_jobs_choose(&jobs, r);

	if (status == EX_OK) {
		fetch_jobs_ask_passwords(&jobs);
		run(&jobs);
		for (size_t i = 0; i < jobs.n; i++)
			worst = worse(worst, jobs.all[i].status);
		status = restante_printed();
	}
	fetch_jobs_done(&jobs);
	return worst != FETCH_OK ? restante_exit_status(worst) : status;
}
