/* SPDX-License-Identifier: MIT */
/*
 * import_mbox.h - a mail spool, one file of mails in a row, as a source. Where a message
 * begins, which its UIDL is and what of it is sent is what the old server's flavour knows.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/out.h"
#include "import/import_source.h"
#include "import/mbox_reader.h"
#include "import/mbox_status.h"

#define MBOX_UIDL_MAX 1024

/* A message's where, of those that send a Status. */
#define MBOX_SEEN 1
#define MBOX_OLD 2

struct mbox_flavour {
	struct mbox_rule rule;
	/* Its own memory of the file that is read; NULL from new(): there is none. */
	void *(*new)(void);
	void (*free)(void *memory); /* NULL is fine */
	/* A message begins; of its header, one line after the other, or a piece of one. */
	void (*begin)(void *memory);
	void (*header)(void *memory, const struct mbox_event *e);
	/*
	 * It has ended. Appends the UIDL that clients know it by; nothing: they know it by none.
	 * m may be given what finish() wants to know. False: clients aren't shown this one.
	 */
	bool (*end)(void *memory, const struct mbox_flags *flags, struct import_message *m,
		    struct out *uidl);
	/* When all are listed. NULL: nothing is left to do. 0, -ENOMEM or -ENOBUFS. */
	int (*finish)(void *memory, struct import_listing *l);
	/* This field is the server's own, and not sent. NULL: all are. */
	bool (*hides)(struct span line);
	bool sends_status; /* but a Status field at the header's end, of what is known then */
};

int import_mbox_open(const struct import_place *place, const struct mbox_flavour *flavour,
		     struct import_source **ret_source, struct err *err);
