/* SPDX-License-Identifier: MIT */
/*
 * view_list.h - a list of messages that were deleted in one sense or another and are
 * still kept: hidden, moved to the trash, or had by one device. doc/maildir.md draws it.
 *
 *	| head | batch | batch | ...
 *
 * What one QUIT adds is one batch, which ends with a checksum: it is on the list, or
 * nothing of it is. A list only grows, until it is replaced by a shorter one.
 *
 * Octets in memory, no I/O. What is read was perhaps cut short by a crash.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* More than 2^20 entries take. A longer file is not ours. */
#define VIEW_LIST_BYTES_MAX ((size_t)1 << 29)
#define VIEW_LIST_HEAD 24

/* Longest name of a folder, without the dot that Maildir++ puts before it. */
#define VIEW_FOLDER_MAX 63

enum view_kind {
	VIEW_HAD = 1, /* this device has deleted it */
	VIEW_HIDDEN,  /* it stays where it is, and is in nobody's list */
	VIEW_TRASHED, /* it goes to the trash folder */
	VIEW_MOVED,   /* no message: all VIEW_TRASHED that stand before this are there */
};

/* Of a message: folder is "" for INBOX; the UIDL is the one that it has in its folder. */
struct view_entry {
	enum view_kind kind;
	uint64_t seconds; /* when, of the wall clock */
	struct span folder;
	struct span uidl; /* empty for VIEW_MOVED only */
	struct span key;  /* VIEW_TRASHED: its UIDL in the trash; else empty */
};

/* An empty list, into an empty buf. The generation tells it from any other. 0 or -ENOMEM. */
int view_list_new(struct buf *out);

/*
 * A batch: begin, put entries, seal. All of it is appended to out, which holds nothing
 * else, or the list that it will be part of. 0, -ENOMEM or -ENOBUFS.
 */
struct view_batch {
	struct buf *out; /* Borrowed */
	size_t at;
	uint32_t count;
};

int view_batch_begin(struct view_batch *b, struct buf *out);
int view_batch_put(struct view_batch *b, const struct view_entry *e);

/* list: the head of the list that it becomes part of. */
int view_batch_seal(struct view_batch *b, struct span list);

/* How many octets of a file are whole batches behind a head; 0: it is no list. */
size_t view_list_whole(struct span file);

/* Walks so many octets; entries borrow from them. */
struct view_reader {
	struct span rest;
	uint32_t left; /* in this batch */
};

struct view_reader view_list_entries(struct span whole);

/* False after the last entry. */
bool view_list_next(struct view_reader *r, struct view_entry *ret_entry);
