/* SPDX-License-Identifier: MIT */
/*
 * restante fetch - one account after the other.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/span.h"
#include "client/fetch.h"
#include "client/password.h"
#include "client/progress.h"
#include "client/restante.h"

/* One account's session, as the user sees it. */
struct view {
	const struct restante *r;
	const struct account *account;
	bool bar; /* standard error is a terminal, and nothing else is written there */
	struct progress progress;
};

/* As it is, but for what a terminal would obey. */
static void print_octets(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c >= 0x7f)
			(void)fprintf(stderr, "\\x%02x", c);
		else
			(void)fputc(c, stderr);
	}
}

static void on_line(void *ctx, bool sent, struct span line)
{
	const struct view *const v = ctx;

	(void)fprintf(stderr, "%s %s ", v->account->name, sent ? ">" : "<");
	print_octets(line);
	(void)fputc('\n', stderr);
}

static void on_begin(void *ctx, size_t messages, uint64_t octets)
{
	struct view *const v = ctx;

	if (v->bar)
		progress_begin(&v->progress, v->account->name, STDERR_FILENO, messages, octets);
}

static void on_progress(void *ctx, size_t messages, uint64_t octets)
{
	struct view *const v = ctx;

	if (v->bar)
		progress_update(&v->progress, messages, octets);
}

static void on_remark(void *ctx, const char *text)
{
	struct view *const v = ctx;

	progress_clear(&v->progress);
	(void)restante_complain(EX_OK, "%s: %s", v->account->name, text);
}

static void summarize(const struct view *v, const struct fetch_result *result)
{
	char size[PROGRESS_SIZE_MAX];

	if (v->r->quiet || v->r->dry_run)
		return;
	progress_size(result->octets, size);
	(void)printf("%s: %zu fetched (%s)", v->account->name, result->fetched, size);
	if (result->adopted > 0)
		(void)printf(", %zu found that were stored before", result->adopted);
	if (result->deleted > 0)
		(void)printf(", %zu deleted on the server", result->deleted);
	if (result->refused > 0)
		(void)printf(", %zu refused by the server", result->refused);
	if (result->pending > 0)
		(void)printf(", %zu to be deleted later", result->pending);
	(void)printf(", %zu on the server\n", result->listed - result->deleted);
}

static enum fetch_status fetch_account(const struct restante *r, const struct account *a,
				       const char *state_file)
{
	struct view v = {
		.r = r,
		.account = a,
		.bar = !r->quiet && !r->verbose && isatty(STDERR_FILENO) == 1,
	};
	char password[LIMIT_PASSWORD + 1];
	const struct fetch_options options = {
		.account = a,
		.password = password,
		.state_file = state_file,
		.dry_run = r->dry_run,
		.stop_fd = r->stop_fd,
		.observer =
			{
				.line = r->verbose ? on_line : NULL,
				.begin = on_begin,
				.progress = on_progress,
				.remark = on_remark,
				.ctx = &v,
			},
	};
	struct fetch_result result = {0};
	struct err err;
	enum fetch_status fs = password_get(a, password, &err);

	if (fs == FETCH_OK)
		fs = fetch(&options, &result, &err);
	secret_wipe(password, sizeof(password));
	progress_clear(&v.progress);
	if (fs == FETCH_OK || fs == FETCH_REFUSED || result.fetched > 0)
		summarize(&v, &result);
	if (fs != FETCH_OK && fs != FETCH_REFUSED)
		(void)restante_complain(EX_OK, "%s: %s", a->name, err.text);
	return fs;
}

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

/* The worst of two: what needs somebody to do something comes before what passes by itself. */
static enum fetch_status worse(enum fetch_status a, enum fetch_status b)
{
	if (a == FETCH_OK || (restante_exit_status(a) == EX_TEMPFAIL && b != FETCH_OK))
		return b;
	return a;
}

static int fetch_one(const struct restante *r, const struct account *from, const char *state_file,
		     enum fetch_status *worst)
{
	struct account a = *from;
	const int status = override(r, &a);

	if (status == EX_OK)
		*worst = worse(*worst, fetch_account(r, &a, state_file));
	secret_wipe(&a, sizeof(a));
	return status;
}

static int fetch_unconfigured(const struct restante *r, const char *state_file,
			      enum fetch_status *worst)
{
	const char *const user = option_given(r, "user");
	struct account a;

	if (r->names[0] != NULL)
		return restante_complain(EX_USAGE, "--host is another account than '%s'",
					 r->names[0]);
	account_init(&a);
	(void)snprintf(a.name, sizeof(a.name), "%s@%s", user != NULL ? user : "",
		       option_given(r, "host"));
	return fetch_one(r, &a, state_file, worst);
}

static int fetch_named(const struct restante *r, const char *state_file, enum fetch_status *worst)
{
	int status = EX_OK;

	/* All names first: a wrong one shall not be found when half of the mail is here. */
	for (char **name = r->names; *name != NULL; name++) {
		if (client_config_find(&r->config, *name) == NULL)
			return restante_complain(EX_NOUSER, "there is no account '%s'", *name);
	}
	for (char **name = r->names; *name != NULL && status == EX_OK && *worst != FETCH_STOPPED;
	     name++)
		status = fetch_one(r, client_config_find(&r->config, *name), state_file, worst);
	return status;
}

static int fetch_all(const struct restante *r, const char *state_file, enum fetch_status *worst)
{
	int status = EX_OK;

	if (r->config.n == 0)
		return restante_complain(EX_CONFIG,
					 "no account is configured, and no --host given");
	for (size_t i = 0; i < r->config.n && status == EX_OK && *worst != FETCH_STOPPED; i++)
		status = fetch_one(r, &r->config.accounts[i], state_file, worst);
	return status;
}

int restante_fetch(struct restante *r)
{
	char state_file[PATH_MAX];
	enum fetch_status worst = FETCH_OK;
	const bool unconfigured = option_given(r, "host") != NULL && r->config_path == NULL;
	int status = unconfigured ? EX_OK : restante_load(r);

	if (status == EX_OK)
		status = restante_state_file(r, state_file, sizeof(state_file));
	if (status != EX_OK)
		return status;
	if (unconfigured)
		status = fetch_unconfigured(r, state_file, &worst);
	else if (r->names[0] != NULL)
		status = fetch_named(r, state_file, &worst);
	else
		status = fetch_all(r, state_file, &worst);
	if (status != EX_OK)
		return status;
	status = restante_printed();
	return worst != FETCH_OK ? restante_exit_status(worst) : status;
}
