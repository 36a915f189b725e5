/* SPDX-License-Identifier: MIT */
/*
 * err.h - the words that go with a negative errno.
 *
 * The function that knows the name of what failed fills a struct err once, at
 * the spot; callers pass it up untouched, and the outermost layer logs it once.
 * Messages are lower case and end without a full stop.
 */
#pragma once

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX];
};

/*
 * Fills *err, which may be NULL, with the formatted text and the meaning of
 * sys_errno. Returns -sys_errno, so that `return err_sys(...)` is the whole
 * error path.
 */
int err_sys(struct err *err, int sys_errno, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));

/* The same for faults that have no errno of their own: the text stands alone. */
int err_set(struct err *err, int sys_errno, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));
