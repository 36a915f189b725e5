/* SPDX-License-Identifier: MIT */
/*
 * A client's commands: two octets of choices, then what it sends. A session with a
 * buffer of just the longest line is never stuck, and sees the lines that a reader
 * of the whole stream sees.
 */
#include "codec/line.h"
#include "fuzz.h"

/* The next line of the whole stream, as line_take() would say it. */
static enum line_status next_slowly(struct span *in, size_t max, struct span *ret_line)
{
	size_t n = 0;

	while (n < in->n && in->p[n] != '\n')
		n++;
	if (n == in->n && n < max)
		return LINE_MORE;

	const struct span whole = span_of(in->p, n);

	span_skip(in, n < in->n ? n + 1 : n);
	if (n >= max)
		return LINE_TOO_LONG;
	*ret_line = whole;
	if (n > 0 && whole.p[n - 1] == '\r')
		ret_line->n--;
	return LINE_GOT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct line_reader l = {.max = 1 + fuzz_choice(&in) % 64};
	struct fuzz_random random = {fuzz_choice(&in)};
	struct span reference = in;
	char *const buffer = malloc(l.max);
	size_t n = 0;

	fuzz_need(buffer != NULL);
	while (in.n > 0) {
		const size_t room = l.max - n;
		size_t piece;
		struct span held;
		struct span line;
		enum line_status status;

		fuzz_need(room > 0);
		piece = fuzz_length(&random, in.n < room ? in.n : room);
		memcpy(buffer + n, in.p, piece);
		span_skip(&in, piece);
		held = span_of(buffer, n + piece);
		while ((status = line_take(&l, &held, &line)) != LINE_MORE) {
			struct span wanted;

			fuzz_need(status == next_slowly(&reference, l.max, &wanted));
			fuzz_need(status != LINE_GOT || span_eq(line, wanted));
		}
		n = held.n;
		memmove(buffer, held.p, n);
	}
	/* Nothing is left that the other way found a line in. */
	fuzz_need(next_slowly(&reference, l.max, &in) == LINE_MORE);
	free(buffer);
	return 0;
}
