/* SPDX-License-Identifier: MIT */
#include "import/import_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "import_help.h"

static const struct {
	const char *text;
	const char *file;
	uint64_t dot_lines;
} cases[] = {
	{"", "", 0},
	{"a", "a\r\n", 0},
	{"a\n", "a\r\n", 0},
	{"a\r\n", "a\r\n", 0},
	{"a\r", "a\r\n", 0},
	{"\n\n", "\r\n\r\n", 0},
	{"a\rb\n.c\n", "a\rb\r\n.c\r\n", 1},
	{"a\r\n\n.\n..\r\n", "a\r\n\r\n.\r\n..\r\n", 2},
	{"a\r\r\n", "a\r\r\n", 0},
};

/* However it is cut. */
static void lines(void **state)
{
	struct import_text *const t = malloc(sizeof(*t));

	(void)state;
	assert_non_null(t);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct span all = span_str(cases[i].text);

		for (size_t cut = 1; cut <= all.n + 1; cut++) {
			const int fd = memfd_create("t", MFD_CLOEXEC);
			char got[64];
			uint64_t octets;
			uint64_t dot_lines;

			import_text_begin(t, fd);
			for (size_t at = 0; at < all.n; at += cut)
				import_text_put(t, span_of(all.p + at,
							   all.n - at < cut ? all.n - at : cut));
			assert_int_equal(import_text_end(t, &octets, &dot_lines), 0);
			assert_int_equal(octets, strlen(cases[i].file));
			assert_int_equal(dot_lines, cases[i].dot_lines);
			assert_int_equal(pread(fd, got, sizeof(got), 0), (ssize_t)octets);
			assert_memory_equal(got, cases[i].file, octets);
			assert_int_equal(close(fd), 0);
		}
	}
	free(t);
}

/* More than it holds at once. */
static void large(void **state)
{
	struct import_text *const t = malloc(sizeof(*t));
	const int fd = memfd_create("t", MFD_CLOEXEC);
	uint64_t octets;
	uint64_t dot_lines;

	(void)state;
	assert_non_null(t);
	import_text_begin(t, fd);
	for (int i = 0; i < 100000; i++)
		import_text_put(t, SPAN_LIT(".234567\n"));
	assert_int_equal(import_text_end(t, &octets, &dot_lines), 0);
	assert_int_equal(octets, 900000);
	assert_int_equal(dot_lines, 100000);
	assert_int_equal(lseek(fd, 0, SEEK_END), 900000);
	assert_int_equal(close(fd), 0);
	free(t);
}

static void full_disk(void **state)
{
	struct import_text *const t = malloc(sizeof(*t));
	const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	uint64_t octets;
	uint64_t dot_lines;

	(void)state;
	assert_non_null(t);
	import_text_begin(t, fd);
	for (int i = 0; i < 100000; i++)
		import_text_put(t, SPAN_LIT("1234567\n"));
	assert_int_equal(import_text_end(t, &octets, &dot_lines), -ENOSPC);
	assert_int_equal(close(fd), 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(large),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
