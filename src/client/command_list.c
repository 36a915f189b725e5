/* SPDX-License-Identifier: MIT */
/*
 * restante list - a line for each message that was fetched and is still there.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "client/display.h"
#include "client/mail_summary.h"
#include "client/restante.h"
#include "client/state.h"
#include "client/stored_mail.h"

#define FROM_COLUMNS 24
#define ACCOUNT_COLUMNS 12

struct list {
	bool with_account;
	size_t columns; /* of the terminal; DISPLAY_ALL: there is none */
	struct stored_mail files;
	struct err *err;
};

static size_t columns_of_output(void)
{
	struct winsize size;

	if (isatty(STDOUT_FILENO) != 1)
		return DISPLAY_ALL;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* When it was written, or else when it was stored; local time. */
static void format_date(int64_t written, int64_t stored, char *ret_text, size_t cap)
{
	const time_t t = (time_t)(written > 0 ? written : stored);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(ret_text, cap, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(ret_text, cap, "%-16s", "?");
}

static void print_mail(const struct list *l, const struct state_row *row,
		       const struct mail_summary *mail)
{
	char id[24];
	char date[64];
	const size_t from_columns = l->columns / 4 < FROM_COLUMNS ? l->columns / 4
								  : (size_t)FROM_COLUMNS;
	size_t left = l->columns;
	char *const account = display_text(l->with_account ? row->account : "", ACCOUNT_COLUMNS,
					   true);
	char *const from = display_text(mail->from, from_columns, true);

	(void)snprintf(id, sizeof(id), "%6lld", (long long)row->id);
	format_date(mail->date, row->stored_at, date, sizeof(date));
	if (left != DISPLAY_ALL) {
		const size_t taken = strlen(id) + 2 + strlen(date) + 2 + from_columns + 2 +
				     (l->with_account ? ACCOUNT_COLUMNS + 2 : 0);

		left = left > taken ? left - taken : 1;
	}

	char *const subject = display_text(mail->subject, left, false);

	(void)printf("%s  %s%s%s  %s  %s\n", id, l->with_account ? account : "",
		     l->with_account ? "  " : "", date, from, subject);
	free(account);
	free(from);
	free(subject);
}

static int on_row(void *ctx, const struct state_row *row)
{
	struct list *const l = ctx;
	struct mail_summary mail;
	const int fd = stored_mail_open(&l->files, row->maildir, &row->key, l->err);
	int r;

	/* Deleted or filed away since: not for us to know. */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = mail_summary_read(fd, &mail);
	(void)close(fd);
	if (r < 0)
		return err_sys(l->err, -r, "cannot read a message in '%s'", row->maildir);
	print_mail(l, row, &mail);
	mail_summary_done(&mail);
	return 0;
}

static int list_accounts(const struct restante *r, struct state *state, struct list *l)
{
	int e = 0;

	for (char **name = r->names; *name != NULL; name++) {
		bool has;

		e = state_has_account(state, *name, &has, l->err);
		if (e < 0)
			return restante_complain(EX_IOERR, "%s", l->err->text);
		if (!has && client_config_find(&r->config, *name) == NULL)
			return restante_complain(EX_NOUSER, "there is no account '%s'", *name);
	}
	if (r->names[0] == NULL)
		e = state_each(state, NULL, on_row, l, l->err);
	for (char **name = r->names; *name != NULL && e == 0; name++)
		e = state_each(state, *name, on_row, l, l->err);
	return e < 0 ? restante_complain(EX_IOERR, "%s", l->err->text) : restante_printed();
}

int restante_list(struct restante *r)
{
	char path[PATH_MAX];
	struct err err;
	struct list l = {.columns = columns_of_output(), .err = &err};
	struct state *state;
	int status = restante_load(r);

	if (status == EX_OK)
		status = restante_state_file(r, path, sizeof(path));
	if (status != EX_OK)
		return status;
	/* Nothing was fetched yet: no file is made to say so. */
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return EX_OK;
	if (state_open(path, &state, &err) < 0)
		return restante_complain(EX_IOERR, "%s", err.text);
	l.with_account = r->names[0] == NULL || r->names[1] != NULL;
	mail_summary_init();
	status = list_accounts(r, state, &l);
	stored_mail_done(&l.files);
	state_close(state);
	return status;
}
