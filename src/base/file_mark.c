/* SPDX-License-Identifier: MIT */
#include "base/file_mark.h"

#include <string.h>

/* The kernel's clock for files ticks every 10 ms at the slowest. */
#define CLOCK_TICK_NS 50000000

struct file_mark file_mark_of(const struct stat *st)
{
	struct file_mark m;

	/* Compared as octets. */
	memset(&m, 0, sizeof(m));
	m.dev = st->st_dev;
	m.ino = st->st_ino;
	m.size = st->st_size;
	m.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	m.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
	return m;
}

bool file_mark_same(const struct file_mark *a, const struct file_mark *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool file_mark_is_settled(const struct file_mark *m, uint64_t now_ns)
{
	const int64_t age = (int64_t)now_ns -
			    (m->mtime_ns > m->ctime_ns ? m->mtime_ns : m->ctime_ns);

	return age > CLOCK_TICK_NS || age < -CLOCK_TICK_NS;
}
