/* SPDX-License-Identifier: MIT */
/*
 * restante fetch - several accounts at the same time, each in a thread of its own.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/secret.h"
#include "client/fetch.h"
#include "client/fetch_board.h"
#include "client/password.h"
#include "client/restante.h"

/* One account's session. */
struct job {
	struct account account;
	char password[LIMIT_PASSWORD + 1];
	enum fetch_status status;
};

struct jobs {
	const struct restante *r;
	const char *state_file;
	struct fetch_board board;
	struct job *all; /* Owned */
	size_t n;
	atomic_size_t next;
	atomic_bool stopped; /* by a signal: none is begun any more */
};

/* What the command line says is put over what the configuration said. */
static int override(const struct restante *r, struct account *a)
{
	static const char *const passwords[] = {"password", "password_command", "password_file"};
	bool new_password = false;
	struct err err;

	for (unsigned i = 0; account_option(i) != NULL; i++) {
		for (size_t k = 0; k < 3; k++)
			new_password = new_password ||
				       (r->account_options[i] != NULL &&
					strcmp(account_option(i)->name, passwords[k]) == 0);
	}
	if (new_password) {
		secret_wipe(a->password, sizeof(a->password));
		a->password_command[0] = '\0';
		a->password_file[0] = '\0';
	}
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		if (r->account_options[i] != NULL &&
		    !account_set(a, i, r->account_options[i], &err))
			return restante_complain(EX_USAGE, "%s", err.text);
	}

	const char *const wrong = account_check(a);

	return wrong == NULL ? EX_OK : restante_complain(EX_USAGE, "%s", wrong);
}

static const char *option_given(const struct restante *r, const char *name)
{
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		if (strcmp(account_option(i)->name, name) == 0)
			return r->account_options[i];
	}
	return NULL;
}

/* ---- Which accounts ---- */

static int take(struct jobs *jobs, const struct account *from)
{
	struct job *const job = &jobs->all[jobs->n++];

	job->account = *from;
	job->status = FETCH_OK;
	return override(jobs->r, &job->account);
}

static int take_unconfigured(struct jobs *jobs)
{
	const struct restante *const r = jobs->r;
	const char *const user = option_given(r, "user");
	struct account a;

	if (r->names[0] != NULL)
		return restante_complain(EX_USAGE, "--host is another account than '%s'",
					 r->names[0]);
	account_init(&a);
	(void)snprintf(a.name, sizeof(a.name), "%s@%s", user != NULL ? user : "",
		       option_given(r, "host"));
	return take(jobs, &a);
}

static int take_named(struct jobs *jobs)
{
	int status = EX_OK;

	for (char **name = jobs->r->names; *name != NULL && status == EX_OK; name++) {
		const struct account *const a = client_config_find(&jobs->r->config, *name);

		if (a == NULL)
			return restante_complain(EX_NOUSER, "there is no account '%s'", *name);
		status = take(jobs, a);
	}
	return status;
}

static int take_all(struct jobs *jobs)
{
	const struct client_config *const c = &jobs->r->config;
	int status = EX_OK;

	if (c->n == 0)
		return restante_complain(EX_CONFIG,
					 "no account is configured, and no --host given");
	for (size_t i = 0; i < c->n && status == EX_OK; i++)
		status = take(jobs, &c->accounts[i]);
	return status;
}

/* All of them, before the first is asked: what is wrong isn't found when half of the mail is here.
 */
static int choose(struct jobs *jobs, bool unconfigured)
{
	size_t n = 1;

	if (jobs->r->names[0] != NULL) {
		while (jobs->r->names[n] != NULL)
			n++;
	} else if (!unconfigured) {
		n = jobs->r->config.n;
	}
	jobs->all = calloc(n > 0 ? n : 1, sizeof(*jobs->all));
	if (jobs->all == NULL)
		return restante_complain(EX_OSERR, "no memory");
	if (unconfigured)
		return take_unconfigured(jobs);
	return jobs->r->names[0] != NULL ? take_named(jobs) : take_all(jobs);
}

/* ---- Fetching ---- */

