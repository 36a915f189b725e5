/* SPDX-License-Identifier: MIT */
#include "store/copy.h"

#include <stdlib.h>

#include "store/store_sys.h"

#define CHUNK ((size_t)128 * 1024)

static int copy_by_hand(int to, uint64_t to_at, int from, uint64_t from_at, uint64_t octets)
{
	char *const buf = malloc(CHUNK);
	int r = 0;

	if (buf == NULL)
		return -ENOMEM;
	while (octets > 0 && r == 0) {
		const size_t n = octets < CHUNK ? (size_t)octets : CHUNK;

		if (sys_pread_all(from, buf, n, from_at) < 0 ||
		    sys_pwrite_all(to, buf, n, to_at) < 0)
			r = -errno;
		from_at += n;
		to_at += n;
		octets -= n;
	}
	free(buf);
	return r;
}

static int copy(int to, uint64_t to_at, int from, uint64_t from_at, uint64_t octets)
{
	while (octets > 0) {
		const size_t want = octets < ((size_t)1 << 30) ? (size_t)octets : (size_t)1 << 30;
		off_t from_off = (off_t)from_at;
		off_t to_off = (off_t)to_at;
		const ssize_t n = sys_copy_range(from, &from_off, to, &to_off, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* A full disk is final; all else is a pair of files that it can't do. */
			if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
				return -errno;
			return copy_by_hand(to, to_at, from, from_at, octets);
		}
		from_at += (uint64_t)n;
		to_at += (uint64_t)n;
		octets -= (uint64_t)n;
	}
	return 0;
}

int copy_message(int to, struct span prefix, int from, const struct delivery_info *info)
{
	const uint64_t at = info->prefix_at;
	const int r = copy(to, 0, from, 0, at);

	if (r < 0)
		return r;
	if (prefix.n > 0 && sys_pwrite_all(to, prefix.p, prefix.n, at) < 0)
		return -errno;
	return copy(to, at + prefix.n, from, at, info->octets - at);
}
