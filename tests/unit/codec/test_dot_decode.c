/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "cuts.h"

#define S(text) SPAN_LIT(text)

struct decode_case {
	struct span in;
	struct span text;
	enum dot_status end;
	struct span rest; /* with DOT_END: what is left of the input */
};

/*
 * Cells of the table in the order of its rows. What follows an octet in a case
 * would hide a wrong cell if it could, and then the case would be no good.
 */
static const struct decode_case strict_cases[] = {
	/* START */
	{S("\r\n.\r\n"), S("\r\n"), DOT_END, S("")},
	{S("\r\n\r\n.\r\n"), S("\r\n\r\n"), DOT_END, S("")},
	{S("\n.\r\n"), S(""), DOT_BAD, S("")},
	{S("\r\n\n.\r\n"), S("\r\n"), DOT_BAD, S("")},
	{S(".\r\n"), S(""), DOT_END, S("")},
	{S("a\r\n.\r\n"), S("a\r\n"), DOT_END, S("")},
	{S("\n\n"), S(""), DOT_BAD, S("")},
	/* TEXT */
	{S("ab\r\n.\r\n"), S("ab\r\n"), DOT_END, S("")},
	{S("a\n\n"), S("a"), DOT_BAD, S("")},
	{S("a\n.\r\n"), S("a"), DOT_BAD, S("")},
	{S("a\n\r\n.\r\n"), S("a"), DOT_BAD, S("")},
	{S("a.\r\n.\r\n"), S("a.\r\n"), DOT_END, S("")},
	{S("a..b\r\n.\r\n"), S("a..b\r\n"), DOT_END, S("")},
	{S("abc\0\xff\x80 \r\n.\r\n"), S("abc\0\xff\x80 \r\n"), DOT_END, S("")},
	/* CR. What was read before it is known to be bad is text. */
	{S("a\r\r\n.\r\n"), S("a\r"), DOT_BAD, S("")},
	{S("a\r.\r\n.\r\n"), S("a\r"), DOT_BAD, S("")},
	{S("a\rb\r\n.\r\n"), S("a\r"), DOT_BAD, S("")},
	{S("\r\r\n.\r\n"), S("\r"), DOT_BAD, S("")},
	{S("a\r\r\r\n"), S("a\r"), DOT_BAD, S("")},
	{S("a\r.\n"), S("a\r"), DOT_BAD, S("")},
	{S("a\rb\n"), S("a\r"), DOT_BAD, S("")},
	/* DOT */
	{S(".\n.\r\n"), S(""), DOT_BAD, S("")},
	{S(".\n\n"), S(""), DOT_BAD, S("")},
	{S(".a.\r\n.\r\n"), S("a.\r\n"), DOT_END, S("")},
	{S("..\r\n.\r\n"), S(".\r\n"), DOT_END, S("")},
	{S("...\r\n.\r\n"), S("..\r\n"), DOT_END, S("")},
	{S(".a\r\n.\r\n"), S("a\r\n"), DOT_END, S("")},
	{S("a\r\n.b\r\n.\r\n"), S("a\r\nb\r\n"), DOT_END, S("")},
	/* DOT_CR */
	{S(".\r\r\n.\r\n"), S(""), DOT_BAD, S("")},
	{S(".\r.\r\n.\r\n"), S(""), DOT_BAD, S("")},
	{S(".\ra\r\n.\r\n"), S(""), DOT_BAD, S("")},
	{S(".\r\r\r\n"), S(""), DOT_BAD, S("")},
	{S(".\r.\n"), S(""), DOT_BAD, S("")},
	{S(".\ra\n"), S(""), DOT_BAD, S("")},
	/* What follows the end stays. */
	{S("a\r\n.\r\nQUIT\r\n"), S("a\r\n"), DOT_END, S("QUIT\r\n")},
	{S(".\r\n.\r\n"), S(""), DOT_END, S(".\r\n")},
	{S("a\r\n.\r\n\n"), S("a\r\n"), DOT_END, S("\n")},
	/* Nothing is held back but what may be the end. */
	{S(""), S(""), DOT_MORE, S("")},
	{S("a"), S("a"), DOT_MORE, S("")},
	{S("a\r"), S("a\r"), DOT_MORE, S("")},
	{S("a\r\n"), S("a\r\n"), DOT_MORE, S("")},
	{S("a\r\n."), S("a\r\n"), DOT_MORE, S("")},
	{S("a\r\n.\r"), S("a\r\n"), DOT_MORE, S("")},
	/* Smuggling: ends that other servers see. */
	{S("a\n.\nMAIL FROM:<>\r\n.\r\n"), S("a"), DOT_BAD, S("")},
	{S("a\r\n.\nMAIL FROM:<>\r\n.\r\n"), S("a\r\n"), DOT_BAD, S("")},
	{S("a\n.\r\nMAIL FROM:<>\r\n.\r\n"), S("a"), DOT_BAD, S("")},
	{S("a\r.\rMAIL FROM:<>\r\n.\r\n"), S("a\r"), DOT_BAD, S("")},
	{S("a\r\n\0.\r\nb\r\n.\r\n"), S("a\r\n\0.\r\nb\r\n"), DOT_END, S("")},
};

