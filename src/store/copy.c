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

int copy_message(int to, struct span prefix, int from, uint64_t octets)
{
	uint64_t done = 0;

	if (prefix.n > 0 && sys_pwrite_all(to, prefix.p, prefix.n, 0) < 0)
		return -errno;
	while (done < octets) {
		const uint64_t left = octets - done;
		const size_t want = left < ((size_t)1 << 30) ? (size_t)left : (size_t)1 << 30;
		off_t from_at = (off_t)done;
		off_t to_at = (off_t)(prefix.n + done);
		const ssize_t n = sys_copy_range(from, &from_at, to, &to_at, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* A full disk is final; all else is a pair of files that it can't do. */
			if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
				return -errno;
			break;
		}
		done += (uint64_t)n;
	}
	if (done == octets)
		return 0;
	return copy_by_hand(to, prefix.n + done, from, done, octets - done);
}
