/* SPDX-License-Identifier: MIT */
/*
 * A stored message: one octet of choice, then the message. However it is cut, and
 * however little room there is each time, the wire carries what a slow encoder
 * writes, as many octets as were measured, and it decodes to the message.
 */
#include "codec/dot.h"
#include "fuzz.h"

static size_t encode_slowly(struct span in, char *wire)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '.' && (i == 0 || in.p[i - 1] == '\n'))
			wire[n++] = '.';
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			wire[n++] = '\r';
		wire[n++] = in.p[i];
	}
	if (in.n > 0 && in.p[in.n - 1] != '\n') {
		wire[n++] = '\r';
		wire[n++] = '\n';
	}
	memcpy(wire + n, ".\r\n", 3);
	return n + 3;
}

static size_t encode_cut(struct span in, struct fuzz_random *random, char *wire, size_t cap,
			 struct dot_encoder *e)
{
	size_t n = 0;

	while (in.n > 0) {
		const struct span piece = fuzz_copy(span_of(in.p, fuzz_length(random, in.n)));
		struct span left = piece;

		span_skip(&in, piece.n);
		while (left.n > 0) {
			struct out out = {.p = malloc(64), .cap = fuzz_length(random, 64)};

			fuzz_need(out.p != NULL);
			dot_encode(e, &left, &out);
			fuzz_need(left.n == 0 || out_room(&out) == 0);
			fuzz_need(out.n <= cap - n);
			memcpy(wire + n, out.p, out.n);
			n += out.n;
			free(out.p);
		}
		fuzz_free(piece);
	}

	struct out end = {.p = wire, .n = n, .cap = cap};

	fuzz_need(dot_encode_end(e, &end));
	return end.n;
}

static void check_measure(struct span in, struct fuzz_random *random, uint64_t octets)
{
	struct dot_measure m = {0};

	while (in.n > 0) {
		const struct span piece = fuzz_copy(span_of(in.p, fuzz_length(random, in.n)));

		dot_measure(&m, piece);
		span_skip(&in, piece.n);
		fuzz_free(piece);
	}
	fuzz_need(dot_measure_octets(&m) == octets);
}

/* What arrives measures as long as what was sent, and has all of its line ends. */
static void check_decode(struct span wire, uint64_t octets)
{
	struct dot_decoder d = {.mode = DOT_LENIENT};
	struct dot_measure m = {0};
	struct span text;
	enum dot_status status;

	while ((status = dot_decode(&d, &wire, &text)) == DOT_TEXT)
		dot_measure(&m, text);
	fuzz_need(status == DOT_END && wire.n == 0);
	fuzz_need(m.bytes == octets && m.bare_lf == 0 && !dot_measure_no_eol(&m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random random = {fuzz_choice(&in)};
	const size_t cap = 2 * in.n + DOT_END_MAX;
	char *const slow = malloc(cap);
	char *const cut = malloc(cap);
	struct dot_encoder e = {0};

	fuzz_need(slow != NULL && cut != NULL);

	const size_t slow_n = encode_slowly(in, slow);
	const size_t cut_n = encode_cut(in, &random, cut, cap, &e);

	fuzz_need(span_eq(span_of(slow, slow_n), span_of(cut, cut_n)));
	check_measure(in, &random, e.octets);
	check_decode(span_of(cut, cut_n), e.octets);
	free(slow);
	free(cut);
	return 0;
}
