/* SPDX-License-Identifier: MIT */
/*
 * UIDLs and order that an import has given (restante.uidl): they are what clients know,
 * so they are kept whatever happens to the index, and a file that can't be believed
 * lets nobody in rather than giving messages other UIDLs.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/uidl_list.h"

#define GIVEN                 \
	"restante-uidl 1\n"   \
	"uid-3 3.c\n"         \
	"uid-1 1.a,S=3,W=3\n" \
	"uid-9 9.not-here\n"  \
	"2.b 4.d:2,S\n"       \
	"end 4\n"

static int setup(void **state)
{
	struct help *const h = help_new("maildir");

	help_make_maildir(h->maildrop);
	help_write("a\r\n", "%s/cur/1.a,S=3,W=3:2,S", h->maildrop);
	help_write("b\r\n", "%s/new/2.b", h->maildrop);
	help_write("c\r\n", "%s/cur/3.c:2,FS", h->maildrop);
	help_write("d\r\n", "%s/new/4.d", h->maildrop);
	help_write(GIVEN, "%s/restante.uidl", h->maildrop);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static void forget_index(struct help *h)
{
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/restante.index", h->maildrop);
	assert_int_equal(unlink(path), 0);
}

static void expect_given(struct help *h)
{
	static const char *const texts[4] = {"c\r\n", "a\r\n", "d\r\n", "b\r\n"};
	static const char *const uidls[3] = {"uid-3", "uid-1", "2.b"};
	struct maildrop *const m = help_open(h);

	assert_true(maildrop_count(m) >= 4);
	for (uint32_t n = 1; n <= 3; n++)
		assert_string_equal(help_uidl(m, n), uidls[n - 1]);
	assert_int_equal(help_uidl(m, 4)[0], '~');
	for (uint32_t n = 1; n <= 4; n++)
		help_expect_text(m, n, texts[n - 1]);
	maildrop_close(m);
}

static void test_uidl_and_order(void **state)
{
	struct help *const h = *state;
	char *list;
	char *again;

	for (int turn = 0; turn < 3; turn++) {
		expect_given(h);
		expect_given(h);
		forget_index(h);
	}
	/* What comes later goes behind, and so it does when the index is lost. */
	assert_int_equal(help_deliver(h, h->maildrop, "e\r\n"), 0);
	expect_given(h);
	list = help_poll(h, NULL);
	forget_index(h);
	again = help_poll(h, NULL);
	assert_string_equal(list, again);
	free(again);
	free(list);

	/* Deleted ones leave the others as they are; one that comes back is the same. */
	assert_int_equal(help_delete(h, 1, 3, 0), 0);
	list = help_poll(h, NULL);
	assert_memory_equal(list, "uid-1 ~", 7);
	free(list);
	help_write("9\r\n", "%s/new/9.not-here", h->maildrop);
	list = help_poll(h, NULL);
	assert_non_null(strstr(list, " uid-9 "));
	free(list);
}

/* The longest UIDL, and names that leave no room for it in a record. */
static void test_long(void **state)
{
	struct help *const h = *state;
	char uidl[2][71];
	char name[2][128];
	char text[1024];
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	struct maildrop *m;

	for (int i = 0; i < 2; i++) {
		memset(uidl[i], 'A' + i, 70);
		uidl[i][70] = '\0';
		(void)snprintf(name[i], sizeof(name[i]),
			       "170000000%d.M123456P789Q1.a-host-name.example.org,S=3,W=3", i);
		help_write(i == 0 ? "x\r\n" : "y\r\n", "%s/cur/%s:2,S", h->maildrop, name[i]);
	}
	(void)snprintf(text, sizeof(text), "restante-uidl 1\n%s %s\n%s %s\nend 2\n", uidl[1],
		       name[1], uidl[0], name[0]);
	help_write(text, "%s/restante.uidl", h->maildrop);
	for (int turn = 0; turn < 4; turn++) {
		m = help_open(h);
		if (turn == 1) {
			(void)snprintf(from, sizeof(from), "%s/cur/%s:2,S", h->maildrop, name[0]);
			(void)snprintf(to, sizeof(to), "%s/new/%s", h->maildrop, name[0]);
			assert_int_equal(rename(from, to), 0);
		}
		assert_string_equal(help_uidl(m, 1), uidl[1]);
		assert_string_equal(help_uidl(m, 2), uidl[0]);
		help_expect_text(m, 1, "y\r\n");
		help_expect_text(m, 2, "x\r\n");
		maildrop_close(m);
		if (turn == 2)
			forget_index(h);
	}
	assert_int_equal(help_delete(h, 2, 0), 0);
	assert_false(help_exists("%s", to));
	m = help_open(h);
	assert_string_equal(help_uidl(m, 1), uidl[1]);
	help_expect_text(m, 1, "y\r\n");
	maildrop_close(m);
}

