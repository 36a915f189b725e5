/* SPDX-License-Identifier: MIT */
#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define OCTETS 70400U /* more than the block, so that it goes round */

static const struct mail want = {.user = 7, .number = 42, .octets = OCTETS, .kind = MAIL_CRLF};

static char wire[OCTETS];
static char kept[OCTETS];

/* The whole message, made in pieces. */
static void make(const struct mail *m, char *to, size_t piece)
{
	uint64_t at = 0;

	while (at < m->octets) {
		struct out o = {.p = to + at,
				.cap = piece < m->octets - at ? piece : m->octets - at};

		mail_make(m, &at, &o);
		assert_true(o.n > 0);
	}
}

static int set_up(void **state)
{
	(void)state;
	mail_init();
	make(&want, wire, sizeof(wire));
	return 0;
}

static bool is_right(const struct mail *m, bool trace, const char *p, size_t n, size_t piece)
{
	static struct mail_check c;
	uint64_t octets;

	memset(&c, 0, sizeof(c));
	c.want = *m;
	c.trace = trace;
	for (size_t at = 0; at < n; at += piece)
		(void)mail_check(&c, span_of(p + at, piece < n - at ? piece : n - at));
	return mail_check_end(&c, &octets) && octets == n;
}

static void pieces_make_the_same(void **state)
{
	static char other[OCTETS];

	(void)state;
	for (size_t piece = 1; piece < 300; piece++) {
		make(&want, other, piece);
		assert_memory_equal(wire, other, sizeof(wire));
	}
}

static void is_mail(void **state)
{
	size_t lines = 0;

	(void)state;
	assert_memory_equal(wire, "From: ", 6);
	assert_memory_equal(wire + MAIL_HEADER - 4, "\r\n\r\n", 4);
	for (size_t i = 0; i < sizeof(wire); i++) {
		const bool lf = wire[i] == '\n';

		assert_true((wire[i] == '\r') == (i + 1 < sizeof(wire) && wire[i + 1] == '\n'));
		lines += lf;
		assert_false(lf && i + 1 < sizeof(wire) && wire[i + 1] == '.');
	}
	assert_int_equal(lines, OCTETS / MAIL_LINE + 1);
}

static void messages_differ(void **state)
{
	static char other[OCTETS];
	struct mail m = want;

	(void)state;
	m.number++;
	make(&m, other, sizeof(other));
	assert_memory_not_equal(wire + MAIL_HEADER, other + MAIL_HEADER, 256);
	assert_false(is_right(&want, false, other, sizeof(other), sizeof(other)));
	m = want;
	m.kind = MAIL_DOTS;
	make(&m, other, sizeof(other));
	assert_non_null(memmem(other, sizeof(other), "\r\n.", 3));
}

static void kept_with_lf(void **state)
{
	struct mail m = want;
	struct out o = {.p = kept, .cap = sizeof(kept)};
	uint64_t at = 0;

	(void)state;
	mail_make_kept(&want, &at, &o);
	assert_int_equal(o.n, mail_kept_octets(&want));
	assert_memory_equal(kept, wire, sizeof(wire));

	m.kind = MAIL_LF;
	at = 0;
	o.n = 0;
	mail_make_kept(&m, &at, &o);
	assert_int_equal(o.n, mail_kept_octets(&m));
	assert_null(memchr(kept, '\r', o.n));
}

static void right_however_it_is_cut(void **state)
{
	struct mail any = want;

	(void)state;
	any.number = 0;
	for (size_t piece = 1; piece < 300; piece++) {
		assert_true(is_right(&want, false, wire, sizeof(wire), piece));
		assert_true(is_right(&any, false, wire, sizeof(wire), piece));
	}
}

static void every_octet_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wire); i += i < 2 * MAIL_HEADER ? 1 : 97) {
		wire[i] ^= 1;
		assert_false(is_right(&want, false, wire, sizeof(wire), 4096));
		wire[i] ^= 1;
	}
	assert_false(is_right(&want, false, wire, sizeof(wire) - 1, 4096));
	assert_false(is_right(&want, false, wire, 0, 1));
	memcpy(kept, wire, sizeof(wire));
	assert_true(is_right(&want, false, kept, sizeof(kept), 4096));

	struct mail shorter = want;

	shorter.octets -= MAIL_LINE;
	assert_false(is_right(&shorter, false, wire, sizeof(wire), 4096));
}

static void trace_lines_are_passed_over(void **state)
{
	static const char before[] = "Return-Path: <>\r\n"
				     "Delivered-To: user7@example.org\r\n"
				     "Received: from here\r\n\tby there\r\n";
	static char all[OCTETS + sizeof(before) - 1];
	struct mail any = want;

	(void)state;
	memcpy(all, before, sizeof(before) - 1);
	memcpy(all + sizeof(before) - 1, wire, sizeof(wire));
	any.number = 0;
	for (size_t piece = 1; piece < 300; piece++) {
		assert_true(is_right(&want, true, all, sizeof(all), piece));
		assert_true(is_right(&any, true, all, sizeof(all), piece));
	}
	assert_false(is_right(&want, false, all, sizeof(all), 4096));
	/* Any other line has no business there. */
	all[0] = 'X';
	assert_false(is_right(&want, true, all, sizeof(all), 4096));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_make_the_same),
		cmocka_unit_test(is_mail),
		cmocka_unit_test(messages_differ),
		cmocka_unit_test(kept_with_lf),
		cmocka_unit_test(right_however_it_is_cut),
		cmocka_unit_test(every_octet_counts),
		cmocka_unit_test(trace_lines_are_passed_over),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
