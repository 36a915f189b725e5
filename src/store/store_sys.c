/* SPDX-License-Identifier: MIT */
#include "store/store_sys.h"

#include <string.h>

int sys_pread_all(int fd, void *p, size_t n, uint64_t offset)
{
	char *at = p;

	while (n > 0) {
		const ssize_t r = sys_pread(fd, at, n, offset);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			errno = r == 0 ? ENODATA : errno;
			return -1;
		}
		at += r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

int sys_pwrite_all(int fd, const void *p, size_t n, uint64_t offset)
{
	const char *at = p;

	while (n > 0) {
		const ssize_t r = sys_pwrite(fd, at, n, offset);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			/* A regular file takes something or says why; 0 would be a full disk. */
			errno = r == 0 ? ENOSPC : errno;
			return -1;
		}
		at += r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

const char *sys_reason(int sys_errno)
{
	const char *const text = strerrordesc_np(sys_errno);

	return text != NULL ? text : "unknown error";
}

void sys_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}
