/* SPDX-License-Identifier: MIT */
/*
 * store.h - maildrops, in the words of RFC 1939: open one exclusively, see it as
 * it was then, take messages, mark some deleted, commit; and deliver into one.
 *
 * A driver (maildir, mem, later others) is a row of functions; callers see only
 * this header. Every call here may block on the disk, so it is made from a
 * thread of a pool, never from an event loop. Calls on different maildrops and
 * deliveries may run at the same time in different threads; calls on one struct
 * maildrop or one struct delivery may not.
 *
 * Errors are negative errno, with *err (which may be NULL) saying what failed.
 * Outputs are untouched then.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/maildrop_rules.h"
#include "base/span.h"

struct store;
struct maildrop;
struct delivery;

/*
 * Something an operator should know and that didn't fail the call (a file that
 * can't be read, an index made anew, a journal finished). May be called from any
 * thread, several at once. text is one log line's worth and lives for the call.
 */
typedef void store_notice(void *arg, const char *maildrop, const char *text);

/* Whose maildrop, and where: what auth put into the grant. Strings are borrowed. */
struct store_owner {
	const char *user; /* for messages only */
	const char *path; /* absolute; the driver makes what is missing below it */
	uid_t uid;        /* (uid_t)-1: stay who we are */
	gid_t gid;
	struct maildrop_rules rules;
};

/*
 * driver is "maildir" or "mem". hostname goes into file names (characters that
 * may not stand there are replaced). -EINVAL for a driver nobody knows.
 */
int store_new(const char *driver, const char *hostname, store_notice *notice, void *notice_arg,
	      struct store **ret_store, struct err *err);

/* Every maildrop and delivery must have been closed before. NULL is fine. */
void store_free(struct store *s);

/*
 * Opens a maildrop for one session: finishes an interrupted commit, notices what
 * other programs put in or took out, and takes the snapshot. A maildrop that
 * doesn't exist yet is an empty one.
 *
 * -EBUSY when another session has it ([IN-USE]); -EAGAIN when another device's session is
 * just beginning or ending: that takes a moment, or longer where there is much mail, and then
 * it can be tried again; -ENOSPC, -EIO, -EACCES … as the disk says.
 */
int maildrop_open(struct store *s, const struct store_owner *owner, struct maildrop **ret_maildrop,
		  struct err *err);

/*
 * The same where it can be done without waiting for the disk: nothing has changed since
 * the last session, and the kernel has all that it takes in memory. -EAGAIN otherwise,
 * whatever the reason is: maildrop_open() will tell.
 */
int maildrop_open_now(struct store *s, const struct store_owner *owner,
		      struct maildrop **ret_maildrop);

/* Frees the maildrop for others at once. Nothing that was marked is deleted. NULL is fine. */
void maildrop_close(struct maildrop *m);

/*
 * True when neither maildrop_commit() nor maildrop_close() would write or delete
 * anything: both are then done without waiting for the disk.
 */
bool maildrop_is_clean(const struct maildrop *m);

uint32_t maildrop_count(const struct maildrop *m);
uint64_t maildrop_octets(const struct maildrop *m);

/* By how many octets they are more, or less, for who gets internationalised messages downgraded. */
int64_t maildrop_growth(const struct maildrop *m);

/*
 * The snapshot: a descriptor (read-only) in the format of codec/index/index_record.h, of
 * which the header and the first maildrop_count() records belong to this session.
 * Borrowed: it lives until maildrop_close(); its receiver has a duplicate.
 */
int maildrop_snapshot_fd(const struct maildrop *m);

struct store_message {
	int fd;          /* read-only. The caller closes it */
	uint64_t offset; /* where in fd the message begins */
	uint64_t bytes;  /* how long it is there */
	uint64_t octets; /* how long it is on the wire, as LIST said */
	uint32_t flags;  /* enum index_flag: INDEX_CRLF, INDEX_NO_DOT, INDEX_NO_EOL */
	bool counted;    /* octets was counted, by us; else another program says so */
};

/*
 * Opens message n, from 1 to the count. -ENOENT when another program took it away
 * meanwhile; -ESTALE when its size is no longer what the snapshot says (it will be
 * measured anew at the next open); otherwise as the disk says.
 */
int maildrop_message(struct maildrop *m, uint32_t n, struct store_message *ret_message,
		     struct err *err);

/*
 * The same where it can be done without waiting for the disk, and the message is counted
 * and can itself be read so. -EAGAIN otherwise.
 */
int maildrop_message_now(struct maildrop *m, uint32_t n, struct store_message *ret_message);

/*
 * To be asked before all of a message is sent: is it as long as LIST said? What
 * another program says of it (counted is false) is held against the file, which is
 * read for that, and flags become what was found. -ESTALE, and message->fd is
 * closed, when it isn't so; it will be listed right at the next open.
 */
int maildrop_check(struct maildrop *m, uint32_t n, struct store_message *message, struct err *err);

/* Marks message n (RFC 1939 DELE); marking twice is one mark. -ENOMEM. */
int maildrop_mark(struct maildrop *m, uint32_t n);

/*
 * Deletes what is marked, all or nothing. 0: it is durable, and *ret_removed says
 * how many there were. Otherwise every marked message is either still there or,
 * if the journal had been written, goes at the next open; never only some. Call
 * it once, and close the maildrop afterwards.
 */
