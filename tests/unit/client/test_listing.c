/* SPDX-License-Identifier: MIT */
#include "client/listing.h"

#include <errno.h>

#include "client_help.h"

static void in_any_order(void **state)
{
	struct listing l = {.n = 0};

	(void)state;
	assert_int_equal(listing_add(&l, 7, 70), 0);
	assert_int_equal(listing_add(&l, 2, 20), 0);
	assert_int_equal(listing_add(&l, 4294967295, UINT64_MAX), 0);
	assert_int_equal(listing_sort(&l), 0);
	assert_int_equal(listing_set_uidl(&l, 4294967295, span_str("c")), 0);
	assert_int_equal(listing_set_uidl(&l, 2, span_str("a")), 0);
	assert_int_equal(listing_set_uidl(&l, 5, span_str("x")), 0); /* not in LIST */
	assert_int_equal(listing_find_shared(&l), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.messages[0].number, 2);
	assert_int_equal(l.messages[0].octets, 20);
	assert_true(span_eq(listing_uidl(&l, &l.messages[0]), SPAN_LIT("a")));
	assert_int_equal(l.messages[1].number, 7);
	assert_int_equal(listing_uidl(&l, &l.messages[1]).n, 0);
	assert_true(span_eq(listing_uidl(&l, &l.messages[2]), SPAN_LIT("c")));
	for (size_t i = 0; i < l.n; i++)
		assert_false(l.messages[i].shared);
	listing_done(&l);
	listing_done(&l);
}

static void twice(void **state)
{
	struct listing l = {.n = 0};

	(void)state;
	assert_int_equal(listing_add(&l, 1, 10), 0);
	assert_int_equal(listing_add(&l, 2, 10), 0);
	assert_int_equal(listing_sort(&l), 0);
	assert_int_equal(listing_set_uidl(&l, 1, span_str("a")), 0);
	assert_int_equal(listing_set_uidl(&l, 1, span_str("a")), -EPROTO);
	assert_int_equal(listing_add(&l, 2, 10), 0);
	assert_int_equal(listing_sort(&l), -EPROTO);
	listing_done(&l);
	assert_int_equal(listing_add(&l, 2, 10), 0);
	assert_int_equal(listing_add(&l, 1, 10), 0);
	assert_int_equal(listing_add(&l, 2, 10), 0);
	assert_int_equal(listing_sort(&l), -EPROTO);
	listing_done(&l);
}

static void shared(void **state)
{
	static const char *const uidls[] = {"b", "a", "", "b", "", "ab", "b", "c"};
	static const bool expected[] = {true, false, false, true, false, false, true, false};
	struct listing l = {.n = 0};

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(listing_add(&l, i + 1, 10), 0);
	assert_int_equal(listing_sort(&l), 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(listing_set_uidl(&l, i + 1, span_str(uidls[i])), 0);
	assert_int_equal(listing_find_shared(&l), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(l.messages[i].shared, expected[i]);
	listing_done(&l);
}

/* As long as a reply may be: it is known by its digest, and takes no more memory. */
static void long_ones(void **state)
{
	char text[8000];
	struct listing l = {.n = 0};

	(void)state;
	memset(text, 'x', sizeof(text));
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(listing_add(&l, i, 10), 0);
	assert_int_equal(listing_set_uidl(&l, 1, span_of(text, LISTING_UIDL_MAX)), 0);
	assert_int_equal(listing_set_uidl(&l, 2, span_of(text, LISTING_UIDL_MAX + 1)), 0);
	assert_int_equal(listing_set_uidl(&l, 3, span_of(text, sizeof(text))), 0);
	assert_int_equal(listing_set_uidl(&l, 4, span_of(text, sizeof(text))), 0);
	assert_int_equal(listing_find_shared(&l), 0);
	assert_int_equal(l.messages[0].uidl_n, LISTING_UIDL_MAX);
	assert_int_equal(l.messages[1].uidl_n, 8 + 64);
	assert_false(l.messages[0].shared);
	assert_false(l.messages[1].shared);
	assert_true(l.messages[2].shared);
	assert_true(l.messages[3].shared);
	listing_done(&l);
}

static void nothing(void **state)
{
	struct listing l = {.n = 0};

	(void)state;
	assert_int_equal(listing_sort(&l), 0);
	assert_int_equal(listing_set_uidl(&l, 1, span_str("a")), 0);
	assert_int_equal(listing_find_shared(&l), 0);
	listing_done(&l);
}

static void no_end(void **state)
{
	struct listing l = {.n = 0};

	(void)state;
	for (uint32_t i = 1; i <= LISTING_MAX; i++)
		assert_int_equal(listing_add(&l, i, 10), 0);
	assert_int_equal(listing_add(&l, LISTING_MAX + 1, 10), -EOVERFLOW);
	listing_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_any_order), cmocka_unit_test(twice),   cmocka_unit_test(shared),
		cmocka_unit_test(long_ones),    cmocka_unit_test(nothing), cmocka_unit_test(no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
