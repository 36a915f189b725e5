/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_top.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "cuts.h"

#define S(text) SPAN_LIT(text)

static const struct {
	struct span message;
	uint64_t lines;
	size_t octets;
	bool done;
} cases[] = {
	{S(""), 0, 0, false},
	/* The header goes to behind the blank line, in CRLF, LF and both. */
	{S("A: b\r\n\r\nbody\r\n"), 0, 8, true},
	{S("A: b\n\nbody\n"), 0, 6, true},
	{S("A: b\r\n\nbody\n"), 0, 7, true},
	{S("A: b\n\r\nbody\n"), 0, 7, true},
	{S("A: b\r\nC: d\r\n\r\nbody"), 0, 14, true},
	/* A message may begin with the blank line. */
	{S("\r\nbody\r\nbody\r\n"), 0, 2, true},
	{S("\nbody\r\nbody\r\n"), 0, 1, true},
	{S("\nbody\r\nbody\r\n"), 1, 7, true},
	/* What only looks like a blank line. */
	{S("A: b\r\n\r\r\nC: d\r\n\r\nbody"), 0, 17, true},
	{S("A: b\r\n\rC: d\r\n\r\nbody"), 0, 15, true},
	{S("A: b\r\r\n\r\nbody"), 0, 9, true},
	{S("A: b\n \n\nbody"), 0, 8, true},
	{S("\r\r\n\nbody"), 0, 4, true},
	{S("\rA\n\nbody"), 0, 4, true},
	{S("A\r\r\r\n\nbody"), 0, 6, true},
	{S("A\n\0\n\nbody"), 0, 5, true},
	/* Without a blank line all is header, and there may be more to come. */
	{S("A: b\r\nC: d\r\n"), 0, 12, false},
	{S("A: b\r\nC: d"), 5, 10, false},
	{S("\r"), 0, 1, false},
	/* Lines of the body. */
	{S("A: b\r\n\r\none\r\ntwo\r\nthree\r\n"), 1, 13, true},
	{S("A: b\r\n\r\none\r\ntwo\r\nthree\r\n"), 2, 18, true},
	{S("A: b\r\n\r\none\r\ntwo\r\nthree\r\n"), 3, 25, true},
	{S("A: b\r\n\r\none\r\ntwo\r\nthree\r\n"), 4, 25, false},
	{S("A: b\r\n\r\none\r\ntwo\r\nthree\r\n"), UINT64_MAX, 25, false},
	{S("A: b\n\none\ntwo\nthree\n"), 2, 14, true},
	{S("A\n\n\n\n\n"), 2, 5, true},
	{S("A\n\n\r\rb\rc\nd\n"), 1, 9, true},
	/* The last line without an end counts, and belongs to it. */
	{S("A: b\r\n\r\none\r\ntwo"), 2, 16, false},
	{S("A: b\r\n\r\none\r\ntwo"), 1, 13, true},
	{S("A: b\r\n\r\n"), 0, 8, true},
	{S("A: b\r\n\r\n"), 1, 8, false},
	{S(".\r\n.\r\n\r\n.\r\n..\r\n"), 1, 11, true},
};

static void take(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t way = 0; way < cuts_ways(cases[i].message); way++) {
			struct pop3_top t = {.lines = cases[i].lines};
			struct cuts cuts = cuts_begin(cases[i].message, way);
			struct span in;
			size_t octets = 0;
			bool stopped = false;

			while (cuts_next(&cuts, &in)) {
				const size_t n = pop3_top_take(&t, in);

				assert_true(n <= in.n);
				if (stopped)
					assert_int_equal(n, 0);
				if (n < in.n) {
					stopped = true;
					assert_true(pop3_top_done(&t));
				}
				octets += n;
			}
			assert_int_equal(octets, cases[i].octets);
			assert_int_equal(pop3_top_done(&t), cases[i].done);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(take)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