int maildrop_commit(struct maildrop *m, uint32_t *ret_removed, struct err *err);

/* What a maildrop holds, hidden messages and all. */
struct store_usage {
	uint64_t messages;
	uint64_t octets; /* on the wire, as LIST says; on disk for what only others have counted */
};

/*
 * Everything that was delivered until now, sessions or not; takes no session's lock,
 * makes nothing, and a maildrop that doesn't exist yet holds nothing. It costs a look at
 * the index, and a reading of the directories if somebody else has changed them.
 */
int store_usage(struct store *s, const struct store_owner *owner, struct store_usage *ret_usage,
		struct err *err);

/*
 * What store_room() and delivery_commit() answer when the message would exceed the
 * owner's quota. The disk's own quotas are -EDQUOT.
 */
#define STORE_OVER_QUOTA (-EXFULL)

/* 0 or STORE_OVER_QUOTA: is there room for a message of so many octets beside what is used? */
int store_room(const struct store_owner *owner, const struct store_usage *used, uint64_t octets,
	       struct err *err);
/* ---- what an operator does; see owner.rules for what it is that sessions do ---- */

/* A message that was deleted and is kept (rules.dele is or was MAILDROP_DELE_HIDE or _TRASH). */
struct store_kept {
	char uidl[LIMIT_UIDL + 1];
	char folder[64];  /* that it was deleted from */
	uint64_t deleted; /* when, in seconds of the wall clock */
	uint64_t until;   /* when it goes for good, by owner.rules.dele_days; 0: it doesn't */
	bool in_trash;
};

typedef void maildrop_kept(void *arg, const struct store_kept *k);

/* Calls found for each. A maildrop that doesn't exist has none. -EBUSY as maildrop_open(). */
int maildrop_deleted(struct store *s, const struct store_owner *owner, maildrop_kept *found,
		     void *arg, struct err *err);

/*
 * Brings back those that have one of these UIDLs, or all (NULL), as if they had not been
 * deleted, for each device. *ret_count says how many there were.
 */
int maildrop_undelete(struct store *s, const struct store_owner *owner, const char *const *uidls,
		      size_t n, uint32_t *ret_count, struct err *err);

/* One of the devices that have a view of the maildrop; the plain login's has the name "". */
struct store_device_seen {
	char name[64];
	uint64_t seen;   /* when its last session began, in seconds of the wall clock */
	uint32_t hidden; /* messages that it has deleted, and that are there for others */
};

typedef void maildrop_device(void *arg, const struct store_device_seen *d);

int maildrop_devices(struct store *s, const struct store_owner *owner, maildrop_device *found,
		     void *arg, struct err *err);

/* It is no device any more, until it comes again: then it has had nothing. -ENOENT; -EBUSY. */
int maildrop_forget_device(struct store *s, const struct store_owner *owner, const char *device,
			   struct err *err);

/*
 * Deletes all messages that came in before this second of the wall clock, as
 * maildrop_commit() deletes. -EBUSY while a session has the maildrop; otherwise as
 * opening and committing one. One that doesn't exist isn't made.
 */
int store_expire(struct store *s, const struct store_owner *owner, uint64_t before,
		 uint32_t *ret_removed, struct err *err);

/*
 * Begins a delivery into the owner's maildrop. The descriptor from delivery_fd()
 * is empty, writable, borrowed until the delivery is freed; it has no name yet, or
 * one in tmp/ where the file system can do no better.
 */
int delivery_begin(struct store *s, const struct store_owner *owner, struct delivery **ret_delivery,
		   struct err *err);
int delivery_fd(const struct delivery *d);

/* What the writer knows of the message that it wrote: all of it CRLF lines. */
struct delivery_info {
	uint64_t octets;    /* must be the file's length */
	uint64_t dot_lines; /* lines that begin with '.' */
	uint64_t prefix_at; /* octets, all of them lines, that stay in front of prefixes */
};

/* One that gets it. */
struct delivery_target {
	struct store_owner owner;
	struct span prefix; /* lines (CRLF) put into the message for this one only, or empty */
	int status;         /* out: 0 when it is durable in this maildrop, else negative errno */
};

/*
 * Makes the message part of each target's maildrop. With no prefix, targets on
 * one file system under one owner share one file; others get a copy. A status of 0
 * means that it survives power loss, whole and once; otherwise nothing of it is
 * left in that maildrop unless the disk refuses that too.
 *
 * A target whose owner has a quota gets the message if there is room for it. Deliveries
 * that come together are counted one after the other. Where the maildrop's index can't be
 * locked for a moment, each of them may exceed it by the one message.
 *
 * The first target must be whom the delivery was begun for. Returns 0 when all
 * statuses are 0, else one of them, with *err for that one. -EINVAL, and no target
 * has it: for a file whose length isn't info->octets or that doesn't end with CRLF
 * (unless it is empty), and for a prefix that doesn't or would stand behind the end.
 */
int delivery_commit(struct delivery *d, const struct delivery_info *info,
		    struct delivery_target *targets, size_t n, struct err *err);

/* Ends it either way; without a commit nothing was delivered. NULL is fine. */
void delivery_free(struct delivery *d);
