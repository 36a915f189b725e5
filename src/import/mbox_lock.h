/* SPDX-License-Identifier: MIT */
/*
 * mbox_lock.h - keeps a mail spool as it is while it is read: whoever delivers into it or
 * deletes from it waits. Programs lock by different means, and all of them are used: a file
 * SPOOL.lock, where we may make one, fcntl(2) and flock(2).
 *
 * BUGS
 *	A file SPOOL.lock of a process that isn't there any more is removed. Two who do so at the
 *	same moment can both think that it is theirs now; fcntl(2) still keeps others out.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/limits.h"

struct mbox_lock {
	int fd; /* Borrowed */
	bool _dot;
	char _dot_path[LIMIT_PATH + 8];
};

/*
 * fd is the spool's, at path. Waits for up to timeout_ms; -EAGAIN, with who has it, when that
 * isn't enough. Blocks, and reaches the disk with the thread's rights.
 */
int mbox_lock(struct mbox_lock *l, int fd, const char *path, int timeout_ms, struct err *err);

/* The locks on fd go when it is closed. */
void mbox_unlock(struct mbox_lock *l);
