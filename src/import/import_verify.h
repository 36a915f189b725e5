/* SPDX-License-Identifier: MIT */
/*
 * import_verify.h - would a client notice that one server has taken another one's place?
 * Two listings of one user's mail, compared: which messages, in which order, how long.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "import/import_listing.h"

enum import_difference {
	IMPORT_MISSING, /* at the old server only: the mail isn't here */
	IMPORT_EXTRA,   /* at the new one only: clients will fetch it */
	IMPORT_ORDER,   /* it stands in front of one that it stood behind */
	IMPORT_SIZE,    /* LIST says another number of octets */
	IMPORT_DIFFERENCES
};

/* The same words everywhere: "missing", "extra", "order", "size". */
const char *import_difference_word(enum import_difference d);

struct import_comparison {
	size_t old_count;
	size_t new_count;
	size_t differences[IMPORT_DIFFERENCES];
};

/* old and new may be NULL: it isn't there. They live for the call. */
typedef void import_difference_seen(void *ctx, enum import_difference what, struct span uidl,
				    const struct import_message *old,
				    const struct import_message *now);

/* Tells each difference, in the old server's order and then the extra ones. 0 or -ENOMEM. */
int import_compare(const struct import_listing *old, const struct import_listing *now,
		   import_difference_seen *seen, void *ctx, struct import_comparison *ret,
		   struct err *err);
