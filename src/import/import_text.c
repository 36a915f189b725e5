/* SPDX-License-Identifier: MIT */
#include "import/import_text.h"

#include <errno.h>
#include <unistd.h>

void import_text_begin(struct import_text *t, int fd)
{
	t->fd = fd;
	t->_was_cr = false;
	t->_failed = 0;
	t->_measure = (struct dot_measure){0};
	t->_n = 0;
}

static void flush(struct import_text *t)
{
	size_t at = 0;

	dot_measure(&t->_measure, span_of(t->_buf, t->_n));
	while (at < t->_n && t->_failed == 0) {
		const ssize_t n = write(t->fd, t->_buf + at, t->_n - at);

		if (n < 0 && errno != EINTR)
			t->_failed = -errno;
		else if (n >= 0)
			at += (size_t)n;
	}
	t->_n = 0;
}

static void put_raw(struct import_text *t, struct span s)
{
	while (s.n > 0) {
		const size_t room = sizeof(t->_buf) - t->_n;
		const size_t n = s.n < room ? s.n : room;

		memcpy(t->_buf + t->_n, s.p, n);
		t->_n += n;
		span_skip(&s, n);
		if (t->_n == sizeof(t->_buf))
			flush(t);
	}
}

void import_text_put(struct import_text *t, struct span text)
{
	while (text.n > 0) {
		const size_t n = span_find(text, '\n');

		put_raw(t, span_of(text.p, n));
		if (n > 0)
			t->_was_cr = text.p[n - 1] == '\r';
		if (n == text.n)
			return;
		put_raw(t, t->_was_cr ? SPAN_LIT("\n") : SPAN_LIT("\r\n"));
		t->_was_cr = false;
		span_skip(&text, n + 1);
	}
}

int import_text_end(struct import_text *t, uint64_t *ret_octets, uint64_t *ret_dot_lines)
{
	flush(t);
	if (dot_measure_no_eol(&t->_measure)) {
		put_raw(t, t->_was_cr ? SPAN_LIT("\n") : SPAN_LIT("\r\n"));
		flush(t);
	}
	*ret_octets = t->_measure.bytes;
	*ret_dot_lines = t->_measure.dot_lines;
	return t->_failed;
}
