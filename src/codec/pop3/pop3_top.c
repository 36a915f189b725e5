/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_top.h"

#include <assert.h>

/* Zero first: a message begins where its header's first line does. */
enum state { LINE_START, LINE_CR, LINE, BODY };

bool pop3_top_done(const struct pop3_top *t)
{
	return t->_state == BODY && t->lines == 0;
}

/* The header, to behind the blank line. Returns the octets of in that it has. */
static size_t take_header(struct pop3_top *t, struct span in)
{
	const size_t all = in.n;

	while (in.n > 0 && t->_state != BODY) {
		if (t->_state == LINE) {
			const size_t n = span_find(in, '\n');

			if (n == in.n)
				return all;
			span_skip(&in, n + 1);
			t->_state = LINE_START;
			continue;
		}
		/* Nothing of this line yet, or a CR that may be all of it. */
		if (in.p[0] == '\n')
			t->_state = BODY;
		else if (in.p[0] == '\r' && t->_state == LINE_START)
			t->_state = LINE_CR;
		else
			t->_state = LINE;
		span_skip(&in, 1);
	}
	return all - in.n;
}

size_t pop3_top_take(struct pop3_top *t, struct span in)
{
	const size_t all = in.n;

	assert(t->_state <= BODY);
	if (t->_state != BODY)
		span_skip(&in, take_header(t, in));
	while (in.n > 0 && !pop3_top_done(t)) {
		const size_t n = span_find(in, '\n');

		if (n == in.n)
			return all;
		span_skip(&in, n + 1);
		t->lines--;
	}
	return all - in.n;
}