/* People and commands are asked one after the other. */
static void ask_password(struct jobs *jobs, struct job *job)
{
	const struct fetch_result nothing = {0};
	struct fetch_view view = {.board = &jobs->board, .account = job->account.name};
	struct err err;

	job->status = password_get(&job->account, job->password, &err);
	if (job->status != FETCH_OK)
		fetch_view_end(&view, job->status, &nothing, &err);
}

/* Of several sessions; what is on the server is as the last one saw it. */
static void add_result(struct fetch_result *all, const struct fetch_result *one)
{
	all->listed = one->listed;
	all->known = one->known;
	all->large = one->large;
	all->left = one->left;
	all->pending = one->pending;
	all->fetched += one->fetched;
	all->octets += one->octets;
	all->adopted += one->adopted;
	all->refused += one->refused;
	all->deleted += one->deleted;
	all->remaining = one->remaining;
}

static void fetch_job(struct jobs *jobs, struct job *job)
{
	struct fetch_view view = {.board = &jobs->board, .account = job->account.name};
	const struct fetch_options options = {
		.account = &job->account,
		.password = job->password,
		.state_file = jobs->state_file,
		.dry_run = jobs->r->dry_run,
		.stop_fd = jobs->r->stop_fd,
		.observer = fetch_view_observer(&view, jobs->r->verbose),
	};
	struct fetch_result all = {0};
	struct fetch_result result;
	struct err err;

	/* A server that shows a few hundred at a time shows the next ones to the next session. */
	do {
		job->status = fetch(&options, &result, &err);
		add_result(&all, &result);
	} while (job->account.drain && job->status == FETCH_OK && result.fetched > 0 &&
		 !jobs->r->dry_run);
	secret_wipe(job->password, sizeof(job->password));
	fetch_view_end(&view, job->status, &all, &err);
	if (job->status == FETCH_STOPPED)
		atomic_store(&jobs->stopped, true);
}

static void *work(void *arg)
{
	struct jobs *const jobs = arg;
	size_t i;

	while (!atomic_load(&jobs->stopped) && (i = atomic_fetch_add(&jobs->next, 1)) < jobs->n) {
		if (jobs->all[i].status == FETCH_OK)
			fetch_job(jobs, &jobs->all[i]);
	}
	return NULL;
}

static void run(struct jobs *jobs, size_t threads)
{
	pthread_t others[CLIENT_PARALLEL_MAX];
	size_t n = 0;

	/* Without them it takes longer, and is done all the same. */
	while (n + 1 < threads && pthread_create(&others[n], NULL, work, jobs) == 0)
		n++;
	(void)work(jobs);
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

static int fetch_chosen(struct jobs *jobs)
{
	const struct restante *const r = jobs->r;
	const size_t parallel = r->config.parallel > 0 ? r->config.parallel
						       : CLIENT_PARALLEL_DEFAULT;
	enum fetch_status worst = FETCH_OK;
	int status;

	fetch_board_init(&jobs->board, r->quiet, r->verbose, r->dry_run);
	for (size_t i = 0; i < jobs->n; i++)
		ask_password(jobs, &jobs->all[i]);
	run(jobs, jobs->n < parallel ? jobs->n : parallel);
	fetch_board_done(&jobs->board);
	for (size_t i = 0; i < jobs->n; i++)
		worst = worse(worst, jobs->all[i].status);
	status = restante_printed();
	return worst != FETCH_OK ? restante_exit_status(worst) : status;
}

int restante_fetch(struct restante *r)
{
	char state_file[PATH_MAX];
	struct jobs jobs = {.r = r, .state_file = state_file};
	struct err err;
	const bool unconfigured = option_given(r, "host") != NULL && r->config_path == NULL;
	int status = unconfigured ? EX_OK : restante_load(r);

	if (status == EX_OK && r->parallel != NULL &&
	    !client_config_set_parallel(&r->config, r->parallel, &err))
		status = restante_complain(EX_USAGE, "%s", err.text);
	if (status == EX_OK)
		status = restante_state_file(r, state_file, sizeof(state_file));
	if (status == EX_OK)
		status = choose(&jobs, unconfigured);
	if (status == EX_OK)
		status = fetch_chosen(&jobs);
	if (jobs.all != NULL)
		secret_wipe(jobs.all, jobs.n * sizeof(*jobs.all));
	free(jobs.all);
	return status;
}
