/* SPDX-License-Identifier: MIT */
/*
 * A message. If it is internationalised, then after the downgrade its header is ASCII
 * and ends where it ended, its body is what it was, and it is longer by what was
 * measured. However much of it is there at a time, its fields are the same.
 */
#include "base/out.h"
#include "codec/dot.h"
#include "codec/mail/downgrade.h"
#include "fuzz.h"

static uint64_t wire_octets(struct span s)
{
	struct dot_measure m = {0};

	dot_measure(&m, s);
	return dot_measure_octets(&m);
}

/* Each field is the same with less behind it, or needs what is behind it. */
static void check_cuts(struct span in, struct fuzz_random *random)
{
	struct span field;
	struct span rest = in;

	while (downgrade_next(&rest, true, &field) == DOWNGRADE_FIELD) {
		struct span less = span_of(field.p, fuzz_length(random, field.n + rest.n));
		const size_t n = less.n;
		struct span again;

		if (downgrade_next(&less, false, &again) == DOWNGRADE_FIELD)
			fuzz_need(again.n == field.n && n > field.n);
	}
}

static struct span downgraded(struct span in, struct out *out)
{
	struct span field;

	while (downgrade_next(&in, true, &field) == DOWNGRADE_FIELD) {
		const size_t before = out->n;

		fuzz_need(downgrade_field(field, out));
		for (size_t i = before; i < out->n; i++)
			fuzz_need((unsigned char)out->p[i] < 0x80);
	}
	return in;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random random = {fuzz_choice(&in)};
	const struct span text = fuzz_copy(in);
	char *const scratch = malloc(DOWNGRADE_OUT_MAX);
	int32_t growth = 0;

	fuzz_need(scratch != NULL);
	check_cuts(text, &random);
	if (downgrade_measure(text, true, scratch, &growth) == DOWNGRADE_NEEDED) {
		const size_t cap = text.n + DOWNGRADE_GROWTH_MAX + 2;
		struct out out = {.p = malloc(cap), .cap = cap};
		struct span body;
		int32_t none;

		fuzz_need(out.p != NULL);
		body = downgraded(text, &out);

		const size_t header = out.n;

		fuzz_need(out_put(&out, body));
		fuzz_need(wire_octets(out_span(&out)) == wire_octets(text) + (uint64_t)growth);
		fuzz_need(downgrade_measure(out_span(&out), true, scratch, &none) ==
			  DOWNGRADE_NOT_NEEDED);

		struct span again = out_span(&out);
		struct span field;

		while (downgrade_next(&again, true, &field) == DOWNGRADE_FIELD)
			;
		fuzz_need(again.n == out.n - header);
		free(out.p);
	}
	free(scratch);
	fuzz_free(text);
	return 0;
}
