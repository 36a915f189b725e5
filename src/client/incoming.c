/* SPDX-License-Identifier: MIT */
#include "client/incoming.h"

#include <errno.h>
#include <unistd.h>

void incoming_measure(struct incoming *in, struct span s)
{
	size_t at = 0;

	in->bytes += s.n;
	in->octets += s.n;
	while ((at += span_find(span_of(s.p + at, s.n - at), '\n')) < s.n) {
		if ((at == 0 ? (char)in->_last : s.p[at - 1]) != '\r')
			in->octets++;
		at++;
	}
	if (s.n > 0)
		in->_last = (uint8_t)s.p[s.n - 1];
}

int incoming_write_all(int fd, struct span s)
{
	while (s.n > 0) {
		const ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		span_skip(&s, (size_t)n);
	}
	return 0;
}
