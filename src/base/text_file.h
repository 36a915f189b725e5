/* SPDX-License-Identifier: MIT */
/*
 * text_file.h - a small file, read as a whole: a configuration, or a password.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/file_mark.h"

struct text_file {
	char *text; /* NUL-terminated. Owned: free(3), wiped first if it holds a secret */
	size_t n;
	bool others_may; /* its permissions let its group or others read or write it */
};

/*
 * 0; -EINVAL for what is no regular file, is longer than max octets or holds a NUL; otherwise
 * as opening and reading it went. *ret_file is untouched then.
 */
int text_file_read(const char *path, size_t max, struct text_file *ret_file, struct err *err);

/* What text_file_reread() knows of the file that it has read last. Zeroed: none yet. */
struct text_file_seen {
	struct file_mark mark;
	bool settled;
};

/*
 * Reads the file if it may have changed since the last call: one stat(2) when not. 1 when it
 * was read, 0 when it is as it was (*ret_file is untouched), or as text_file_read(); after a
 * failure the next call tries again.
 */
int text_file_reread(struct text_file_seen *seen, const char *path, size_t max,
		     struct text_file *ret_file, struct err *err);
