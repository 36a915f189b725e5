/* SPDX-License-Identifier: MIT */
/*
 * import_listing.h - the messages of one mailbox at an old server, in its order and under
 * the UIDLs that it tells its clients.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* More messages than that are no mailbox but a mistake. As many as an index can hold. */
#define IMPORT_MESSAGES_MAX ((size_t)1 << 20)
#define IMPORT_TEXT_MAX ((size_t)1 << 29)
#define IMPORT_FLAGS_MAX 7

struct import_message {
	size_t uidl_at; /* in text; see import_uidl() */
	uint32_t uidl_n;
	uint32_t name_n;
	size_t name_at;
	uint64_t arrived; /* seconds since 1970; 0: not known */
	uint64_t order;   /* the source's own, to sort by */
	uint64_t at;      /* the source's own: where it begins, or its number there */
	uint64_t bytes;   /* and how long it is there */
	char flags[IMPORT_FLAGS_MAX + 1]; /* of Maildir, sorted; "": none */
	uint8_t where;                    /* the source's own */
};

/* Zeroed by import_listing_done(). */
struct import_listing {
	struct import_message *v; /* Owned */
	size_t n;
	size_t _cap;
	struct buf _text;
};

void import_listing_init(struct import_listing *l);
void import_listing_done(struct import_listing *l);

/*
 * Adds m behind the others, with a name, or an empty one, that says which file it is at the
 * source. 0; -EOVERFLOW, -ENOMEM or -ENOBUFS.
 */
int import_listing_add(struct import_listing *l, const struct import_message *m, struct span name);

/* What clients know message i by; without this they know it by nothing yet. The same errors. */
int import_listing_set_uidl(struct import_listing *l, size_t i, struct span uidl);

/* Empty when there is none. Both live until something is added. */
struct span import_uidl(const struct import_listing *l, const struct import_message *m);
struct span import_name(const struct import_listing *l, const struct import_message *m);

/* By order, and of those that have the same, by name. */
void import_listing_sort(struct import_listing *l);

/* Keeps of flags what all Maildir programs mean the same by, sorted. */
void import_flags(struct span flags, char ret_flags[static IMPORT_FLAGS_MAX + 1]);
