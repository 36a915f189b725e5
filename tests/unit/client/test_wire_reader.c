/* SPDX-License-Identifier: MIT */
#include "client/wire_reader.h"

#include <sys/mman.h>
#include <unistd.h>

#include "client_help.h"
#include "client/incoming.h"

/* What is read in pieces of step octets. */
static void check(struct span message, struct span wire, size_t step)
{
	const int fd = memfd_create("message", 0);
	struct wire_reader r = {.fd = fd};
	struct incoming in = {.bytes = 0};
	char all[64];
	char piece[64];
	size_t n = 0;
	ssize_t got;

	assert_int_equal(incoming_write_all(fd, message), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	while ((got = wire_reader_read(&r, piece, step)) > 0) {
		assert_true(n + (size_t)got <= sizeof(all));
		memcpy(all + n, piece, (size_t)got);
		n += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_true(span_eq(span_of(all, n), wire));
	incoming_measure(&in, message);
	assert_int_equal(in.octets, n);
	(void)close(fd);
}

static void line_ends(void **state)
{
	static const struct {
		struct span message, wire;
	} cases[] = {
		{SPAN_LIT(""), SPAN_LIT("")},
		{SPAN_LIT("a\r\nb\r\n"), SPAN_LIT("a\r\nb\r\n")},
		{SPAN_LIT("a\nb\n\n"), SPAN_LIT("a\r\nb\r\n\r\n")},
		{SPAN_LIT("\n\r\n\r\r\n\rx\r"), SPAN_LIT("\r\n\r\n\r\r\n\rx\r")},
		{SPAN_LIT("a\0\xff"), SPAN_LIT("a\0\xff")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t step = 1; step <= 16; step++)
			check(cases[i].message, cases[i].wire, step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
