/* SPDX-License-Identifier: MIT */
#include "codec/line.h"

#include <assert.h>

enum line_status line_take(struct line_reader *l, struct span *in, struct span *ret_line)
{
	assert(l->max > 0);

	if (l->_skipping) {
		const size_t rest = span_find(*in, '\n');

		if (rest == in->n) {
			span_skip(in, rest);
			return LINE_MORE;
		}
		span_skip(in, rest + 1);
		l->_skipping = false;
	}

	/* No further than max: a long input must not cost more than a long line. */
	const struct span window = span_of(in->p, in->n < l->max ? in->n : l->max);
	const size_t n = span_find(window, '\n');

	if (n < window.n) {
		*ret_line = span_of(in->p, n > 0 && in->p[n - 1] == '\r' ? n - 1 : n);
		span_skip(in, n + 1);
		return LINE_GOT;
	}
	if (window.n < l->max)
		return LINE_MORE;
	span_skip(in, window.n);
	l->_skipping = true;
	return LINE_TOO_LONG;
}
