/* SPDX-License-Identifier: MIT */
/*
 * restante import-config - another program's configuration and what it has fetched.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text_file.h"
#include "client/account_write.h"
#include "client/foreign_config.h"
#include "client/import_seen.h"
#include "client/restante.h"

#define FILE_MAX (1U << 20)

struct import {
	struct account *accounts; /* all files'. Owned */
	size_t n;
	size_t seen;         /* UIDLs, in all */
	const char *path;    /* the file that is read */
	struct state *state; /* NULL: only to be shown */
};

static void remark(void *ctx, unsigned line, const char *text)
{
	const struct import *const im = ctx;

	(void)fprintf(stderr, "%s:%u: %s\n", im->path, line, text);
}

static bool is_name_taken(const struct import *im, const char *name)
{
	for (size_t i = 0; i < im->n; i++) {
		if (strcmp(im->accounts[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A name that a section can have and no other one has; of the host, if it has none. */
static void name_it(const struct import *im, struct account *a)
{
	char front[ACCOUNT_NAME_MAX - 4];

	(void)snprintf(front, sizeof(front), "%.*s", (int)sizeof(front) - 1,
		       a->name[0] != '\0' ? a->name : a->host);
	for (char *p = front; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("#\"'={}()+,*/", *p) != NULL)
			*p = '-';
	}
	if (front[0] == '-' || front[0] == '\0')
		front[0] = 'x';
	(void)snprintf(a->name, sizeof(a->name), "%s", front);
	for (unsigned i = 2; is_name_taken(im, a->name); i++)
		(void)snprintf(a->name, sizeof(a->name), "%s-%u", front, i % 1000);
}

static bool is_mailbox_taken(const struct import *im, const struct account *a)
{
	char identity[ACCOUNT_IDENTITY_MAX + 1];
	char other[ACCOUNT_IDENTITY_MAX + 1];

	account_identity(a, identity);
	for (size_t i = 0; i < im->n; i++) {
		account_identity(&im->accounts[i], other);
		if (strcmp(identity, other) == 0)
			return true;
	}
	return false;
}

static int take_seen(struct import *im, enum foreign_program program,
		     const struct foreign_account *a)
{
	struct import_seen seen;
	struct err err;
	int r;

	if (im->state == NULL || a->seen_file[0] == '\0')
		return EX_OK;
	r = import_seen(im->state, program, a, &seen, &err);
	if (r == -ENOENT) {
		(void)fprintf(stderr, "%s:%u: nothing was fetched yet: no '%s'\n", im->path,
			      a->line, a->seen_file);
		return EX_OK;
	}
	if (r < 0)
		return restante_complain(EX_IOERR, "%s", err.text);
	im->seen += seen.imported + seen.known;
	if (seen.too_long > 0)
		(void)fprintf(stderr, "%s: %zu UIDLs that are too long left out\n", a->seen_file,
			      seen.too_long);
	return EX_OK;
}

static int take(struct import *im, enum foreign_program program, struct foreign_account *a)
{
	struct account *more;
	const char *wrong;
	char maildir[LIMIT_PATH];
	struct err err;

	if (is_mailbox_taken(im, &a->account)) {
		remark(im, a->line, "left out: that mailbox has an account already");
		return EX_OK;
	}
	if (im->n == FOREIGN_ACCOUNTS_MAX)
		return restante_complain(EX_DATAERR, "there are more than %d accounts",
					 FOREIGN_ACCOUNTS_MAX);
	name_it(im, &a->account);
	if (a->account.maildir[0] == '\0') {
		(void)snprintf(maildir, sizeof(maildir), "~/Mail/%s", a->account.name);
		if (!account_path("maildir", maildir, sizeof(a->account.maildir),
				  a->account.maildir, &err))
			return restante_complain(EX_CONFIG, "%s", err.text);
		(void)fprintf(stderr, "%s:%u: no Maildir is named: mail goes to '%s'\n", im->path,
			      a->line, a->account.maildir);
	}
	wrong = account_check(&a->account);
	if (wrong != NULL) {
		remark(im, a->line, wrong);
		return restante_complain(EX_CONFIG, "%s: an account can't be carried over",
					 im->path);
	}
	more = reallocarray(im->accounts, im->n + 1, sizeof(*more));
	if (more == NULL)
		return restante_complain(EX_OSERR, "no memory");
	im->accounts = more;
	im->accounts[im->n++] = a->account;
	return take_seen(im, program, a);
}

static int read_file(struct import *im, const struct restante *r, const char *name)
{
	enum foreign_program program = r->from != NULL ? foreign_program_of(r->from)
						       : FOREIGN_PROGRAMS;
	char path[PATH_MAX];
	struct foreign_config c = {.path = path, .remark = remark, .ctx = im};
	struct text_file file;
	struct err err;
	int status = EX_OK;

	im->path = name;
	if (r->from != NULL && program == FOREIGN_PROGRAMS)
		return restante_complain(EX_USAGE, "--from needs fetchmail, mpop, getmail or fdm");
	if (realpath(name, path) == NULL)
		return restante_complain(EX_NOINPUT, "cannot read '%s': %s", name, strerror(errno));
	if (text_file_read(path, FILE_MAX, &file, &err) < 0)
		return restante_complain(EX_NOINPUT, "%s", err.text);
	if (r->from == NULL)
		program = foreign_program_guess(span_of(file.text, file.n));
	if (program == FOREIGN_PROGRAMS)
		status = restante_complain(
			EX_DATAERR, "'%s' looks like no program's configuration: see --from", name);
	else if (foreign_config_parse(&c, program, span_of(file.text, file.n), &err) < 0)
		status = restante_complain(EX_DATAERR, "%s:%s", name, err.text);
	for (size_t i = 0; i < c.n && status == EX_OK; i++)
		status = take(im, program, &c.accounts[i]);
	secret_wipe(file.text, file.n);
	free(file.text);
	foreign_config_done(&c);
	return status;
}

static void print(const struct import *im)
{
	for (size_t i = 0; i < im->n; i++)
		account_write(stdout, &im->accounts[i]);
}

static int write_it(const struct import *im, const struct restante *r, const char *path)
{
	bool secret = false;
	struct err err;
	const int e = account_file_write(path, im->accounts, im->n, r->force, &err);

	if (e == -EEXIST)
		return restante_complain(
			EX_CANTCREAT,
			"'%s' is there already: --force replaces it, --print shows "
			"what it would be",
			path);
	if (e < 0)
		return restante_complain(EX_CANTCREAT, "%s", err.text);
	(void)printf("%s: %zu accounts, %zu messages that were fetched already\n", path, im->n,
		     im->seen);
	for (size_t i = 0; i < im->n; i++)
		secret = secret || im->accounts[i].password[0] != '\0';
	if (secret)
		(void)printf("It has passwords in it, and nobody but you can read it.\n");
	(void)printf("Next: restante fetch --dry-run\n");
	return restante_printed();
}

int restante_import(struct restante *r)
{
	struct import im = {.n = 0};
	char path[PATH_MAX];
	char state_file[PATH_MAX];
	struct err err;
	int status = restante_config_file(r, path, sizeof(path));

	if (r->names[0] == NULL)
		return restante_complain(EX_USAGE, "whose configuration? Name its file");
	if (status == EX_OK && !r->print && !r->force && access(path, F_OK) == 0)
		return restante_complain(
			EX_CANTCREAT,
			"'%s' is there already: --force replaces it, --print shows "
			"what it would be",
			path);
	if (status == EX_OK && !r->print) {
		status = restante_state_file(r, state_file, sizeof(state_file));
		if (status == EX_OK && state_open(state_file, &im.state, &err) < 0)
			status = restante_complain(EX_IOERR, "%s", err.text);
	}
	for (char **name = r->names; *name != NULL && status == EX_OK; name++)
		status = read_file(&im, r, *name);
	if (status == EX_OK && im.n == 0)
		status = restante_complain(EX_DATAERR, "there is no account to carry over");
	if (status == EX_OK && r->print)
		print(&im);
	if (status == EX_OK)
		status = r->print ? restante_printed() : write_it(&im, r, path);
	if (im.accounts != NULL)
		secret_wipe(im.accounts, im.n * sizeof(*im.accounts));
	free(im.accounts);
	state_close(im.state);
	return status;
}
