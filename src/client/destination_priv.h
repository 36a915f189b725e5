/* SPDX-License-Identifier: MIT */
/*
 * destination_priv.h - what makes a driver: a row of functions, in destination.h's words.
 * What is NULL is done by destination.c: there is nothing to look for, nothing to settle,
 * and a message that comes is spooled (spool.h), to be placed from there.
 */
#pragma once

#include "client/destination.h"
#include "client/spool.h"

struct destination_driver {
	size_t together; /* messages that are placed at a time */
	int (*open)(struct destination *d, struct err *err);
	void (*close)(struct destination *d); /* also after a failed open */
	int (*scan)(struct destination *d, struct err *err);
	bool (*has)(const struct destination *d, const struct message_key *key,
		    uint64_t *ret_bytes);
	int (*header)(struct destination *d, const struct message_key *key,
		      struct header_digest *ret_digest, struct err *err);
	int (*sync)(struct destination *d, struct err *err);
	int (*begin)(struct destination *d, struct incoming *in, struct err *err);
	int (*write)(struct destination *d, struct incoming *in, struct span s, struct err *err);
	int (*finish)(struct destination *d, struct incoming *in, struct err *err);
	void (*abort)(struct destination *d, struct incoming *in);
	int (*place)(struct destination *d, struct incoming *in, size_t n, struct err *err);
	void (*settle)(struct destination *d);
};

struct destination {
	const struct destination_driver *driver;
	struct destination_options options;
	struct spool spool;
	void *own; /* the driver's */
};

extern const struct destination_driver destination_maildir;
extern const struct destination_driver destination_mbox;
extern const struct destination_driver destination_command;
extern const struct destination_driver destination_lmtp;
extern const struct destination_driver destination_smtp;
extern const struct destination_driver destination_imap;
