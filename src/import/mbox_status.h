/* SPDX-License-Identifier: MIT */
/*
 * mbox_status.h - what mail readers have written of a message into its own header: the fields
 * Status and X-Status.
 *
 *	Status: RO		read; and it was there when a mailbox was closed ("old")
 *	X-Status: AF		answered, flagged; also D, deleted, and T, a draft
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"
#include "import/import_listing.h"

/* Zero it for each message. */
struct mbox_flags {
	bool seen;
	bool old;
	bool deleted;
	bool flagged;
	bool answered;
	bool draft;
};

/* Takes a line of the header. False: it is neither of the two. */
bool mbox_flags_take(struct mbox_flags *f, struct span line);

/* The same as Maildir's. */
void mbox_flags_maildir(const struct mbox_flags *f, char ret[static IMPORT_FLAGS_MAX + 1]);
