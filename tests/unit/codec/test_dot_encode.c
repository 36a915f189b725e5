/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "cuts.h"

#define S(text) SPAN_LIT(text)

static const struct encode_case {
	struct span in;
	struct span wire; /* with the end */
	uint64_t octets;
	uint64_t bare_lf;
	uint64_t dot_lines;
	bool no_eol;
} cases[] = {
	{S(""), S(".\r\n"), 0, 0, 0, false},
	/* after a line's beginning */
	{S("\r\n"), S("\r\n.\r\n"), 2, 0, 0, false},
	{S("\n"), S("\r\n.\r\n"), 2, 1, 0, false},
	{S("\n\n"), S("\r\n\r\n.\r\n"), 4, 2, 0, false},
	{S("."), S("..\r\n.\r\n"), 3, 0, 1, true},
	{S(".\r\n"), S("..\r\n.\r\n"), 3, 0, 1, false},
	{S(".\n"), S("..\r\n.\r\n"), 3, 1, 1, false},
	{S("..\r\n"), S("...\r\n.\r\n"), 4, 0, 1, false},
	{S("a\r\n.b\r\n"), S("a\r\n..b\r\n.\r\n"), 7, 0, 1, false},
	{S("a\n.b\n"), S("a\r\n..b\r\n.\r\n"), 7, 2, 1, false},
	{S("a\n.\n.\n"), S("a\r\n..\r\n..\r\n.\r\n"), 9, 3, 2, false},
	/* inside a line */
	{S("a"), S("a\r\n.\r\n"), 3, 0, 0, true},
	{S("a."), S("a.\r\n.\r\n"), 4, 0, 0, true},
	{S("a\0b\xff\n"), S("a\0b\xff\r\n.\r\n"), 6, 1, 0, false},
	/* after CR */
	{S("a\r"), S("a\r\r\n.\r\n"), 4, 0, 0, true},
	{S("\r"), S("\r\r\n.\r\n"), 3, 0, 0, true},
	{S("a\r\r\n"), S("a\r\r\n.\r\n"), 4, 0, 0, false},
	{S("a\rb\n"), S("a\rb\r\n.\r\n"), 5, 1, 0, false},
	{S("a\r.\r\n"), S("a\r.\r\n.\r\n"), 5, 0, 0, false},
	{S("a\r\n\n"), S("a\r\n\r\n.\r\n"), 5, 1, 0, false},
	{S(".\r.\n"), S("..\r.\r\n.\r\n"), 5, 1, 1, false},
};

static void check(const struct encode_case *c, size_t way, size_t cap)
{
	struct dot_encoder e = {0};
	struct cuts cuts = cuts_begin(c->in, way);
	char memory[64];
	struct out all = {.p = memory, .cap = sizeof(memory)};
	char *const small = malloc(cap);
	char end[DOT_END_MAX];
	struct out last = {.p = end, .cap = sizeof(end)};
	struct span in;

	assert_non_null(small);
	while (cuts_next(&cuts, &in)) {
		while (in.n > 0) {
			struct out o = {.p = small, .cap = cap};

			dot_encode(&e, &in, &o);
			/* It stops for one of two reasons only. */
			assert_true(in.n == 0 || out_room(&o) == 0);
			assert_true(out_put(&all, out_span(&o)));
		}
	}
	assert_true(dot_encode_end(&e, &last));
	assert_true(out_put(&all, out_span(&last)));
	assert_true(span_eq(out_span(&all), c->wire));
	assert_int_equal(e.octets, c->octets);
	free(small);
}

static void encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t way = 0; way < cuts_ways(cases[i].in); way++) {
			for (size_t cap = 1; cap <= cases[i].wire.n; cap++)
				check(&cases[i], way, cap);
		}
	}
}

static void the_end_needs_room(void **state)
{
	(void)state;
	for (size_t room = 0; room < DOT_END_MAX; room++) {
		struct dot_encoder e = {0};
		char memory[DOT_END_MAX + 1];
		struct out o = {.p = memory, .cap = sizeof(memory)};
		struct span in = S("a");

		dot_encode(&e, &in, &o);
		o.cap = o.n + room;
		assert_false(dot_encode_end(&e, &o));
		assert_int_equal(o.n, 1);
		assert_int_equal(e.octets, 1);
		o.cap = sizeof(memory);
		assert_true(dot_encode_end(&e, &o));
		assert_int_equal(e.octets, 3);
	}
}

static void measure(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t way = 0; way < cuts_ways(cases[i].in); way++) {
			struct dot_measure m = {0};
			struct cuts cuts = cuts_begin(cases[i].in, way);
			struct span in;

			while (cuts_next(&cuts, &in))
				dot_measure(&m, in);
			assert_int_equal(m.bytes, cases[i].in.n);
			assert_int_equal(m.bare_lf, cases[i].bare_lf);
			assert_int_equal(m.dot_lines, cases[i].dot_lines);
			assert_int_equal(dot_measure_no_eol(&m), cases[i].no_eol);
			assert_int_equal(dot_measure_octets(&m), cases[i].octets);
		}
	}
}

/* What is sent for a message is read as that message, line ends as on the wire. */
static void round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dot_decoder d = {.mode = DOT_LENIENT};
		struct span in = cases[i].wire;
		struct span text;
		struct dot_measure m = {0};

		while (dot_decode(&d, &in, &text) == DOT_TEXT)
			dot_measure(&m, text);
		assert_int_equal(in.n, 0);
		assert_int_equal(m.bytes, cases[i].octets);
		assert_int_equal(m.dot_lines, cases[i].dot_lines);
		assert_int_equal(m.bare_lf, 0);
		assert_false(dot_measure_no_eol(&m));
	}
}

/* Sizes are 64 bits wide: five gigabytes, of one line each time. */
static void sizes_pass_four_gigabytes(void **state)
{
	const size_t n = 1U << 20;
	char *const memory = malloc(n);
	struct dot_measure m = {0};

	(void)state;
	assert_non_null(memory);
	memset(memory, 'x', n);
	memory[n - 1] = '\n';
	for (unsigned i = 0; i < 5 * 1024; i++)
		dot_measure(&m, span_of(memory, n));
	assert_int_equal(m.bytes, UINT64_C(5) << 30);
	assert_int_equal(dot_measure_octets(&m), (UINT64_C(5) << 30) + 5 * 1024);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encode),
		cmocka_unit_test(the_end_needs_room),
		cmocka_unit_test(measure),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(sizes_pass_four_gigabytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
