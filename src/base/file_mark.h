/* SPDX-License-Identifier: MIT */
/*
 * file_mark.h - has a file changed since it was read? One stat(2) says so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Which file it was, and as it was when. Zeroed: none. */
struct file_mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

struct file_mark file_mark_of(const struct stat *st);
bool file_mark_same(const struct file_mark *a, const struct file_mark *b);

/*
 * Nothing that happens to this file from now on will leave its mark as it is. now_ns is
 * clock_wall_ns() before the file was looked at. A file that was written just before it was
 * read isn't settled: it may be written once more within the same tick of the kernel's clock.
 */
bool file_mark_is_settled(const struct file_mark *m, uint64_t now_ns);
