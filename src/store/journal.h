/* SPDX-License-Identifier: MIT */
/*
 * journal.h - the list of messages that a QUIT deletes, as it stands on disk
 * between the decision and the last unlink. doc/maildir.md draws it.
 *
 * Octets in memory, no I/O. What is read was perhaps cut short by a crash or
 * damaged: the checksum over all of it says whether it is a decision at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* More than 2^20 messages with the longest names take. A longer file is not ours. */
#define JOURNAL_BYTES_MAX ((size_t)1 << 29)

struct journal_entry {
	uint8_t in_cur;   /* 1: in cur/, 0: in new/ */
	uint64_t inode;   /* to know the file again when another program has renamed it */
	struct span name; /* 1 to 255 octets, without '/' or NUL, no dot in front */
};

/* Zero it, add entries, seal it, and write buf out; journal_done() frees it. */
struct journal {
	struct buf buf; /* after journal_seal(): the file's content */
	uint32_t count;
};

void journal_init(struct journal *j);
void journal_done(struct journal *j);

/* 0, -ENOMEM or -ENOBUFS. */
int journal_put(struct journal *j, const struct journal_entry *e);
int journal_seal(struct journal *j);

/* Walks a file's content; entries borrow from it. */
struct journal_reader {
	struct span rest;
	uint32_t left;
};

/* True when file is a whole journal: every entry can then be read. */
bool journal_open(struct journal_reader *r, struct span file);

/* The entries of one that is being made; it may not grow meanwhile. */
struct journal_reader journal_entries(const struct journal *j);

/* False after the last entry. */
bool journal_next(struct journal_reader *r, struct journal_entry *ret_entry);

/* May it stand in a journal or an index as the name of a message? */
bool journal_name_valid(struct span name);
