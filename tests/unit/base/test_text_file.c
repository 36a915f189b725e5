/* SPDX-License-Identifier: MIT */
#include "base/text_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"

static char path[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/restante-text-XXXXXX");

	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	return close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(struct span text)
{
	const int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	(void)close(fd);
}

static void test_all_of_it(void **state)
{
	struct text_file file;
	struct err err;

	(void)state;
	write_file(SPAN_LIT("one\ntwo"));
	assert_int_equal(text_file_read(path, 7, &file, &err), 0);
	assert_int_equal(file.n, 7);
	assert_string_equal(file.text, "one\ntwo");
	free(file.text);
	assert_int_equal(text_file_read(path, 6, &file, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "longer than 6 octets"));

	write_file(SPAN_LIT(""));
	assert_int_equal(text_file_read(path, 7, &file, &err), 0);
	assert_int_equal(file.n, 0);
	assert_string_equal(file.text, "");
	free(file.text);
}

static void test_permissions(void **state)
{
	static const struct {
		mode_t mode;
		bool others_may;
	} cases[] = {{0600, false}, {0400, false}, {0640, true}, {0620, true}, {0604, true}};
	struct text_file file;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(chmod(path, cases[i].mode), 0);
		assert_int_equal(text_file_read(path, 7, &file, NULL), 0);
		assert_int_equal(file.others_may, cases[i].others_may);
		free(file.text);
	}
	assert_int_equal(chmod(path, 0600), 0);
}

static void test_not_text(void **state)
{
	struct text_file file;
	struct err err;

	(void)state;
	write_file(SPAN_LIT("a\0b"));
	assert_int_equal(text_file_read(path, 7, &file, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not a text file"));
	assert_int_equal(text_file_read("/tmp", 7, &file, &err), -EINVAL);
	assert_string_equal(err.text, "/tmp: not a file with text");
	assert_int_equal(text_file_read("/nonexistent/x", 7, &file, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/x"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(text_file_read(path, 7, &file, &err), -EINVAL);
}

/* Read again when it may have changed, and only then. */
static void test_reread(void **state)
{
	struct text_file_seen seen = {0};
	struct text_file file = {0};
	struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct err err;

	(void)state;
	write_file(SPAN_LIT("one"));
	/* It has just been written, and may be written again without a trace. */
	assert_int_equal(text_file_reread(&seen, path, 7, &file, &err), 1);
	free(file.text);
	assert_int_equal(text_file_reread(&seen, path, 7, &file, &err), 1);
	free(file.text);
	/* What counts is when the inode changed, which nobody can set back: so it takes a while. */
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	for (int r = 1; r == 1;) {
		r = text_file_reread(&seen, path, 7, &file, &err);
		assert_in_range(r, 0, 1);
		if (r == 1)
			free(file.text);
	}
	write_file(SPAN_LIT("two"));
	assert_int_equal(text_file_reread(&seen, path, 7, &file, &err), 1);
	assert_string_equal(file.text, "two");
	free(file.text);
	/* A failure isn't remembered. */
	write_file(SPAN_LIT("too long"));
	assert_int_equal(text_file_reread(&seen, path, 7, &file, &err), -EINVAL);
	assert_int_equal(text_file_reread(&seen, path, 7, &file, &err), -EINVAL);
	assert_int_equal(text_file_reread(&seen, path, 8, &file, &err), 1);
	free(file.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reread, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
