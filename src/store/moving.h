/* SPDX-License-Identifier: MIT */
/*
 * moving.h - mail that moves into a maildrop from an old server: which of its messages
 * are here, and the others, each under the UIDL and in the place that its clients know.
 *
 * Life: moving_begin() (no session can be open meanwhile), moving_plan(), then for each
 * message that is MOVING_MISSING moving_fd() and moving_arrive(), then moving_commit().
 * Whoever is killed in between begins anew: what has arrived is MOVING_HERE then, what
 * hasn't is MOVING_MISSING, and no UIDL or place has changed. One thread; all of it
 * blocks on the disk.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "store/store.h"

struct moving;

enum moving_state {
	MOVING_HERE,
	MOVING_MISSING,
	MOVING_DELETED, /* it was brought here once, and its owner has deleted it since */
};

#define MOVING_STEM_MAX 63

/* A message of the old server's. */
struct moving_message {
	struct span uidl; /* one that RFC 1939 allows, and no other's of this list. Borrowed */
	/*
	 * Its file's, in the maildrop if that is the old server's too, else as it is to be; empty:
	 * any. By it a message is known whose UIDL has changed, or that has had none. Borrowed.
	 */
	struct span name;
	uint64_t arrived; /* at the old server, in seconds since 1970 */
	uint8_t state;    /* out: enum moving_state */

	uint32_t _line;
	char _stem[MOVING_STEM_MAX + 1];
};

struct moving_counts {
	size_t here;
	size_t missing;
	size_t deleted;
	size_t gone; /* brought here once, still here, and not at the old server any more */
};

/*
 * Locks the maildrop as a session does (-EBUSY: there is one), and makes what is missing of
 * it. With dry_run nothing is made, written or deleted by any call, and a maildrop that
 * isn't there is an empty one. -EOPNOTSUPP: not with this driver.
 */
int moving_begin(struct store *s, const struct store_owner *owner, bool dry_run,
		 struct moving **ret_moving, struct err *err);

/* True when st is the maildrop's own directory: then messages are in it already. */
bool moving_is_place(const struct moving *m, uint64_t device, uint64_t inode);

struct moving_wish {
	bool in_place;    /* the messages are in their files, nothing comes */
	bool remove_gone; /* what was brought here, and the old server hasn't any more, is deleted
			   */
};

/*
 * Says what each message's state is, and writes UIDLs and order down, durably, before the
 * first one arrives. What else was brought here stays, in its place among them. v and what it
 * borrows must stay until moving_close().
 */
int moving_plan(struct moving *m, struct moving_message *v, size_t n,
		const struct moving_wish *wish, struct moving_counts *ret_counts, struct err *err);

/* An empty file for the next message. Borrowed; what was in it and hasn't arrived is dropped. */
int moving_fd(struct moving *m, int *ret_fd, struct err *err);

/* What is known of the file: lines with CRLF. */
struct moving_info {
	uint64_t octets;
	uint64_t dot_lines;
	uint64_t arrived; /* in seconds since 1970, for the file's time; 0: as was planned */
	char flags[8];    /* of Maildir, sorted: "FRS"; "": none, and no mail reader has seen it */
};

/* The file of moving_fd() is message i, and synced. */
int moving_arrive(struct moving *m, size_t i, const struct moving_info *info, struct err *err);

/* All that arrived is durable. */
int moving_commit(struct moving *m, struct err *err);

/* Frees the maildrop for others. NULL is fine. */
void moving_close(struct moving *m);
