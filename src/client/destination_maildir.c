/* SPDX-License-Identifier: MIT */
/*
 * A Maildir as a destination: maildir_target.h does it all.
 */
#include "client/destination_priv.h"

#include "client/maildir_target.h"

/* So many names in new/ are synced at once. */
#define TOGETHER 100

static int open_maildir(struct destination *d, struct err *err)
{
	struct maildir_target *t = NULL;
	const int r = maildir_target_open(d->options.account->maildir, d->options.identity,
					  d->options.look_only, &t, err);

	d->own = t;
	return r;
}

static void close_maildir(struct destination *d)
{
	maildir_target_close(d->own);
}

static int scan(struct destination *d, struct err *err)
{
	return maildir_target_scan(d->own, err);
}

static bool has(const struct destination *d, const struct message_key *key, uint64_t *ret_bytes)
{
	return maildir_target_has(d->own, key, ret_bytes);
}

static int header(struct destination *d, const struct message_key *key,
		  struct header_digest *ret_digest, struct err *err)
{
	return maildir_target_header(d->own, key, ret_digest, err);
}

static int sync_folders(struct destination *d, struct err *err)
{
	return maildir_target_sync(d->own, err);
}

static int begin(struct destination *d, struct incoming *in, struct err *err)
{
	return incoming_begin(d->own, in, err);
}

static int write_more(struct destination *d, struct incoming *in, struct span s, struct err *err)
{
	return incoming_write(d->own, in, s, err);
}

static int finish(struct destination *d, struct incoming *in, struct err *err)
{
	return incoming_finish(d->own, in, err);
}

static void abort_one(struct destination *d, struct incoming *in)
{
	incoming_abort(d->own, in);
}

static int place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	return maildir_target_place(d->own, in, n, err);
}

const struct destination_driver destination_maildir = {
	.together = TOGETHER,
	.open = open_maildir,
	.close = close_maildir,
	.scan = scan,
	.has = has,
	.header = header,
	.sync = sync_folders,
	.begin = begin,
	.write = write_more,
	.finish = finish,
	.abort = abort_one,
	.place = place,
};
