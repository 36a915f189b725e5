/* SPDX-License-Identifier: MIT */
#include "server/listener/deletions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <string.h>

static void marks_are_counted(void **state)
{
	struct deletions d = {0};

	(void)state;
	assert_false(deletions_has(&d, 1));
	assert_int_equal(deletions_mark(&d, 9, 1, 100), 0);
	assert_int_equal(deletions_mark(&d, 9, 9, UINT64_C(1) << 40), 0);
	assert_int_equal(d.marked, 2);
	assert_int_equal(d.octets, (UINT64_C(1) << 40) + 100);
	for (uint32_t n = 1; n <= 9; n++)
		assert_int_equal(deletions_has(&d, n), n == 1 || n == 9);
	deletions_clear(&d);
	assert_int_equal(d.marked, 0);
	assert_int_equal(d.octets, 0);
	for (uint32_t n = 1; n <= 9; n++)
		assert_false(deletions_has(&d, n));
	deletions_clear(&d);
}

/* Whatever the packets' size, their bits together are the marks. */
static void check_packets(const struct deletions *d, uint32_t count, size_t max)
{
	uint8_t bits[16];
	uint32_t next = 1;
	uint32_t first;
	uint32_t seen = 0;
	uint32_t after = 0; /* the last message of the packet before */
	size_t n;

	while ((n = deletions_packet(d, count, &next, &first, bits, max)) > 0) {
		assert_true(n <= max);
		assert_true(first > after);
		assert_true(bits[0] != 0 && bits[n - 1] != 0); /* nothing is sent in vain */
		for (size_t i = 0; i < n * 8; i++) {
			const bool set = (bits[i / 8] & 1U << i % 8) != 0;

			if (first + i <= count)
				assert_int_equal(set, deletions_has(d, first + (uint32_t)i));
			else
				assert_false(set);
			seen += set;
		}
		after = first + (uint32_t)(n * 8) - 1;
	}
	assert_int_equal(seen, d->marked);
}

static void packets_hold_every_mark_once(void **state)
{
	(void)state;
	for (uint32_t count = 1; count <= 40; count++) {
		for (uint32_t step = 1; step <= 40; step++) {
			struct deletions d = {0};

			for (uint32_t n = step; n <= count; n += step)
				assert_int_equal(deletions_mark(&d, count, n, 1), 0);
			for (size_t max = 1; max <= 6; max++)
				check_packets(&d, count, max);
			deletions_clear(&d);
		}
	}
}

static void a_large_maildrop(void **state)
{
	const uint32_t count = 10000000;
	struct deletions d = {0};
	uint8_t bits[4096];
	uint32_t next = 1;
	uint32_t first;

	(void)state;
	assert_int_equal(deletions_packet(&d, count, &next, &first, bits, sizeof(bits)), 0);
	assert_int_equal(deletions_mark(&d, count, count, 1), 0);
	assert_int_equal(deletions_packet(&d, count, &next, &first, bits, sizeof(bits)), 1);
	assert_int_equal(first + 7, count);
	assert_int_equal(bits[0], 0x80);
	assert_int_equal(deletions_packet(&d, count, &next, &first, bits, sizeof(bits)), 0);
	deletions_clear(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_counted),
		cmocka_unit_test(packets_hold_every_mark_once),
		cmocka_unit_test(a_large_maildrop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
