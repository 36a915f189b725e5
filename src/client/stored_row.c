/* SPDX-License-Identifier: MIT */
#include "client/stored_row.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "base/num.h"

struct finding {
	struct stored_mail *files;
	struct err *err;
	int64_t stored_at;
	bool found;
	int fd; /* negative errno: the file isn't there */
};

static int on_row(void *ctx, const struct state_row *row)
{
	struct finding *const f = ctx;

	f->found = true;
	f->stored_at = row->stored_at;
	f->fd = stored_mail_open(f->files, row->maildir, &row->key, f->err);
	return f->fd < 0 && f->fd != -ENOENT ? f->fd : 0;
}

int stored_row_open(struct state *state, struct stored_mail *files, const char *text, int *ret_fd,
		    int64_t *ret_stored_at)
{
	struct err err;
	struct finding f = {.files = files, .err = &err, .fd = -ENOENT};
	uint64_t id;

	if (!num_parse_u64((struct span){text, strlen(text)}, INT64_MAX, &id))
		return restante_complain(EX_USAGE,
					 "'%s' is no number of a message: see restante list", text);
	if (state != NULL && state_row(state, (int64_t)id, on_row, &f, &err) < 0)
		return restante_complain(EX_IOERR, "%s", err.text);
	if (!f.found)
		return restante_complain(EX_NOINPUT, "there is no message %s: see restante list",
					 text);
	if (f.fd < 0)
		return restante_complain(EX_NOINPUT,
					 "message %s isn't where it was stored any more", text);
	*ret_fd = f.fd;
	*ret_stored_at = f.stored_at;
	return EX_OK;
}
