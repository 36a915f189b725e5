/* SPDX-License-Identifier: MIT */
#include "client/destination.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/destination_priv.h"

static const struct destination_driver *const drivers[] = {
	[ACCOUNT_TO_MAILDIR] = &destination_maildir, [ACCOUNT_TO_MBOX] = &destination_mbox,
	[ACCOUNT_TO_COMMAND] = &destination_command, [ACCOUNT_TO_LMTP] = &destination_lmtp,
	[ACCOUNT_TO_SMTP] = &destination_smtp,       [ACCOUNT_TO_IMAP] = &destination_imap,
};

void destination_name(const struct account *a, char ret_name[static DESTINATION_NAME_MAX])
{
	const enum account_destination to = account_destination(a);
	const char *const value = account_destination_value(a, to);
	int n;

	if (to == ACCOUNT_TO_MAILDIR)
		n = snprintf(ret_name, DESTINATION_NAME_MAX, "%s", value);
	else
		n = snprintf(ret_name, DESTINATION_NAME_MAX, "%s:%s",
			     account_destination_option(to), value);
	assert(n > 0 && n < DESTINATION_NAME_MAX);
}

int destination_open(const struct destination_options *o, struct destination **ret_destination,
		     struct err *err)
{
	struct destination *const d = calloc(1, sizeof(*d));
	int r;

	if (d == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	d->driver = drivers[account_destination(o->account)];
	d->options = *o;
	r = d->driver->open(d, err);
	if (r < 0) {
		destination_close(d);
		return r;
	}
	*ret_destination = d;
	return 0;
}

void destination_close(struct destination *d)
{
	if (d == NULL)
		return;
	d->driver->close(d);
	free(d);
}

int destination_scan(struct destination *d, struct err *err)
{
	return d->driver->scan == NULL ? 0 : d->driver->scan(d, err);
}

bool destination_has(const struct destination *d, const struct message_key *key,
		     uint64_t *ret_bytes)
{
	return d->driver->has != NULL && d->driver->has(d, key, ret_bytes);
}

int destination_header(struct destination *d, const struct message_key *key,
		       struct header_digest *ret_digest, struct err *err)
{
	return d->driver->header == NULL ? err_sys(err, ENOENT, "cannot read a message")
					 : d->driver->header(d, key, ret_digest, err);
}

int destination_sync(struct destination *d, struct err *err)
{
	return d->driver->sync == NULL ? 0 : d->driver->sync(d, err);
}

int destination_begin(struct destination *d, struct incoming *in, struct err *err)
{
	return d->driver->begin != NULL ? d->driver->begin(d, in, err)
					: spool_begin(&d->spool, in, d->options.state_file, err);
}

int destination_write(struct destination *d, struct incoming *in, struct span s, struct err *err)
{
	return d->driver->write != NULL ? d->driver->write(d, in, s, err)
					: spool_write(&d->spool, in, s, err);
}

int destination_finish(struct destination *d, struct incoming *in, struct err *err)
{
	return d->driver->finish != NULL ? d->driver->finish(d, in, err)
					 : spool_finish(&d->spool, in, err);
}

void destination_abort(struct destination *d, struct incoming *in)
{
	if (d->driver->abort != NULL)
		d->driver->abort(d, in);
	else
		spool_abort(&d->spool, in);
}

size_t destination_together(const struct destination *d)
{
	return d->driver->together;
}

int destination_place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	assert(n <= d->driver->together);
	return d->driver->place(d, in, n, err);
}

void destination_settle(struct destination *d)
{
	if (d->driver->settle != NULL)
		d->driver->settle(d);
}
