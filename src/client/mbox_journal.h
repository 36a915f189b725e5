/* SPDX-License-Identifier: MIT */
/*
 * mbox_journal.h - what is about to be appended to an mbox: where, and which messages, and
 * every octet of it. It is on disk before the first octet is appended, so that whoever
 * comes after a crash can tell what is in the file of it: all, nothing, or a part, which
 * is then cut off again.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "client/message_key.h"

#define MBOX_JOURNAL_MESSAGES 100

struct mbox_journal_message {
	struct message_key key;
	struct header_digest header;
	uint64_t bytes; /* as it came */
};

/* As it stands in the file, in front of the text. */
struct mbox_journal_head {
	char magic[8];
	uint64_t offset; /* in the mbox */
	uint64_t length; /* of the text */
	uint64_t n;
	char path[LIMIT_PATH]; /* of the mbox */
	struct mbox_journal_message messages[MBOX_JOURNAL_MESSAGES];
};

struct mbox_journal {
	char path[PATH_MAX];
	char draft[PATH_MAX]; /* until it is complete */
	struct mbox_journal_head head;
	int _fd; /* Owned, + 1 */
};

/* Beside the state, a file for each account. -ENAMETOOLONG, -ENOMEM. */
int mbox_journal_init(struct mbox_journal *j, const char *state_file, const char *identity,
		      struct err *err);
void mbox_journal_close(struct mbox_journal *j);

/* Begins an empty one. Text is added to it, and head.messages are the caller's to fill. */
int mbox_journal_begin(struct mbox_journal *j, struct err *err);
int mbox_journal_add(struct mbox_journal *j, struct span text, struct err *err);

/* head.offset and head.path are set: it counts from here on, whatever happens. */
int mbox_journal_commit(struct mbox_journal *j, struct err *err);

/* Reads one that was left. False: there is none, or none that counts. */
bool mbox_journal_read(struct mbox_journal *j);

/* Appends the text to the file, at head.offset. */
int mbox_journal_append(struct mbox_journal *j, int fd);

/* How many octets of the text stand in the file, at head.offset. Negative errno. */
int mbox_journal_compare(struct mbox_journal *j, int fd, uint64_t *ret_same);

/* It doesn't count any more. */
void mbox_journal_forget(struct mbox_journal *j);
