/* SPDX-License-Identifier: MIT */
/*
 * restante search - the messages that have all of the words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/mail_line.h"
#include "client/mail_match.h"
#include "client/restante.h"
#include "client/stored_mail.h"

struct search {
	struct mail_match *match;
	size_t columns;
	size_t found;
	struct stored_mail files;
	struct err *err;
};

static int on_row(void *ctx, const struct state_row *row)
{
	struct search *const s = ctx;
	const int fd = stored_mail_open(&s->files, row->maildir, &row->key, s->err);
	struct mail_summary summary;
	bool found;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = mail_match_file(s->match, fd, &found);
	if (r == 0 && found && lseek(fd, 0, SEEK_SET) == 0 &&
	    (r = mail_summary_read(fd, &summary)) == 0) {
		s->found++;
		mail_line_print(row, &summary, s->columns, true);
		mail_summary_done(&summary);
	}
	(void)close(fd);
	return r == 0 ? 0 : err_sys(s->err, -r, "cannot read a message in '%s'", row->maildir);
}

int restante_search(struct restante *r)
{
	struct err err;
	struct search s = {.columns = mail_line_columns(), .err = &err};
	struct state *state;
	int status;

	if (r->names[0] == NULL)
		return restante_complain(EX_USAGE, "for which words?");
	mail_summary_init();
	s.match = mail_match_new((const char *const *)r->names);
	status = restante_open_state(r, &state);
	if (status == EX_OK && state != NULL && state_each(state, NULL, on_row, &s, &err) < 0)
		status = restante_complain(EX_IOERR, "%s", err.text);
	mail_match_free(s.match);
	stored_mail_done(&s.files);
	state_close(state);
	if (status == EX_OK)
		status = restante_printed();
	/* As grep(1) tells a script. */
	return status == EX_OK && s.found == 0 ? 1 : status;
}
