/* SPDX-License-Identifier: MIT */
/*
 * mbox_file.h - an mbox file, opened and locked against everybody who locks as mail
 * programs do: with fcntl(2), and with a file beside it whose name ends with ".lock"
 * where one can be made.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Zeroed, it is closed. */
struct mbox_file {
	const char *path; /* Borrowed */
	int _fd;          /* Owned, + 1 */
	bool _dotted;     /* the file beside it is ours */
	char _dotlock[PATH_MAX];
};

/*
 * Opens it, or makes it with make. -EINVAL for what is no mbox: a folder, or a file that
 * begins with something else. -EHOSTDOWN when others keep it locked for timeout_ms;
 * -ECANCELED by stop_fd (see stream.h); -ENOENT.
 *
 * The file beside it, left by a program that was killed, is removed when the program that
 * it names isn't there any more, or when it is an hour old.
 */
int mbox_file_open(struct mbox_file *m, const char *path, bool make, uint32_t timeout_ms,
		   int stop_fd, struct err *err);
void mbox_file_close(struct mbox_file *m);

static inline int mbox_file_fd(const struct mbox_file *m)
{
	return m->_fd - 1;
}
