/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void grows_and_keeps_what_it_has(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	for (unsigned i = 0; i < 50000; i++) {
		const char two[2] = {(char)(i & 0xff), (char)(i >> 8)};

		assert_int_equal(buf_put(&b, span_of(two, 2)), 0);
	}
	assert_int_equal(b.n, 100000);
	for (unsigned i = 0; i < 50000; i++) {
		assert_int_equal((unsigned char)b.p[2 * i], i & 0xff);
		assert_int_equal((unsigned char)b.p[2 * i + 1], i >> 8);
	}
	buf_done(&b);
	assert_null(b.p);
}

static void the_maximum_holds(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(buf_put(&b, SPAN_LIT("123456")), -ENOBUFS);
	assert_int_equal(buf_put(&b, SPAN_LIT("123")), 0);
	assert_int_equal(buf_put(&b, SPAN_LIT("456")), -ENOBUFS);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("123")));
	/* A sum would wrap; lengths are compared. */
	assert_int_equal(buf_put(&b, span_of("x", SIZE_MAX)), -ENOBUFS);
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_int_equal(buf_put(&b, SPAN_LIT("45")), 0);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("12345")));
	assert_null(buf_reserve(&b, 1));
	assert_int_equal(buf_put(&b, SPAN_LIT("")), 0);
	buf_done(&b);
}

static void reserved_room_can_be_written(void **state)
{
	struct buf b;
	char *to;

	(void)state;
	/* So much that writing past its end would leave the heap. */
	buf_init(&b, 4U << 20);
	assert_int_equal(buf_put(&b, SPAN_LIT("head ")), 0);
	to = buf_reserve(&b, b.max - 5);
	assert_non_null(to);
	assert_int_equal(b.n, 5);
	memset(to, 'x', b.max - 5);
	b.n = b.max;
	assert_memory_equal(b.p, "head xxx", 8);
	assert_int_equal(b.p[b.max - 1], 'x');
	buf_done(&b);
}

static void skip_drops_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_skip(&b, 0);
	assert_int_equal(buf_put(&b, SPAN_LIT("1234567890")), 0);
	buf_skip(&b, 4);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("567890")));
	/* The room comes back. */
	assert_int_equal(buf_put(&b, SPAN_LIT("abcd")), 0);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("567890abcd")));
	buf_skip(&b, 10);
	assert_int_equal(b.n, 0);
	buf_done(&b);
}

static void as_a_string(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_put(&b, SPAN_LIT("abc")), 0);
	assert_string_equal(buf_str(&b), "abc");
	assert_int_equal(b.n, 3);
	assert_int_equal(buf_put(&b, SPAN_LIT("d")), 0);
	assert_null(buf_str(&b));
	buf_done(&b);
}

static void ending_a_zeroed_one_does_nothing(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_done(&b);
	buf_done_secret(&b);
	assert_int_equal(buf_put(&b, SPAN_LIT("x")), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps_what_it_has),
		cmocka_unit_test(the_maximum_holds),
		cmocka_unit_test(reserved_room_can_be_written),
		cmocka_unit_test(skip_drops_from_the_front),
		cmocka_unit_test(as_a_string),
		cmocka_unit_test(ending_a_zeroed_one_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
