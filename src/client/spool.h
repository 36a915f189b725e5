/* SPDX-License-Identifier: MIT */
/*
 * spool.h - a message that comes is kept in a file without a name until all of it is
 * there. Nothing is left of it when the process ends, however that happens.
 */
#pragma once

#include "client/incoming.h"

#define SPOOL_BUFFER 65536

/* Zero it. */
struct spool {
	size_t buffered;
	int writing;               /* the _fd of the message that is being written; 0: none */
	char buffer[SPOOL_BUFFER]; /* of the message that is being written */
};

/* The file is made in the folder that near, a file, is in: mail is private there. */
int spool_begin(struct spool *s, struct incoming *in, const char *near, struct err *err);
int spool_write(struct spool *s, struct incoming *in, struct span octets, struct err *err);
int spool_finish(struct spool *s, struct incoming *in, struct err *err);
void spool_abort(struct spool *s, struct incoming *in);

/*
 * A descriptor of a finished message, from its beginning, that can only be read; the
 * caller closes it. Negative errno.
 */
int spool_open(const struct incoming *in);

/* Up to cap octets from the beginning of a finished message: how many, or negative errno. */
ssize_t spool_head(const struct incoming *in, char *ret_head, size_t cap);
