/* SPDX-License-Identifier: MIT */
#include "client/fetch_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/secret.h"
#include "client/password.h"

static const char *option_given(const struct restante *r, const char *name)
{
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		if (strcmp(account_option(i)->name, name) == 0)
			return r->account_options[i];
	}
	return NULL;
}

static bool new_destination(const struct restante *r)
{
	for (unsigned to = 0; to < ACCOUNT_DESTINATIONS; to++) {
		if (option_given(r, account_destination_option(to)) != NULL)
			return true;
	}
	return false;
}

/* What the command line says is put over what the configuration said. */
static int override(const struct restante *r, struct account *a)
{
	static const char *const passwords[] = {"password", "password_command", "password_file",
						"password_credential"};
	bool new_password = false;
	struct err err;

	for (unsigned i = 0; account_option(i) != NULL; i++) {
		for (size_t k = 0; k < sizeof(passwords) / sizeof(passwords[0]); k++)
			new_password = new_password ||
				       (r->account_options[i] != NULL &&
					strcmp(account_option(i)->name, passwords[k]) == 0);
	}
	if (new_password) {
		secret_wipe(a->password, sizeof(a->password));
		a->password_command[0] = '\0';
		a->password_file[0] = '\0';
		a->password_credential[0] = '\0';
	}
	if (new_destination(r))
		account_forget_destination(a);
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		if (r->account_options[i] != NULL &&
		    !account_set(a, i, r->account_options[i], &err))
			return restante_complain(EX_USAGE, "%s", err.text);
	}

	const char *const wrong = account_check(a);

	return wrong == NULL ? EX_OK : restante_complain(EX_USAGE, "%s", wrong);
}

/* ---- Which accounts ---- */

static int take(struct fetch_jobs *jobs, const struct account *from)
{
	struct fetch_job *const job = &jobs->all[jobs->n++];

	job->account = *from;
	job->status = FETCH_OK;
	return override(jobs->r, &job->account);
}

static int take_unconfigured(struct fetch_jobs *jobs)
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

static int take_named(struct fetch_jobs *jobs)
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

static int take_all(struct fetch_jobs *jobs)
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

static int choose(struct fetch_jobs *jobs, bool unconfigured)
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

int fetch_jobs_choose(struct fetch_jobs *jobs, struct restante *r)
{
	const bool unconfigured = option_given(r, "host") != NULL && r->config_path == NULL;
	struct err err;
	int status;

	jobs->r = r;
	jobs->all = NULL;
	jobs->n = 0;
	fetch_board_init(&jobs->board, r->quiet, r->verbose, r->dry_run);
	status = unconfigured ? EX_OK : restante_load(r);
	if (status == EX_OK && r->parallel != NULL &&
	    !client_config_set_parallel(&r->config, r->parallel, &err))
		status = restante_complain(EX_USAGE, "%s", err.text);
	if (status == EX_OK)
		status = restante_state_file(r, jobs->state_file, sizeof(jobs->state_file));
	return status == EX_OK ? choose(jobs, unconfigured) : status;
}

void fetch_jobs_done(struct fetch_jobs *jobs)
{
	if (jobs->all != NULL)
		secret_wipe(jobs->all, jobs->n * sizeof(*jobs->all));
	free(jobs->all);
	jobs->all = NULL;
	jobs->n = 0;
	fetch_board_done(&jobs->board);
}

size_t fetch_jobs_parallel(const struct fetch_jobs *jobs)
{
	const size_t wanted = jobs->r->config.parallel > 0 ? jobs->r->config.parallel
							   : CLIENT_PARALLEL_DEFAULT;

	return jobs->n < wanted ? jobs->n : wanted;
}

/* ---- Fetching ---- */

/* Not when the command line has named another destination than the configuration. */
static bool logs_in_there(const struct account *a)
{
	const enum account_destination to = account_destination(a);

	return (to == ACCOUNT_TO_SMTP || to == ACCOUNT_TO_IMAP) && a->deliver_user[0] != '\0';
}

void fetch_job_ask_password(struct fetch_jobs *jobs, struct fetch_job *job)
{
	const struct fetch_result nothing = {0};
	struct fetch_view view = {.board = &jobs->board, .account = job->account.name};
	struct err err;

	job->status = password_get(&job->account, job->password, &err);
	if (job->status == FETCH_OK && logs_in_there(&job->account))
		job->status = password_get_deliver(&job->account, job->deliver_password, &err);
	if (job->status != FETCH_OK)
		fetch_view_end(&view, job->status, &nothing, &err);
}

void fetch_jobs_ask_passwords(struct fetch_jobs *jobs)
{
	for (size_t i = 0; i < jobs->n; i++)
		fetch_job_ask_password(jobs, &jobs->all[i]);
}

/* Of several sessions; what is on the server is as the last one saw it. */
static void add_result(struct fetch_result *all, const struct fetch_result *one)
{
	struct fetch_result sum = *one;

	sum.fetched += all->fetched;
	sum.octets += all->octets;
	sum.adopted += all->adopted;
	sum.refused += all->refused;
	sum.undelivered += all->undelivered;
	sum.deferred += all->deferred;
	sum.deleted += all->deleted;
	*all = sum;
}

void fetch_job_run(struct fetch_jobs *jobs, struct fetch_job *job)
{
	struct fetch_view view = {.board = &jobs->board, .account = job->account.name};
	const struct fetch_options options = {
		.account = &job->account,
		.password = job->password,
		.deliver_password = job->deliver_password,
		.state_file = jobs->state_file,
		.dry_run = jobs->r->dry_run,
		.stop_fd = jobs->r->stop_fd,
		.observer = fetch_view_observer(&view, jobs->r->verbose),
	};
	struct fetch_result result;
	struct err err;

	job->result = (struct fetch_result){0};
	/* A server that shows a few hundred at a time shows the next ones to the next session. */
	do {
		job->status = fetch(&options, &result, &err);
		add_result(&job->result, &result);
	} while (job->account.drain && job->status == FETCH_OK && result.fetched > 0 &&
		 !jobs->r->dry_run);
	fetch_view_end(&view, job->status, &job->result, &err);
}
