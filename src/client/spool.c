/* SPDX-License-Identifier: MIT */
#include "client/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For file systems that have no files without names. */
static int open_unlinked(const char *folder)
{
	char path[PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/restante-XXXXXX", folder) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	return fd;
}

static int open_in(const char *folder)
{
	const int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	return errno == EOPNOTSUPP || errno == EISDIR ? open_unlinked(folder) : -errno;
}

int spool_begin(struct spool *s, struct incoming *in, const char *near, struct err *err)
{
	const char *const slash = strrchr(near, '/');
	char folder[PATH_MAX];
	int fd;

	assert(s->buffered == 0 && slash != NULL);
	*in = (struct incoming){.bytes = 0};
	if ((size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - near), near) >=
	    sizeof(folder))
		return err_sys(err, ENAMETOOLONG, "cannot make a file beside '%s'", near);
	fd = open_in(folder[0] == '\0' ? "/" : folder);
	if (fd < 0)
		return err_sys(err, -fd, "cannot make a file in '%s'", folder);
	in->_fd = fd + 1;
	s->writing = in->_fd;
	return 0;
}

static int written(int r, struct err *err)
{
	return r < 0 ? err_sys(err, -r, "cannot keep a message") : 0;
}

static int flush(struct spool *s, const struct incoming *in, struct err *err)
{
	const int r = incoming_write_all(in->_fd - 1, span_of(s->buffer, s->buffered));

	s->buffered = 0;
	return written(r, err);
}

int spool_write(struct spool *s, struct incoming *in, struct span octets, struct err *err)
{
	incoming_measure(in, octets);
	if (octets.n > sizeof(s->buffer) - s->buffered) {
		const int r = flush(s, in, err);

		if (r < 0)
			return r;
	}
	if (octets.n >= sizeof(s->buffer))
		return written(incoming_write_all(in->_fd - 1, octets), err);
	if (octets.n > 0)
		memcpy(s->buffer + s->buffered, octets.p, octets.n);
	s->buffered += octets.n;
	return 0;
}

int spool_finish(struct spool *s, struct incoming *in, struct err *err)
{
	s->writing = 0;
	return flush(s, in, err);
}

void spool_abort(struct spool *s, struct incoming *in)
{
	if (in->_fd == 0)
		return;
	(void)close(in->_fd - 1);
	/* Others are placed, and ended, while one is being written. */
	if (in->_fd == s->writing) {
		s->buffered = 0;
		s->writing = 0;
	}
	in->_fd = 0;
}

int spool_open(const struct incoming *in)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", in->_fd - 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

ssize_t spool_head(const struct incoming *in, char *ret_head, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		const ssize_t got = pread(in->_fd - 1, ret_head + n, cap - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}
