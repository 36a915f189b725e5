/* SPDX-License-Identifier: MIT */
/*
 * store_sys.h - every system call by which the store reads or changes a
 * maildrop, each of them a step at which a test can kill the process or let the
 * disk fail.
 *
 * The programs are built without STORE_STEPS: then these are the calls
 * themselves. The fault tests build the store with it, and bring store_step().
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifdef STORE_STEPS
/* Called before and after each call. False: errno is set, and the call has failed. */
bool store_step(const char *call, bool after);
/* This file or directory is now on the disk, as it is. */
void store_synced(int fd);
#else
static inline bool store_step(const char *call, bool after)
{
	(void)call;
	(void)after;
	return true;
}

static inline void store_synced(int fd)
{
	(void)fd;
}
#endif

static inline int sys_openat(int dir, const char *path, int flags, mode_t mode)
{
	const char *const call = (flags & O_TMPFILE) == O_TMPFILE ? "tmpfile"
				 : (flags & O_CREAT) != 0         ? "creat"
								  : "openat";

	return store_step(call, false) ? openat(dir, path, flags | O_CLOEXEC, mode) : -1;
}

/*
 * As sys_openat(), if the kernel has in memory all that it takes; EAGAIN if not, or if
 * it can't promise that (RESOLVE_CACHED is Linux 5.12): this one never waits.
 */
static inline int sys_open_cached(int dir, const char *path, int flags)
{
	const struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
				     .resolve = RESOLVE_CACHED};

	return store_step("openat", false) ? (int)syscall(SYS_openat2, dir, path, &how, sizeof(how))
					   : -1;
}

static inline int sys_mkdirat(int dir, const char *path)
{
	if (!store_step("mkdirat", false) || mkdirat(dir, path, 0700) < 0)
		return -1;
	return store_step("mkdirat", true) ? 0 : -1;
}

static inline int sys_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (!store_step("linkat", false) || linkat(from_dir, from, to_dir, to, flags) < 0)
		return -1;
	return store_step("linkat", true) ? 0 : -1;
}

static inline int sys_unlinkat(int dir, const char *path, int flags)
{
	if (!store_step("unlinkat", false) || unlinkat(dir, path, flags) < 0)
		return -1;
	return store_step("unlinkat", true) ? 0 : -1;
}

/* flags as for renameat2(2). */
static inline int sys_renameat(int from_dir, const char *from, int to_dir, const char *to,
			       unsigned int flags)
{
	if (!store_step("renameat", false) || renameat2(from_dir, from, to_dir, to, flags) < 0)
		return -1;
	return store_step("renameat", true) ? 0 : -1;
}

static inline int sys_fsync(int fd)
{
	if (!store_step("fsync", false) || fsync(fd) < 0)
		return -1;
	store_synced(fd);
	return store_step("fsync", true) ? 0 : -1;
}

static inline int sys_syncfs(int fd)
{
	return store_step("syncfs", false) ? syncfs(fd) : -1;
}

static inline ssize_t sys_pread(int fd, void *p, size_t n, uint64_t offset)
{
	return store_step("pread", false) ? pread(fd, p, n, (off_t)offset) : -1;
}

/* As sys_pread(), never waiting: what is in memory, or EAGAIN. */
static inline ssize_t sys_pread_cached(int fd, void *p, size_t n, uint64_t offset)
{
	const struct iovec v = {.iov_base = p, .iov_len = n};

	return store_step("pread", false) ? preadv2(fd, &v, 1, (off_t)offset, RWF_NOWAIT) : -1;
}

static inline ssize_t sys_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	return store_step("pwrite", false) ? pwrite(fd, p, n, (off_t)offset) : -1;
}

static inline int sys_ftruncate(int fd, uint64_t n)
{
	return store_step("ftruncate", false) ? ftruncate(fd, (off_t)n) : -1;
}

static inline ssize_t sys_copy_range(int from, off_t *from_at, int to, off_t *to_at, size_t n)
{
	return store_step("copy_file_range", false)
		       ? copy_file_range(from, from_at, to, to_at, n, 0)
		       : -1;
}

static inline int sys_futimens(int fd, const struct timespec times[2])
{
	return store_step("futimens", false) ? futimens(fd, times) : -1;
}

static inline int sys_fstat(int fd, struct stat *ret_st)
{
	return store_step("fstat", false) ? fstat(fd, ret_st) : -1;
}

static inline int sys_fstatat(int dir, const char *path, struct stat *ret_st)
{
	return store_step("fstatat", false) ? fstatat(dir, path, ret_st, AT_SYMLINK_NOFOLLOW) : -1;
}

static inline int sys_flock(int fd, int how)
{
	return store_step("flock", false) ? flock(fd, how) : -1;
}

static inline int sys_fstatfs(int fd, struct statfs *ret_fs)
{
	return store_step("fstatfs", false) ? fstatfs(fd, ret_fs) : -1;
}

static inline int sys_inotify_init(void)
{
	return store_step("inotify_init", false) ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
}

static inline int sys_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return store_step("inotify_add_watch", false) ? inotify_add_watch(fd, path, mask) : -1;
}

static inline int sys_inotify_rm_watch(int fd, int wd)
{
	return store_step("inotify_rm_watch", false) ? inotify_rm_watch(fd, wd) : -1;
}

static inline ssize_t sys_inotify_read(int fd, void *p, size_t n)
{
	return store_step("inotify_read", false) ? read(fd, p, n) : -1;
}

/* All n octets, or -1 with errno: ENODATA when the file ends before. */
int sys_pread_all(int fd, void *p, size_t n, uint64_t offset);
int sys_pwrite_all(int fd, const void *p, size_t n, uint64_t offset);

/* What strerror(3) says, from any thread. */
const char *sys_reason(int sys_errno);

/* Closes what is open (fd >= 0); what close(2) says changes nothing for us. */
void sys_close(int fd);

static inline uint64_t sys_ns(struct timespec t)
{
	return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static inline struct timespec sys_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000U),
				 .tv_nsec = (long)(ns % 1000000000U)};
}