/* A list that isn't whole: no message is listed under another UIDL. */
static void test_cut_everywhere(void **state)
{
	struct help *const h = *state;
	char text[sizeof(GIVEN)];
	struct maildrop *m;

	for (size_t n = 0; n < sizeof(GIVEN) - 1; n++) {
		memcpy(text, GIVEN, n);
		text[n] = '\0';
		help_write(text, "%s/restante.uidl", h->maildrop);
		assert_int_equal(help_try_open(h, &m), -EBADMSG);
		assert_false(help_exists("%s/restante.index", h->maildrop));
	}
	help_write(GIVEN, "%s/restante.uidl", h->maildrop);
	expect_given(h);
	/* What the index knows needs no list. */
	help_write("", "%s/restante.uidl", h->maildrop);
	expect_given(h);
}

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		int count; /* -1: refused */
	} cases[] = {
		{"restante-uidl 1\nend 0\n", 0},
		{"restante-uidl 1\na b\nend 1\n", 1},
		{"restante-uidl 1\na b c\nend 1\n", 1},
		{"restante-uidl 1\na end 1\nend 1\n", 1},
		{"restante-uidl 2\nend 0\n", -1},
		{"end 0\n", -1},
		{"restante-uidl 1\n", -1},
		{"restante-uidl 1\na b\n", -1},
		{"restante-uidl 1\na b\nend 0\n", -1},
		{"restante-uidl 1\na b\nend 2\n", -1},
		{"restante-uidl 1\na b\nend 4294967297\n", -1},
		{"restante-uidl 1\na b\nend x\n", -1},
		{"restante-uidl 1\na b\nend 1", -1},
		{"restante-uidl 1\na b\nend 1\n\n", -1},
		{"restante-uidl 1\na\nend 1\n", -1},
		{"restante-uidl 1\n b\nend 1\n", -1},
		{"restante-uidl 1\na \nend 1\n", -1},
		{"restante-uidl 1\na .b\nend 1\n", -1},
		{"restante-uidl 1\na b/c\nend 1\n", -1},
		{"restante-uidl 1\n\x7f b\nend 1\n", -1},
		{"restante-uidl 1\r\na b\r\nend 1\r\n", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct uidl_list l;
		struct span uidl;
		struct span name;
		int count = -1;

		if (uidl_list_open(&l, span_str(cases[i].text))) {
			for (count = 0; uidl_list_next(&l, &uidl, &name); count++)
				assert_true(span_eq(uidl, SPAN_LIT("a")));
		}
		if (count != cases[i].count)
			fail_msg("case %zu: %d", i, count);
	}
}

/* The first of two lines counts, for a name as for a UIDL. */
static void test_twice(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	help_write("restante-uidl 1\nx 1.a\ny 1.a:2,\nz 2.b\nz 3.c\nend 4\n", "%s/restante.uidl",
		   h->maildrop);
	m = help_open(h);
	assert_string_equal(help_uidl(m, 1), "x");
	assert_string_equal(help_uidl(m, 2), "z");
	assert_string_equal(help_uidl(m, 3), "3.c");
	assert_string_equal(help_uidl(m, 4), "4.d");
	maildrop_close(m);
	assert_true(help_noticed(h, "3.c"));
}

/* What is given to a message that isn't here (yet, or any more) is kept for it. */
static void test_kept_for_absent(void **state)
{
	struct help *const h = *state;
	char *list;

	help_write("restante-uidl 1\n4.d 9.not-here\nend 1\n", "%s/restante.uidl", h->maildrop);
	list = help_poll(h, NULL);
	assert_memory_equal(list, "1.a 2.b 3.c ~", 13);
	free(list);
	help_write("9\r\n", "%s/new/9.not-here", h->maildrop);
	list = help_poll(h, NULL);
	assert_non_null(strstr(list, " 4.d "));
	free(list);
}

static void test_of_others(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];
	struct maildrop *m;

	(void)snprintf(path, sizeof(path), "%s/restante.uidl", h->maildrop);
	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(help_try_open(h, &m), -EPERM);
	assert_int_equal(chmod(path, 0602), 0);
	assert_int_equal(help_try_open(h, &m), -EPERM);
	assert_int_equal(chmod(path, 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
		assert_int_equal(help_try_open(h, &m), -EPERM);
		assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	}
	expect_given(h);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_uidl_and_order),    TEST(test_long),  TEST(test_cut_everywhere),
		cmocka_unit_test(test_forms), TEST(test_twice), TEST(test_kept_for_absent),
		TEST(test_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
