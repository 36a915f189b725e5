/* SPDX-License-Identifier: MIT */
/*
 * A message in chunks: two octets of choices, then its octets. However it is cut into
 * chunks and pieces, all of it comes out, and what is bare in it is found.
 */
#include "codec/smtp/smtp_chunk.h"
#include "fuzz.h"

static bool is_bare(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return true;
		if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] != '\n')
			return true;
	}
	return false;
}

static enum smtp_chunks_end end_of(struct span s)
{
	if (s.n == 0 || s.p[s.n - 1] == '\n')
		return SMTP_CHUNKS_WHOLE;
	return s.p[s.n - 1] == '\r' ? SMTP_CHUNKS_LONE_CR : SMTP_CHUNKS_NO_EOL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random random = {fuzz_choice(&in)};
	const bool one = (fuzz_choice(&in) & 1) != 0;
	const struct span whole = in;
	struct smtp_chunks c = {.left = one ? in.n : 0};

	while (in.n > 0) {
		const size_t n = fuzz_length(&random, in.n);
		const struct span piece = fuzz_copy(span_of(in.p, n));
		struct span rest = piece;

		while (rest.n > 0) {
			const struct span before = rest;

			if (c.left == 0)
				c.left = fuzz_length(&random, in.n);

			const uint64_t left = c.left;
			const struct span text = smtp_chunks_take(&c, &rest);

			fuzz_need(text.p == before.p && text.n == before.n - rest.n);
			fuzz_need(c.left == left - text.n);
			fuzz_need(c.left == 0 || rest.n == 0);
		}
		fuzz_free(piece);
		span_skip(&in, n);
	}
	fuzz_need(c.bare == is_bare(whole));
	fuzz_need(smtp_chunks_end(&c) == end_of(whole));
	return 0;
}
