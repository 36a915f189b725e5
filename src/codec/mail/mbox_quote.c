/* SPDX-License-Identifier: MIT */
#include "codec/mail/mbox_quote.h"

#include <assert.h>

static const char from[] = "From ";

#define FROM_LENGTH (sizeof(from) - 1)

static void put(struct mbox_quoter *q, struct out *out, struct span s)
{
	const bool ok = out_put(out, s);

	assert(ok);
	if (s.n > 0)
		q->_open = s.p[s.n - 1] != '\n';
}

/* What was held back is text after all. */
static void release(struct mbox_quoter *q, struct out *out)
{
	put(q, out, span_of(from, q->_matched));
	q->_matched = 0;
	q->_text = true;
}

/* True when that octet is part of what could be quoted. */
static bool match(struct mbox_quoter *q, char c, struct out *out)
{
	if (c == '>' && q->_matched == 0) {
		put(q, out, SPAN_LIT(">"));
		return true;
	}
	if (c != from[q->_matched])
		return false;
	/* Another '>' is the same in front of the others and behind them. */
	if (++q->_matched == FROM_LENGTH) {
		put(q, out, SPAN_LIT(">"));
		release(q, out);
	}
	return true;
}

static void take(struct mbox_quoter *q, char c, struct out *out)
{
	if (q->_cr && c != '\n')
		put(q, out, SPAN_LIT("\r"));
	q->_cr = false;
	if (!q->_text) {
		if (match(q, c, out))
			return;
		release(q, out);
	}
	if (c == '\r') {
		q->_cr = true;
		return;
	}
	put(q, out, span_of(&c, 1));
	q->_text = c != '\n';
}

void mbox_quote(struct mbox_quoter *q, struct span *in, struct out *out)
{
	while (in->n > 0 && out_room(out) >= MBOX_QUOTE_MAX) {
		take(q, in->p[0], out);
		span_skip(in, 1);
	}
}

void mbox_quote_end(struct mbox_quoter *q, struct out *out)
{
	if (q->_cr)
		put(q, out, SPAN_LIT("\r"));
	release(q, out);
	if (q->_open)
		put(q, out, SPAN_LIT("\n"));
	put(q, out, SPAN_LIT("\n"));
}