static const struct decode_case lenient_cases[] = {
	/* START */
	{S("\r\n.\r\n"), S("\r\n"), DOT_END, S("")},
	{S("\n.\r\n.\r\n"), S("\n.\r\n"), DOT_END, S("")},
	{S("\n\n.\r\n.\r\n"), S("\n\n.\r\n"), DOT_END, S("")},
	{S("\r\n\n..\r\n.\r\n"), S("\r\n\n..\r\n"), DOT_END, S("")},
	{S(".\r\n"), S(""), DOT_END, S("")},
	{S("a\r\n.\r\n"), S("a\r\n"), DOT_END, S("")},
	{S("a.\r\n.\r\n"), S("a.\r\n"), DOT_END, S("")},
	/* TEXT */
	{S("a\n.\r\n.\r\n"), S("a\n.\r\n"), DOT_END, S("")},
	{S("a\n..\r\n.\r\n"), S("a\n..\r\n"), DOT_END, S("")},
	{S("a\n\r\n.\r\n"), S("a\n\r\n"), DOT_END, S("")},
	{S("a..b\r\n.\r\n"), S("a..b\r\n"), DOT_END, S("")},
	{S("abc\0\xff\x80 \r\n.\r\n"), S("abc\0\xff\x80 \r\n"), DOT_END, S("")},
	/* CR */
	{S("a\r\r\n.\r\n"), S("a\r\r\n"), DOT_END, S("")},
	{S("a\r\r\r\n.\r\n"), S("a\r\r\r\n"), DOT_END, S("")},
	{S("a\r.\r\n.\r\n"), S("a\r.\r\n"), DOT_END, S("")},
	{S("a\r.\n.\r\n.\r\n"), S("a\r.\n.\r\n"), DOT_END, S("")},
	{S("a\rb.\r\n.\r\n"), S("a\rb.\r\n"), DOT_END, S("")},
	{S("a\r..\r\n.\r\n"), S("a\r..\r\n"), DOT_END, S("")},
	{S("a\rb\r\n.\r\n"), S("a\rb\r\n"), DOT_END, S("")},
	{S("a\rb\n.\r\n.\r\n"), S("a\rb\n.\r\n"), DOT_END, S("")},
	/* DOT: dropped before a dot, kept before anything else */
	{S(".\n.\r\n.\r\n"), S(".\n.\r\n"), DOT_END, S("")},
	{S("a\r\n.\nb\r\n.\r\n"), S("a\r\n.\nb\r\n"), DOT_END, S("")},
	{S("..\r\n.\r\n"), S(".\r\n"), DOT_END, S("")},
	{S("...\r\n.\r\n"), S("..\r\n"), DOT_END, S("")},
	{S("..\n.\r\n.\r\n"), S(".\n.\r\n"), DOT_END, S("")},
	{S(".a\r\n.\r\n"), S(".a\r\n"), DOT_END, S("")},
	{S("a\r\n.b\n.\r\n.\r\n"), S("a\r\n.b\n.\r\n"), DOT_END, S("")},
	/* DOT_CR */
	{S(".\r\r\n.\r\n"), S(".\r\r\n"), DOT_END, S("")},
	{S(".\r\r\r\n.\r\n"), S(".\r\r\r\n"), DOT_END, S("")},
	{S("a\r\n.\r.\r\n.\r\n"), S("a\r\n.\r.\r\n"), DOT_END, S("")},
	{S(".\ra\r\n.\r\n"), S(".\ra\r\n"), DOT_END, S("")},
	{S(".\ra\n.\r\n.\r\n"), S(".\ra\n.\r\n"), DOT_END, S("")},
	/* Only CRLF "." CRLF is the end. */
	{S("a\n.\nb\r\n.\r\n"), S("a\n.\nb\r\n"), DOT_END, S("")},
	{S("a\r\n.\r\n+OK\r\n"), S("a\r\n"), DOT_END, S("+OK\r\n")},
	{S("a\r\n.\r\n\n"), S("a\r\n"), DOT_END, S("\n")},
	{S(""), S(""), DOT_MORE, S("")},
	{S("a\r\n."), S("a\r\n"), DOT_MORE, S("")},
	{S("a\r\n.\r"), S("a\r\n"), DOT_MORE, S("")},
	{S("a\n.\r\n"), S("a\n.\r\n"), DOT_MORE, S("")},
};

/* Decodes a stream that is cut in that way; the text in *out, the rest in *rest. */
static enum dot_status decode_cut(struct dot_decoder *d, struct span stream, size_t way,
				  struct out *out, struct out *rest)
{
	struct cuts cuts = cuts_begin(stream, way);
	enum dot_status status = DOT_MORE;
	struct span in;

