/* SPDX-License-Identifier: MIT */
/*
 * A stream of dot-stuffed text: two octets of choices, then the stream. However it
 * is cut, text and end must be those of a decoder that sees all of it at once and
 * takes its time.
 */
#include "codec/dot.h"
#include "fuzz.h"

struct result {
	char *text; /* Owned */
	size_t n;
	enum dot_status end;
	size_t rest; /* octets left, after DOT_END */
};

static void put(struct result *r, char c)
{
	r->text[r->n++] = c;
}

/* One decision after the other, with all of the stream at hand. */
static void decode_slowly(struct span in, enum dot_mode mode, struct result *r)
{
	bool line_start = true;
	size_t i = 0;

	r->end = DOT_MORE;
	while (i < in.n) {
		const struct span left = span_of(in.p + i, in.n - i);
		const bool crlf = left.n >= 2 && memcmp(left.p, "\r\n", 2) == 0;

		if (line_start && left.p[0] == '.') {
			if (left.n >= 3 && memcmp(left.p, ".\r\n", 3) == 0) {
				r->end = DOT_END;
				r->rest = left.n - 3;
				return;
			}
			if (left.n == 1 || (left.n == 2 && left.p[1] == '\r'))
				return; /* perhaps the end */
			line_start = false;
			if (mode == DOT_STRICT && left.p[1] == '\r') {
				r->end = DOT_BAD;
				return;
			}
			if (mode == DOT_LENIENT && left.p[1] != '.')
				put(r, '.');
			i++;
			continue;
		}
		if (mode == DOT_STRICT && left.p[0] == '\n') {
			r->end = DOT_BAD;
			return;
		}
		put(r, left.p[0]);
		if (mode == DOT_STRICT && left.p[0] == '\r' && left.n >= 2 && !crlf) {
			r->end = DOT_BAD;
			return;
		}
		line_start = crlf;
		if (crlf)
			put(r, '\n');
		i += crlf ? 2 : 1;
	}
}

static void decode_cut(struct span in, enum dot_mode mode, struct fuzz_random *random,
		       struct result *r)
{
	struct dot_decoder d = {.mode = mode};

	r->end = DOT_MORE;
	while (in.n > 0 && r->end == DOT_MORE) {
		const size_t n = fuzz_length(random, in.n);
		const struct span piece = fuzz_copy(span_of(in.p, n));
		struct span left = piece;
		struct span text;

		while ((r->end = dot_decode(&d, &left, &text)) == DOT_TEXT) {
			fuzz_need(text.n > 0);
			memcpy(r->text + r->n, text.p, text.n);
			r->n += text.n;
		}
		fuzz_need(r->end != DOT_MORE || left.n == 0);
		span_skip(&in, n - left.n);
		fuzz_free(piece);
	}
	r->rest = in.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const enum dot_mode mode = fuzz_choice(&in) & 1 ? DOT_LENIENT : DOT_STRICT;
	struct fuzz_random random = {fuzz_choice(&in)};
	/* Text is never longer than the stream. */
	struct result slow = {.text = malloc(in.n + 1)};
	struct result cut = {.text = malloc(in.n + 1)};

	fuzz_need(slow.text != NULL && cut.text != NULL);
	decode_slowly(in, mode, &slow);
	decode_cut(in, mode, &random, &cut);
	fuzz_need(slow.end == cut.end);
	fuzz_need(span_eq(span_of(slow.text, slow.n), span_of(cut.text, cut.n)));
	fuzz_need(slow.end != DOT_END || slow.rest == cut.rest);
	free(slow.text);
	free(cut.text);
	return 0;
}
