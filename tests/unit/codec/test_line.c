/* SPDX-License-Identifier: MIT */
#include "codec/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/out.h"
#include "cuts.h"

#define S(text) SPAN_LIT(text)
#define MAX 8

/* Each line in brackets; "!" for one that was too long. What is left is not a line yet. */
static const struct {
	struct span in;
	struct span lines;
	struct span left;
} cases[] = {
	{S(""), S(""), S("")},
	{S("\r\n"), S("[]"), S("")},
	{S("\n"), S("[]"), S("")},
	{S("a\r\n"), S("[a]"), S("")},
	{S("a\n"), S("[a]"), S("")},
	{S("a\r\r\n"), S("[a\r]"), S("")},
	{S("\r"), S(""), S("\r")},
	{S("a\rb\r\n"), S("[a\rb]"), S("")},
	{S("a\r\nb\nc"), S("[a][b]"), S("c")},
	{S("a\0\xff\r\n"), S("[a\0\xff]"), S("")},
	{S(" a \r\n"), S("[ a ]"), S("")},
	/* the limit counts the line's end */
	{S("123456\r\n"), S("[123456]"), S("")},
	{S("1234567\n"), S("[1234567]"), S("")},
	{S("1234567\r\n"), S("!"), S("")},
	{S("1234567\r\nab\r\n"), S("![ab]"), S("")},
	{S("12345678\nab\n"), S("![ab]"), S("")},
	{S("1234567"), S(""), S("1234567")},
	{S("12345678"), S("!"), S("")},
	{S("12345678123456781234567812345678\r\nab\r\n"), S("![ab]"), S("")},
	{S("ab\r\n123456789\r\ncd\r\n123456789\r\nef"), S("[ab]![cd]!"), S("ef")},
	{S("12345678\n\n\n"), S("![][]"), S("")},
	{S("12345678\n12345678\n"), S("!!"), S("")},
};

static void check(struct span stream, size_t way, struct span lines, struct span left)
{
	struct line_reader l = {.max = MAX};
	struct cuts cuts = cuts_begin(stream, way);
	char memory[80];
	struct out o = {.p = memory, .cap = sizeof(memory)};
	char *buffer = malloc(MAX); /* what a session has, and no octet more */
	size_t n = 0;
	struct span piece;

	assert_non_null(buffer);
	while (cuts_next(&cuts, &piece)) {
		while (piece.n > 0) {
			const size_t room = MAX - n;
			const size_t taken = piece.n < room ? piece.n : room;
			struct span in;
			struct span line = S("untouched");
			enum line_status status;

			assert_true(taken > 0); /* never stuck */
			memcpy(buffer + n, piece.p, taken);
			span_skip(&piece, taken);
			in = span_of(buffer, n + taken);
			while ((status = line_take(&l, &in, &line)) != LINE_MORE) {
				if (status == LINE_TOO_LONG) {
					assert_true(out_char(&o, '!'));
					assert_true(span_eq(line, S("untouched")));
					continue;
				}
				assert_true(out_char(&o, '[') && out_put(&o, line) &&
					    out_char(&o, ']'));
				line = S("untouched");
			}
			assert_true(span_eq(line, S("untouched")));
			n = in.n;
			memmove(buffer, in.p, n);
		}
	}
	assert_true(span_eq(out_span(&o), lines));
	assert_true(span_eq(span_of(buffer, n), left));
	free(buffer);
}

static void lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t way = 0; way < cuts_ways(cases[i].in); way++)
			check(cases[i].in, way, cases[i].lines, cases[i].left);
	}
}

/* As for a SASL response, which may be longer than the command before it. */
static void the_limit_may_change_between_lines(void **state)
{
	struct line_reader l = {.max = 4};
	struct span in = S("a\r\n12345678\r\n12345678\r\n");
	struct span line;

	(void)state;
	assert_int_equal(line_take(&l, &in, &line), LINE_GOT);
	l.max = 10;
	assert_int_equal(line_take(&l, &in, &line), LINE_GOT);
	assert_true(span_eq(line, S("12345678")));
	l.max = 4;
	assert_int_equal(line_take(&l, &in, &line), LINE_TOO_LONG);
	assert_int_equal(line_take(&l, &in, &line), LINE_MORE);
	assert_int_equal(in.n, 0);
}

/* What is left of a long line may look like one that is allowed to be longer. */
static void the_rest_of_a_long_line_can_be_passed_over(void **state)
{
	const struct span stream = S("12345678AUTH a\r\nbc\r\n");

	(void)state;
	for (size_t cut = MAX; cut <= stream.n; cut++) {
		struct line_reader l = {.max = MAX};
		struct span in = span_of(stream.p, cut);
		struct span line;

		assert_int_equal(line_take(&l, &in, &line), LINE_TOO_LONG);
		if (!line_skip_rest(&l, &in)) {
			assert_true(cut < 16); /* the line ends there */
			assert_int_equal(in.n, 0);
			in = span_of(stream.p + cut, stream.n - cut);
			assert_true(line_skip_rest(&l, &in));
		} else {
			assert_true(cut >= 16);
			in.n += stream.n - cut;
		}
		assert_true(line_skip_rest(&l, &in)); /* there is nothing more to skip */
		assert_true(span_eq(in, S("bc\r\n")));
		assert_int_equal(line_take(&l, &in, &line), LINE_GOT);
		assert_true(span_eq(line, S("bc")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(the_limit_may_change_between_lines),
		cmocka_unit_test(the_rest_of_a_long_line_can_be_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
