/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "cuts.h"

#define S(text) SPAN_LIT(text)

static const struct {
	struct span text;
	bool bare;
	enum smtp_chunks_end end;
} cases[] = {
	{S(""), false, SMTP_CHUNKS_WHOLE},
	{S("\r\n"), false, SMTP_CHUNKS_WHOLE},
	{S("a\r\n\r\nb\r\n"), false, SMTP_CHUNKS_WHOLE},
	{S("a\r\n.\r\n..\0\xff\r\n"), false, SMTP_CHUNKS_WHOLE},
	{S("a"), false, SMTP_CHUNKS_NO_EOL},
	{S("a\r\nb"), false, SMTP_CHUNKS_NO_EOL},
	{S("\r"), false, SMTP_CHUNKS_LONE_CR},
	{S("a\r\nb\r"), false, SMTP_CHUNKS_LONE_CR},
	{S("\n"), true, SMTP_CHUNKS_WHOLE},
	{S("a\n"), true, SMTP_CHUNKS_WHOLE},
	{S("a\nb\r\n"), true, SMTP_CHUNKS_WHOLE},
	{S("a\r\n\n"), true, SMTP_CHUNKS_WHOLE},
	{S("a\rb\r\n"), true, SMTP_CHUNKS_WHOLE},
	{S("\r\r\n"), true, SMTP_CHUNKS_WHOLE},
	{S("\ra"), true, SMTP_CHUNKS_NO_EOL},
	{S("a\n\r"), true, SMTP_CHUNKS_LONE_CR},
};

/* One chunk that comes in pieces, and a chunk for each piece: what is bare doesn't depend on it. */
static void in_all_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct span text = cases[i].text;

		for (size_t way = 0; way < 2 * cuts_ways(text); way++) {
			const bool many = way % 2 == 1;
			struct cuts cuts = cuts_begin(text, way / 2);
			struct smtp_chunks c = {.left = text.n};
			struct span piece;

			while (cuts_next(&cuts, &piece)) {
				struct span in = piece;
				struct span got;

				if (many)
					c.left = piece.n;
				got = smtp_chunks_take(&c, &in);
				assert_true(got.p == piece.p && got.n == piece.n);
				assert_int_equal(in.n, 0);
			}
			assert_int_equal(c.left, 0);
			assert_int_equal(c.bare, cases[i].bare);
			assert_int_equal(smtp_chunks_end(&c), cases[i].end);
		}
	}
}

static void what_follows_the_chunk_stays(void **state)
{
	struct smtp_chunks c = {.left = 3};
	struct span in = S("abc\nQUIT\r\n");
	struct span got = smtp_chunks_take(&c, &in);

	(void)state;
	assert_true(span_eq(got, S("abc")));
	assert_true(span_eq(in, S("\nQUIT\r\n")));
	assert_false(c.bare);
	got = smtp_chunks_take(&c, &in);
	assert_int_equal(got.n, 0);
	assert_int_equal(in.n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_all_pieces),
		cmocka_unit_test(what_follows_the_chunk_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
