/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void says_what_failed_and_why(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_sys(&err, ENOSPC, "cannot sync '%s/new'", "alice"), -ENOSPC);
	assert_string_equal(err.text, "cannot sync 'alice/new': No space left on device");
	assert_int_equal(err_set(&err, EINVAL, "line %d: unknown option", 7), -EINVAL);
	assert_string_equal(err.text, "line 7: unknown option");
}

static void nobody_needs_the_words(void **state)
{
	(void)state;
	assert_int_equal(err_sys(NULL, EIO, "cannot read"), -EIO);
	assert_int_equal(err_set(NULL, EINVAL, "no"), -EINVAL);
}

static void long_text_is_cut_and_ended(void **state)
{
	struct {
		struct err err;
		char after;
	} box = {.after = '#'};
	char name[2 * ERR_TEXT_MAX];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(err_sys(&box.err, EIO, "%s", name), -EIO);
	assert_int_equal(strnlen(box.err.text, sizeof(box.err.text)), ERR_TEXT_MAX - 1);
	assert_int_equal(box.after, '#');

	/* The reason is cut where the name left it little room. */
	name[ERR_TEXT_MAX - 4] = '\0';
	assert_int_equal(err_sys(&box.err, EIO, "%s", name), -EIO);
	assert_string_equal(box.err.text + ERR_TEXT_MAX - 5, "x: I");
	assert_int_equal(box.after, '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_failed_and_why),
		cmocka_unit_test(nobody_needs_the_words),
		cmocka_unit_test(long_text_is_cut_and_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
