/* SPDX-License-Identifier: MIT */
/*
 * client_help.h - what the client's tests share: a folder that is thrown away.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/span.h"

static char scratch[64]; /* the folder */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int scratch_make(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/restante-client-XXXXXX");
	return mkdtemp(scratch) == NULL;
}

static inline int scratch_remove(void **state)
{
	(void)state;
	return nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A path in it; good until the fourth call after this one. */
static inline const char *in_scratch(const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *const path = paths[turn++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
	return path;
}

static inline void write_file(const char *path, struct span text, mode_t mode)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove)

#define assert_contains(text, part)                                     \
	do {                                                            \
		if (strstr((text), (part)) == NULL)                     \
			fail_msg("'%s' isn't in '%s'", (part), (text)); \
	} while (0)
