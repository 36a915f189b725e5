/* SPDX-License-Identifier: MIT */
/*
 * maildir_target.h - puts fetched messages into a Maildir, each in a file whose name
 * has its key:
 *
 *	1700000000.M123456Q7.restante-0123456789abcdef0123456789abcdef,S=2048,W=2048
 *
 * A message is written into tmp/, and leaves it only when it is whole and on disk.
 * Octets are kept as they are: CRLF, NUL, bare CR and LF.
 *
 * The caller sees to it that one program at a time works for an account
 * (state_lock()); several accounts may share a Maildir. Calls block on the disk. A
 * negative errno comes with *err, which names the file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/incoming.h"
#include "client/message_key.h"

struct maildir_target;

/*
 * The Maildir is made when it isn't there, unless look_only. A folder that has other
 * files and none of tmp/, new/, cur/ isn't taken for one: -EEXIST. What an earlier
 * session of this account left in tmp/ is removed.
 */
int maildir_target_open(const char *path, const char *identity, bool look_only,
			struct maildir_target **ret_target, struct err *err);
void maildir_target_close(struct maildir_target *t);

/*
 * Looks which keys there are in new/ and cur/. Mail readers may move and rename files
 * meanwhile: it looks again until nothing has changed, or all that was ever seen counts.
 */
int maildir_target_scan(struct maildir_target *t, struct err *err);

/* As the last scan saw it. *ret_bytes is its length as its name says; UINT64_MAX: it doesn't. */
bool maildir_target_has(const struct maildir_target *t, const struct message_key *key,
			uint64_t *ret_bytes);

/* The digest of the header in the file with that key. -ENOENT when it is gone. */
int maildir_target_header(struct maildir_target *t, const struct message_key *key,
			  struct header_digest *ret_digest, struct err *err);

/* Syncs new/ and cur/, before anybody relies on what the scan has seen. */
int maildir_target_sync(struct maildir_target *t, struct err *err);

/*
 * One message at a time is written to: begin, write as often as needed, finish;
 * incoming_abort() ends it at any time.
 */
int incoming_begin(struct maildir_target *t, struct incoming *in, struct err *err);
int incoming_write(struct maildir_target *t, struct incoming *in, struct span s, struct err *err);

/* All of it is there. It stays in tmp/, and the disk begins to write. */
int incoming_finish(struct maildir_target *t, struct incoming *in, struct err *err);

/* Removes it, unless it was placed. */
void incoming_abort(struct maildir_target *t, struct incoming *in);

/*
 * Syncs n finished messages, gives them their names in new/, and syncs that: 0 means
 * that all of them are durable. After a failure some may be there, as the next scan
 * will see.
 */
int maildir_target_place(struct maildir_target *t, struct incoming *in, size_t n, struct err *err);