	while (cuts_next(&cuts, &in)) {
		struct span text = S("untouched");

		if (status == DOT_END || status == DOT_BAD) {
			assert_true(out_put(rest, in));
			continue;
		}
		while ((status = dot_decode(d, &in, &text)) == DOT_TEXT) {
			assert_true(text.n > 0);
			assert_true(out_put(out, text));
			text = S("untouched");
		}
		assert_true(span_eq(text, S("untouched")));
		if (status == DOT_MORE)
			assert_int_equal(in.n, 0);
		assert_true(out_put(rest, in));
	}
	return status;
}

static void check(const struct decode_case *c, enum dot_mode mode, size_t way)
{
	struct dot_decoder d = {.mode = mode};
	char text[64], rest[64];
	struct out o = {.p = text, .cap = sizeof(text)};
	struct out r = {.p = rest, .cap = sizeof(rest)};
	struct span more = S("x\r\n.\r\n");
	struct span unused = S("untouched");

	assert_int_equal(decode_cut(&d, c->in, way, &o, &r), c->end);
	assert_true(span_eq(out_span(&o), c->text));
	if (c->end == DOT_END)
		assert_true(span_eq(out_span(&r), c->rest));
	if (c->end != DOT_MORE) {
		/* The next message begins anew, and a bad one never ends. */
		assert_int_equal(dot_decode(&d, &more, &unused),
				 c->end == DOT_END ? DOT_TEXT : DOT_BAD);
		assert_true(span_eq(unused, c->end == DOT_END ? S("x\r\n") : S("untouched")));
	}
}

/* What is read before the first bad octet, and after it leniently, is what lenient reads. */
static void check_relenting(struct span stream, size_t way)
{
	struct cuts cuts = cuts_begin(stream, way);
	struct dot_decoder strict = {.mode = DOT_STRICT};
	struct dot_decoder lenient = {.mode = DOT_LENIENT};
	struct span piece;

	while (cuts_next(&cuts, &piece)) {
		struct span in = piece;
		struct span same = piece;
		struct span text;
		enum dot_status end, expected;

		while ((end = dot_decode(&strict, &in, &text)) == DOT_TEXT || end == DOT_BAD) {
			if (end == DOT_BAD)
				dot_decoder_relent(&strict);
		}
		while ((expected = dot_decode(&lenient, &same, &text)) == DOT_TEXT)
			;
		assert_int_equal(end, expected);
		assert_int_equal(in.n, same.n);
		if (end == DOT_END)
			break;
	}
	cuts_end(&cuts);
}

/*
 * The end of a refused message is found where only CRLF "." CRLF is one: after
 * every beginning of every case, whose last octet a line end may need.
 */
static void relenting(void **state)
{
	static const struct span tails[] = {SPAN_LIT("\n.\r\nx"), SPAN_LIT("\r\n.\r\nx")};

	(void)state;
	for (size_t i = 0; i < sizeof(strict_cases) / sizeof(strict_cases[0]); i++) {
		for (size_t n = 0; n <= strict_cases[i].in.n; n++) {
			for (size_t k = 0; k < 2; k++) {
				char text[64 + 7];
				struct out o = {.p = text, .cap = sizeof(text)};

				assert_true(out_put(&o, span_of(strict_cases[i].in.p, n)));
				assert_true(out_put(&o, tails[k]));
				for (size_t way = 0; way < cuts_ways(out_span(&o)); way++)
					check_relenting(out_span(&o), way);
			}
		}
	}
}

static void strict(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strict_cases) / sizeof(strict_cases[0]); i++) {
		for (size_t way = 0; way < cuts_ways(strict_cases[i].in); way++)
			check(&strict_cases[i], DOT_STRICT, way);
	}
}

static void lenient(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lenient_cases) / sizeof(lenient_cases[0]); i++) {
		for (size_t way = 0; way < cuts_ways(lenient_cases[i].in); way++)
			check(&lenient_cases[i], DOT_LENIENT, way);
	}
}

/* Lines of megabytes, and no more calls than runs of text: the receiver copies nothing. */
static void a_long_line_is_one_run(void **state)
{
	const size_t n = 3U << 20;
	char *memory = malloc(n + 5);
	struct dot_decoder d = {.mode = DOT_STRICT};
	struct span in = span_of(memory, n + 5);
	struct span text;

	(void)state;
	assert_non_null(memory);
	memset(memory, '.', n);
	memset(memory, 'x', 1);
	memcpy(memory + n, "\r\n.\r\n", 5);
	assert_int_equal(dot_decode(&d, &in, &text), DOT_TEXT);
	assert_ptr_equal(text.p, memory);
	assert_int_equal(text.n, n + 2);
	assert_int_equal(dot_decode(&d, &in, &text), DOT_END);
	assert_int_equal(in.n, 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict),
		cmocka_unit_test(lenient),
		cmocka_unit_test(relenting),
		cmocka_unit_test(a_long_line_is_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
