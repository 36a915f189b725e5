/* SPDX-License-Identifier: MIT */
/*
 * A message for an mbox: a seed of the cuts, then the message. However it is cut the text is the
 * same; it ends with an empty line, has no line that begins with "From ", and with the
 * '>' taken away it is the message again, but for CRs and its end.
 */
#include "codec/mail/mbox_quote.h"
#include "fuzz.h"

/* Each octet may be five, and the end is three. */
static size_t quote(struct span in, struct fuzz_random *random, char *to, size_t cap)
{
	struct mbox_quoter q = {._matched = 0};
	struct out out = {.p = to, .cap = cap};

	while (in.n > 0) {
		const size_t n = random == NULL ? in.n : fuzz_length(random, in.n);
		struct span piece = span_of(in.p, n);

		mbox_quote(&q, &piece, &out);
		fuzz_need(piece.n == 0);
		span_skip(&in, n);
	}
	mbox_quote_end(&q, &out);
	return out.n;
}

/* Lines with LF, without one '>' where it was put. */
static size_t unquote(struct span in, char *to)
{
	size_t n = 0;

	while (in.n > 0) {
		const size_t at = span_find(in, '\n');
		struct span line = span_of(in.p, at < in.n ? at + 1 : at);
		size_t quotes = 0;

		span_skip(&in, line.n);
		while (quotes < line.n && line.p[quotes] == '>')
			quotes++;
		if (line.n - quotes >= 5 && memcmp(line.p + quotes, "From ", 5) == 0) {
			fuzz_need(quotes > 0);
			span_skip(&line, 1);
		}
		memcpy(to + n, line.p, line.n);
		n += line.n;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random random = {fuzz_choice(&in)};
	const size_t cap = 6 * in.n + 4 * MBOX_QUOTE_MAX;
	char *const whole = malloc(cap);
	char *const parts = malloc(cap);
	char *const back = malloc(cap);
	size_t at = 0;
	size_t n;

	fuzz_need(whole != NULL && parts != NULL && back != NULL);
	n = quote(in, NULL, whole, cap);
	fuzz_need(quote(in, &random, parts, cap) == n && memcmp(whole, parts, n) == 0);
	fuzz_need(n >= 1 && whole[n - 1] == '\n' && (n == 1 || whole[n - 2] == '\n'));
	n = unquote(span_of(whole, n - 1), back);
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
			continue;
		fuzz_need(at < n && back[at++] == in.p[i]);
	}
	fuzz_need(at == n || (at + 1 == n && back[at] == '\n'));
	free(whole);
	free(parts);
	free(back);
	return 0;
}
