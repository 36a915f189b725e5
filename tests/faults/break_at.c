/* SPDX-License-Identifier: MIT */
/*
 * break_at - loaded into a program (LD_PRELOAD), breaks one of its calls to the disk:
 *
 *	BREAK_AT=N         the N-th of them, from 1
 *	BREAK_HOW=before   the process is killed instead of making it
 *	BREAK_HOW=after    ... when it has been made
 *	BREAK_HOW=errno    it fails, with that number
 *	BREAK_COUNT=FILE   at its end, how many there were is written there
 *	BREAK_ONLY=folder  only fsync() of folders counts
 *
 * Calls that only open for reading, and writes to terminals and sockets, don't count.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int made;
static int at;
static enum { BEFORE, AFTER, ERRNO } how;
static int number;
static bool only_folders;

__attribute__((constructor)) static void read_orders(void)
{
	const char *const text = getenv("BREAK_AT");
	const char *const way = getenv("BREAK_HOW");

	only_folders = getenv("BREAK_ONLY") != NULL;
	if (text == NULL || way == NULL || sscanf(text, "%d", &at) != 1)
		return;
	if (strcmp(way, "before") == 0) {
		how = BEFORE;
	} else if (strcmp(way, "after") == 0) {
		how = AFTER;
	} else {
		how = ERRNO;
		(void)sscanf(way, "%d", &number);
	}
}

__attribute__((destructor)) static void write_count(void)
{
	const char *const path = getenv("BREAK_COUNT");
	FILE *const f = path == NULL ? NULL : fopen(path, "w");

	if (f != NULL) {
		(void)fprintf(f, "%d\n", atomic_load(&made));
		(void)fclose(f);
	}
}

static void die(void)
{
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* True: the call shall fail, errno is set. */
static bool breaks_before(bool *ret_after)
{
	const bool now = atomic_fetch_add(&made, 1) + 1 == at;

	*ret_after = now && how == AFTER;
	if (now && how == BEFORE)
		die();
	if (now && how == ERRNO)
		errno = number;
	return now && how == ERRNO;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !only_folders;
}

static bool is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* Makes the call, breaking it when it is its turn. failed is what it returns then. */
#define BREAKABLE(result, counts, call, failed)        \
	do {                                           \
		bool after = false;                    \
		if ((counts) && breaks_before(&after)) \
			return failed;                 \
		result = call;                         \
		if (after)                             \
			die();                         \
	} while (0)

int fsync(int fd)
{
	int r;

	BREAKABLE(r, is_file(fd) || is_folder(fd), REAL(fsync)(fd), -1);
	return r;
}

int fdatasync(int fd)
{
	int r;

	BREAKABLE(r, is_file(fd), REAL(fdatasync)(fd), -1);
	return r;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	int r;

	BREAKABLE(r, !only_folders, REAL(renameat)(from_fd, from, to_fd, to), -1);
	return r;
}

int unlink(const char *path)
{
	int r;

	BREAKABLE(r, !only_folders, REAL(unlink)(path), -1);
	return r;
}

int unlinkat(int fd, const char *path, int flags)
{
	int r;

	BREAKABLE(r, !only_folders, REAL(unlinkat)(fd, path, flags), -1);
	return r;
}

int mkdir(const char *path, mode_t mode)
{
	int r;

	BREAKABLE(r, !only_folders, REAL(mkdir)(path, mode), -1);
	return r;
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t r;

	BREAKABLE(r, is_file(fd), REAL(write)(fd, p, n), -1);
	return r;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at_octet)
{
	ssize_t r;

	BREAKABLE(r, is_file(fd), REAL(pwrite64)(fd, p, n, at_octet), -1);
	return r;
}

int ftruncate64(int fd, off64_t n)
{
	int r;

	BREAKABLE(r, is_file(fd), REAL(ftruncate64)(fd, n), -1);
	return r;
}

/* The third argument of a call that makes a file. */
#define TAKE_MODE(mode, flags)                                \
	do {                                                  \
		if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
			va_list ap;                           \
			va_start(ap, flags);                  \
			mode = va_arg(ap, mode_t);            \
			va_end(ap);                           \
		}                                             \
	} while (0)

int openat64(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	int r;

	TAKE_MODE(mode, flags);
	BREAKABLE(r, !only_folders && (flags & O_CREAT) != 0, REAL(openat64)(fd, path, flags, mode),
		  -1);
	return r;
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	int r;

	TAKE_MODE(mode, flags);
	BREAKABLE(r, !only_folders && (flags & O_CREAT) != 0, REAL(open64)(path, flags, mode), -1);
	return r;
}
