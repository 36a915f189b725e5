/* SPDX-License-Identifier: MIT */
/*
 * maildir_incoming.h - a file on its way into a maildrop: made without a name where
 * the file system can do that, given one in new/ when it is whole and synced.
 *
 * All calls are made with the rights of the maildrop's owner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/header_growth.h"
#include "store/maildir/maildir_priv.h"

struct incoming {
	int root_fd; /* of the maildrop. Owned */
	int new_fd;  /* where it will be. Owned */
	int tmp_fd;  /* tmp/, if it has a name there, else -1. Owned */
	int fd;      /* Owned */
	char tmp_name[MAILDIR_NAME_MAX + 1];
	bool measured; /* growth is that of the file, which isn't written to any more */
	struct header_growth growth;
};

#define INCOMING_NONE                                               \
	{                                                           \
		.root_fd = -1, .new_fd = -1, .tmp_fd = -1, .fd = -1 \
	}

int incoming_open(struct maildir_store *s, const char *path, struct incoming *in, struct err *err);

/* Removes the name in tmp/ too. */
void incoming_close(struct incoming *in);

/* Somewhere in a maildrop. */
struct incoming_place {
	const struct store_owner *owner;
	int root_fd;
	int new_fd;
	uint64_t octets; /* for the name */
	uint64_t dot_lines;
};

/* What incoming_link() says when a file can't be linked to there, and nothing was done. */
static inline bool incoming_no_link(int r)
{
	return r == -EXDEV || r == -EPERM || r == -EMLINK || r == -EOPNOTSUPP || r == -ENOSYS;
}

/*
 * Gives the file, which is synced, a name in new/, and the index a record of it if
 * that can be done (maildir_note.c). It is durable when new_fd is synced. Or
 * STORE_OVER_QUOTA.
 */
int incoming_link(struct maildir_store *s, struct incoming *in, const struct incoming_place *to,
		  char ret_name[static MAILDIR_NAME_MAX + 1], struct err *err);

/* A name that is given: stem, sizes, and unless flags is NULL an info. */
struct incoming_name {
	struct span stem;
	uint64_t octets;
	uint64_t dot_lines;
	const char *flags;
};

/* Gives the file that name in a directory of this maildrop: 0, -ENAMETOOLONG, -EEXIST … */
int incoming_link_as(struct incoming *in, int dir_fd, const struct incoming_name *name);
