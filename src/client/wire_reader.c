/* SPDX-License-Identifier: MIT */
#include "client/wire_reader.h"

#include <errno.h>
#include <unistd.h>

/* 1, 0 at the end, or negative errno. */
static int fill(struct wire_reader *r)
{
	ssize_t n;

	do {
		n = read(r->fd, r->_buffer, sizeof(r->_buffer));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->_at = 0;
	r->_n = (size_t)n;
	return n > 0;
}

static char next(struct wire_reader *r)
{
	char c;

	if (r->_lf) {
		r->_lf = false;
		return '\n';
	}
	c = r->_buffer[r->_at++];
	if (c == '\n' && !r->_cr) {
		r->_lf = true;
		c = '\r';
	}
	r->_cr = c == '\r' && !r->_lf;
	return c;
}

ssize_t wire_reader_read(struct wire_reader *r, char *to, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (!r->_lf && r->_at == r->_n) {
			const int more = i > 0 ? 0 : fill(r);

			if (more <= 0)
				return more < 0 ? more : (ssize_t)i;
		}
		to[i++] = next(r);
	}
	return (ssize_t)i;
}
