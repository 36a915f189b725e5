/* SPDX-License-Identifier: MIT */
/*
 * destination.h - where fetched messages go: a Maildir, an mbox, a program, another
 * server. Each is a driver with the same promises:
 *
 * A message is written somewhere where nobody sees it, and handed over when it is whole.
 * destination_place() returns 0 when it is there for good, or when who has taken it has
 * said so. Then it is remembered, and may be deleted on the server; not before.
 *
 * Where a destination can tell what it has got (Maildir, mbox), a session that dies
 * between the two leaves a message that the next one finds, by destination_has(). The
 * others can't, and get it again: doc/exactly-once.md.
 *
 * One session of an account at a time (state_lock()). Calls block. A negative errno
 * comes with *err.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/account.h"
#include "client/incoming.h"
#include "client/message_key.h"

struct destination;

/* All borrowed, until it is closed. */
struct destination_options {
	const struct account *account;
	const char *identity;
	const char *password;   /* for deliver_user */
	const char *state_file; /* what must be remembered of a message on its way is beside it */
	bool look_only;         /* nothing is made or changed */
	int stop_fd;
	/* Whether the state knows a message with that key, for what an earlier session left. */
	int (*is_remembered)(void *ctx, const struct message_key *key, bool *ret_is,
			     struct err *err);
	void *ctx;
};

/* What an earlier session of this account has left half done is finished, or undone. */
int destination_open(const struct destination_options *o, struct destination **ret_destination,
		     struct err *err);
void destination_close(struct destination *d);

/*
 * What the messages' place is called in the state: a Maildir by its path, as ever; others
 * by their option and what it says, "mbox:/home/alice/mbox".
 */
#define DESTINATION_NAME_MAX (LIMIT_PATH + 32)
void destination_name(const struct account *a, char ret_name[static DESTINATION_NAME_MAX]);

/* Looks what is there. Maildirs only; others know what they have when they are opened. */
int destination_scan(struct destination *d, struct err *err);

/* As the last scan saw it. *ret_bytes is its length; UINT64_MAX: nobody knows. */
bool destination_has(const struct destination *d, const struct message_key *key,
		     uint64_t *ret_bytes);

/* The digest of that message's header. -ENOENT when it is gone. */
int destination_header(struct destination *d, const struct message_key *key,
		       struct header_digest *ret_digest, struct err *err);

/* Before anybody relies on what destination_has() said. */
int destination_sync(struct destination *d, struct err *err);

/* One message at a time is written to: begin, write as often as needed, finish. */
int destination_begin(struct destination *d, struct incoming *in, struct err *err);
int destination_write(struct destination *d, struct incoming *in, struct span s, struct err *err);
int destination_finish(struct destination *d, struct incoming *in, struct err *err);

/* Ends it at any time. */
void destination_abort(struct destination *d, struct incoming *in);

/* How many finished messages can be placed together. */
size_t destination_together(const struct destination *d);

/*
 * 0: all n are there. Where one is placed at a time, also:
 *
 *	-EAGAIN      not this one, not now
 *	-EBADMSG     not this one; whoever should take it says that this won't pass
 *	-EHOSTDOWN   nobody there to take it
 *	-ECANCELED   stop_fd
 *
 * After any other failure some may be there, as the next session will see where that can be
 * seen.
 */
int destination_place(struct destination *d, struct incoming *in, size_t n, struct err *err);

/* All that was placed is remembered now. */
void destination_settle(struct destination *d);
