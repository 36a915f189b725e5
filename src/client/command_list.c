/* SPDX-License-Identifier: MIT */
/*
 * restante list - a line for each message that was fetched and is still there.
 */
#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/mail_line.h"
#include "client/mail_summary.h"
#include "client/restante.h"
#include "client/state.h"
#include "client/stored_mail.h"

struct list {
	bool with_account;
	size_t columns; /* of the terminal; DISPLAY_ALL: there is none */
	struct stored_mail files;
	struct err *err;
};

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
	mail_line_print(row, &mail, l->columns, l->with_account);
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
	struct err err;
	struct list l = {.columns = mail_line_columns(), .err = &err};
	struct state *state;
	int status = restante_open_state(r, &state);

	if (status != EX_OK || state == NULL)
		return status;
	l.with_account = r->names[0] == NULL || r->names[1] != NULL;
	mail_summary_init();
	status = list_accounts(r, state, &l);
	stored_mail_done(&l.files);
	state_close(state);
	return status;
}
