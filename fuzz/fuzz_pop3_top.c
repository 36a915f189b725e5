/* SPDX-License-Identifier: MIT */
/*
 * TOP of a stored message: two octets of choices, then the message. However it is
 * cut, it ends where somebody ends it who counts the lines of the whole.
 */
#include "codec/pop3/pop3_top.h"
#include "fuzz.h"

static size_t top_slowly(struct span message, uint64_t lines)
{
	bool body = false;
	size_t i = 0;

	while (i < message.n && !(body && lines == 0)) {
		const struct span left = span_of(message.p + i, message.n - i);
		const size_t n = span_find(left, '\n');

		if (n == left.n)
			return message.n;
		if (body)
			lines--;
		else if (n == 0 || (n == 1 && left.p[0] == '\r'))
			body = true;
		i += n + 1;
	}
	return i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct pop3_top t = {.lines = fuzz_choice(&in) % 8};
	struct fuzz_random random = {fuzz_choice(&in)};
	const size_t wanted = top_slowly(in, t.lines);
	size_t octets = 0;

	while (in.n > 0) {
		const struct span piece = fuzz_copy(span_of(in.p, fuzz_length(&random, in.n)));
		const bool done = pop3_top_done(&t);
		const size_t n = pop3_top_take(&t, piece);

		fuzz_need(n <= piece.n && (!done || n == 0));
		fuzz_need(n == piece.n || pop3_top_done(&t));
		octets += n;
		span_skip(&in, piece.n);
		fuzz_free(piece);
	}
	fuzz_need(octets == wanted);
	return 0;
}
