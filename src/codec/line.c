/* SPDX-License-Identifier: MIT */
#include "codec/line.h"

#include <assert.h>

bool line_skip_rest(struct line_reader *l, struct span *in)
{
	if (!l->_skipping)
		return true;

	const size_t rest = span_find(*in, '\n');

	l->_skipping = rest == in->n;
	span_skip(in, l->_skipping ? rest : rest + 1);
	return !l->_skipping;
}

enum line_status line_take(struct line_reader *l, struct span *in, struct span *ret_line)
{
	assert(l->max > 0);
	if (!line_skip_rest(l, in))
		return LINE_MORE;

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
