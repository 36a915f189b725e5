/* SPDX-License-Identifier: MIT */
/*
 * A maildrop and its messages without waiting: only while nothing has changed, and then
 * the same as with waiting. That all other tests open each second time so says the rest.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A maildrop with two messages, opened often enough that all about it is known. */
static int setup(void **state)
{
	struct help *const h = help_new("maildir");

	assert_int_equal(help_deliver(h, h->maildrop, "one\r\n"), 0);
	assert_int_equal(help_deliver(h, h->maildrop, "two\r\n"), 0);
	for (int i = 0; i < 4; i++)
		free(help_poll(h, NULL));
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static int open_now(struct help *h, struct maildrop **ret_m)
{
	const struct store_owner owner = help_owner(h->maildrop);

	return maildrop_open_now(h->store, &owner, ret_m);
}

static bool opens_now(struct help *h)
{
	struct maildrop *m = NULL;
	const int r = open_now(h, &m);

	assert_true(r == 0 || r == -EAGAIN);
	assert_true((m != NULL) == (r == 0));
	maildrop_close(m);
	return r == 0;
}

/* Before Linux 5.12, and on file systems that can't promise anything. */
static void skip_unless_possible(struct help *h)
{
	if (!opens_now(h))
		skip();
}

/* It isn't, and the other way puts it right. */
static void expect_not_now(struct help *h, uint32_t count)
{
	uint32_t n;

	assert_false(opens_now(h));
	for (int i = 0; i < 4; i++) {
		free(help_poll(h, &n));
		assert_int_equal(n, count);
	}
	assert_true(opens_now(h));
}

static void test_same_as_with_waiting(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = help_owner(h->maildrop);
	struct maildrop *m;
	char *list;
	char *other;

	skip_unless_possible(h);
	assert_int_equal(open_now(h, &m), 0);
	list = help_list(m);
	assert_int_equal(maildrop_count(m), 2);
	assert_int_equal(maildrop_octets(m), 10);
	help_expect_text(m, 1, "one\r\n");
	help_expect_text(m, 2, "two\r\n");
	maildrop_close(m);

	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	other = help_list(m);
	assert_string_equal(list, other);
	maildrop_close(m);
	free(list);
	free(other);
}

static void test_excludes_others(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = help_owner(h->maildrop);
	struct maildrop *m;
	struct maildrop *other;

	skip_unless_possible(h);
	assert_int_equal(open_now(h, &m), 0);
	assert_int_equal(maildrop_open(h->store, &owner, &other, NULL), -EBUSY);
	assert_int_equal(open_now(h, &other), -EAGAIN);
	maildrop_close(m);

	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	assert_false(opens_now(h));
	maildrop_close(m);
	assert_true(opens_now(h));
}

static void test_deletes_as_any_other(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	uint32_t removed;
	uint32_t n;

	skip_unless_possible(h);
	assert_int_equal(open_now(h, &m), 0);
	assert_true(maildrop_is_clean(m));
	assert_int_equal(maildrop_mark(m, 1), 0);
	assert_false(maildrop_is_clean(m));
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 1);
	maildrop_close(m);
	free(help_poll(h, &n));
	assert_int_equal(n, 1);
}

static void test_not_when_others_changed_something(void **state)
{
	struct help *const h = *state;
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];

	skip_unless_possible(h);
	help_write("three\r\n", "%s/new/3000.P1.host", h->maildrop);
	expect_not_now(h, 3);

	(void)snprintf(from, sizeof(from), "%s/new/3000.P1.host", h->maildrop);
	(void)snprintf(to, sizeof(to), "%s/cur/3000.P1.host:2,S", h->maildrop);
	assert_int_equal(rename(from, to), 0);
	expect_not_now(h, 3);

	assert_int_equal(unlink(to), 0);
	expect_not_now(h, 2);
}

static void test_not_when_the_index_is_not_as_it_was_left(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	skip_unless_possible(h);
	(void)snprintf(path, sizeof(path), "%s/restante.index", h->maildrop);
	assert_int_equal(unlink(path), 0);
	expect_not_now(h, 2);

	/* A time that another program gave it. */
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
	expect_not_now(h, 2);

	/* Others may write to it, and may have. */
	assert_int_equal(chmod(path, 0622), 0);
	expect_not_now(h, 2);

	help_write("", "%s/restante.journal", h->maildrop);
	expect_not_now(h, 2);
}

static void test_not_when_there_is_none(void **state)
{
	struct help *const h = *state;

	help_remove_tree(h->maildrop);
	assert_false(opens_now(h));
}

/* What isn't counted, or isn't where it was, is looked at with time to do so. */
static void test_messages_that_take_longer(void **state)
{
	struct help *const h = *state;
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	struct store_message message;
	struct maildrop *m;

	skip_unless_possible(h);
	help_write("three\r\n", "%s/new/3000.P1.host,S=7,W=7", h->maildrop);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 3);
	/* The one that another program named comes last: it is the newest to us. */
	help_expect_text(m, 3, "three\r\n");
	assert_int_equal(maildrop_message_now(m, 3, &message), -EAGAIN);
	assert_int_equal(maildrop_message_now(m, 4, &message), -EAGAIN);
	assert_int_equal(maildrop_message_now(m, 0, &message), -EAGAIN);

	assert_int_equal(maildrop_message_now(m, 1, &message), 0);
	assert_int_equal(close(message.fd), 0);
	for (uint32_t n = 0; n < 3; n++) {
		const char *const name = help_first_file("%s/new", h->maildrop);

		(void)snprintf(from, sizeof(from), "%s/new/%s", h->maildrop, name);
		(void)snprintf(to, sizeof(to), "%s/cur/%s:2,S", h->maildrop, name);
		assert_int_equal(rename(from, to), 0);
	}
	assert_int_equal(maildrop_message_now(m, 1, &message), -EAGAIN);
	help_expect_text(m, 1, "one\r\n");
	maildrop_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_as_with_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_excludes_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deletes_as_any_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_when_others_changed_something, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_not_when_the_index_is_not_as_it_was_left,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_when_there_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages_that_take_longer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
