/* SPDX-License-Identifier: MIT */
/*
 * uidl_list.h - UIDLs and order that an import gives to messages: data, which nothing else
 * knows, and not a cache. doc/maildir.md draws it.
 *
 *	restante-uidl 1
 *	UIDL name
 *	...
 *	end COUNT
 *
 * Octets in memory, no I/O. A file that isn't whole would let UIDLs change, and every
 * client of that user download everything again; so it is all or nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* More than 2^20 messages with the longest names take. A longer file is not ours. */
#define UIDL_LIST_BYTES_MAX ((size_t)1 << 29)

struct uidl_list {
	struct span rest;
	uint32_t left;
};

/* True when file is a whole list: every entry can then be read. */
bool uidl_list_open(struct uidl_list *l, struct span file);

/*
 * In the order of the messages. *ret_uidl is one that RFC 1939 allows; *ret_name could be a
 * file's (journal_name_valid()). Both borrow from the file. False after the last.
 */
bool uidl_list_next(struct uidl_list *l, struct span *ret_uidl, struct span *ret_name);

/*
 * Writes one: begin, each line in the order of the messages, end. 0, -ENOMEM or -ENOBUFS.
 * What is put is as uidl_list_next() gives it.
 */
int uidl_list_begin(struct buf *b);
int uidl_list_put(struct buf *b, struct span uidl, struct span name);
int uidl_list_end(struct buf *b, uint32_t count);
