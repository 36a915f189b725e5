/* SPDX-License-Identifier: MIT */
/*
 * A QUIT that was interrupted: a journal that is whole is carried out at the next
 * login, one that isn't is no decision. And one that the disk won't let be carried
 * out hides what it deletes.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/journal.h"

static int setup(void **state)
{
	struct help *const h = help_new("maildir");

	help_make_maildir(h->maildrop);
	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("b\r\n", "%s/cur/2.b:2,S", h->maildrop);
	help_write("c\r\n", "%s/new/3.c", h->maildrop);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static void put_entry(struct help *h, struct journal *j, const char *where, const char *name)
{
	char path[HELP_PATH_MAX * 2];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", h->maildrop, where, name);
	assert_int_equal(stat(path, &st), 0);

	const struct journal_entry e = {
		.in_cur = strcmp(where, "cur") == 0, .inode = st.st_ino, .name = span_str(name)};

	assert_int_equal(journal_put(j, &e), 0);
}

/* Messages 1 and 2. */
static void make_journal(struct help *h, struct journal *j)
{
	journal_init(j);
	put_entry(h, j, "new", "1.a");
	put_entry(h, j, "cur", "2.b:2,S");
	assert_int_equal(journal_seal(j), 0);
}

static void write_journal(struct help *h, const char *p, size_t n)
{
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/restante.journal", h->maildrop);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(close(fd), 0);
}

static void expect_list(struct help *h, const char *list)
{
	char *const got = help_poll(h, NULL);

	assert_string_equal(got, list);
	free(got);
}

static void test_round_trip(void **state)
{
	static const char *const names[] = {"a", "1.b,S=3:2,S", "\xff\n ", "-"};
	struct journal j;
	struct journal_reader r;
	struct journal_entry e;
	char longest[255];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	journal_init(&j);
	for (size_t i = 0; i < 4; i++) {
		e = (struct journal_entry){
			.in_cur = i % 2, .inode = UINT64_MAX - i, .name = span_str(names[i])};
		assert_int_equal(journal_put(&j, &e), 0);
	}
	e = (struct journal_entry){.name = span_of(longest, 255)};
	assert_int_equal(journal_put(&j, &e), 0);
	assert_int_equal(journal_seal(&j), 0);

	assert_true(journal_open(&r, buf_span(&j.buf)));
	for (size_t i = 0; i < 4; i++) {
		assert_true(journal_next(&r, &e));
		assert_int_equal(e.in_cur, i % 2);
		assert_true(e.inode == UINT64_MAX - i);
		assert_true(span_eq(e.name, span_str(names[i])));
	}
	assert_true(journal_next(&r, &e));
	assert_int_equal(e.name.n, 255);
	assert_false(journal_next(&r, &e));
	journal_done(&j);

	journal_init(&j);
	assert_int_equal(journal_seal(&j), 0);
	assert_true(journal_open(&r, buf_span(&j.buf)));
	assert_false(journal_next(&r, &e));
	journal_done(&j);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(journal_name_valid(SPAN_LIT("a")));
	assert_true(journal_name_valid(SPAN_LIT("a.")));
	assert_false(journal_name_valid(SPAN_LIT("")));
	assert_false(journal_name_valid(SPAN_LIT(".")));
	assert_false(journal_name_valid(SPAN_LIT("..")));
	assert_false(journal_name_valid(SPAN_LIT(".a")));
	assert_false(journal_name_valid(SPAN_LIT("a/b")));
	assert_false(journal_name_valid(SPAN_LIT("/")));
	assert_false(journal_name_valid(SPAN_LIT("a\0b")));
}

static void test_whole_journal_is_done(void **state)
{
	struct help *const h = *state;
	struct journal j;

	expect_list(h, "1.a 2.b 3.c ");
	make_journal(h, &j);
	write_journal(h, j.buf.p, j.buf.n);
	expect_list(h, "3.c ");
	assert_true(help_noticed(h, "finished an interrupted deletion of 2 messages"));
	assert_false(help_exists("%s/restante.journal", h->maildrop));
	expect_list(h, "3.c ");
	/* It comes back with an old disk: nothing is left for it to do. */
	write_journal(h, j.buf.p, j.buf.n);
	expect_list(h, "3.c ");
	assert_false(help_exists("%s/restante.journal", h->maildrop));
	journal_done(&j);
}

/* Half of it had been done when the machine died. */
static void test_half_done(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];
	struct journal j;

	make_journal(h, &j);
	write_journal(h, j.buf.p, j.buf.n);
	(void)snprintf(path, sizeof(path), "%s/new/1.a", h->maildrop);
	assert_int_equal(unlink(path), 0);
	expect_list(h, "3.c ");
	journal_done(&j);
}

static void test_cut_everywhere(void **state)
{
	struct help *const h = *state;
	struct journal j;

	make_journal(h, &j);
	for (size_t n = 0; n < j.buf.n; n++) {
		write_journal(h, j.buf.p, n);
		expect_list(h, "1.a 2.b 3.c ");
		assert_false(help_exists("%s/restante.journal", h->maildrop));
	}
	assert_true(help_noticed(h, "not complete"));
	journal_done(&j);
}

static void test_garbled_everywhere(void **state)
{
	struct help *const h = *state;
	struct journal j;

	make_journal(h, &j);
	for (size_t i = 0; i < j.buf.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			j.buf.p[i] = (char)(j.buf.p[i] ^ (1 << bit));
			write_journal(h, j.buf.p, j.buf.n);
			expect_list(h, "1.a 2.b 3.c ");
			j.buf.p[i] = (char)(j.buf.p[i] ^ (1 << bit));
		}
	}
	assert_int_equal(buf_put(&j.buf, SPAN_LIT("x")), 0);
	write_journal(h, j.buf.p, j.buf.n);
	expect_list(h, "1.a 2.b 3.c ");
	journal_done(&j);
}

/* Marked by a mail program between the crash and the login. */
static void test_renamed_since(void **state)
{
	struct help *const h = *state;
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	struct journal j;

	make_journal(h, &j);
	write_journal(h, j.buf.p, j.buf.n);
	(void)snprintf(from, sizeof(from), "%s/new/1.a", h->maildrop);
	(void)snprintf(to, sizeof(to), "%s/cur/1.a:2,S", h->maildrop);
	assert_int_equal(rename(from, to), 0);
	/* Another message of the same base: it was never on the list. */
	(void)snprintf(from, sizeof(from), "%s/cur/2.b:2,S", h->maildrop);
	assert_int_equal(unlink(from), 0);
	help_write("other\r\n", "%s/new/0.keep-the-inode", h->maildrop);
	help_write("other\r\n", "%s/cur/2.b:2,F", h->maildrop);

	struct stat st;
	struct journal_reader r;
	struct journal_entry e;

	(void)snprintf(from, sizeof(from), "%s/cur/2.b:2,F", h->maildrop);
	assert_int_equal(stat(from, &st), 0);
	assert_true(journal_open(&r, buf_span(&j.buf)));
	assert_true(journal_next(&r, &e) && journal_next(&r, &e));
	journal_done(&j);
	if (e.inode == st.st_ino) {
		print_message("the file system has used the inode again\n");
		skip();
	}
	expect_list(h, "0.keep-the-inode 2.b 3.c ");
}

static int as_nobody(struct help *h, int (*body)(struct help *))
{
	int status = -1;
	pid_t pid;

	assert_int_equal(chmod(h->root, 0755), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(99);
		_exit(body(h));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void set_mode(struct help *h, const char *sub, mode_t mode)
{
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s%s", h->maildrop, sub);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static bool list_is(struct help *h, const char *list)
{
	struct maildrop *m;
	bool same;

	if (help_try_open(h, &m) < 0)
		return false;

	char *const got = help_list(m);

	same = strcmp(got, list) == 0;
	free(got);
	maildrop_close(m);
	return same;
}

/* new/ can't be written to, cur/ can: never half of it. */
static int hidden(struct help *h)
{
	if (!list_is(h, "3.c ") || !list_is(h, "3.c "))
		return 1;
	if (!help_exists("%s/restante.journal", h->maildrop))
		return 2;
	if (!help_exists("%s/new/1.a", h->maildrop) || help_exists("%s/cur/2.b:2,S", h->maildrop))
		return 3;
	return help_noticed(h, "will retry") ? 0 : 4;
}

/* Two more are deleted while those are waiting; one can be, one can't. */
static int more_deleted(struct help *h)
{
	struct maildrop *m;
	uint32_t removed;

	help_write("d\r\n", "%s/cur/4.d:2,S", h->maildrop);
	help_write("e\r\n", "%s/cur/5.e:2,S", h->maildrop);
	if (!list_is(h, "3.c 4.d 5.e "))
		return 1;
	if (help_try_open(h, &m) < 0)
		return 2;
	if (maildrop_mark(m, 2) < 0 || maildrop_mark(m, 3) < 0 ||
	    maildrop_commit(m, &removed, NULL) != 0 || removed != 2)
		return 3;
	maildrop_close(m);
	return list_is(h, "3.c ") && help_exists("%s/new/1.a", h->maildrop) ? 0 : 4;
}

static int one_refused(struct help *h)
{
	struct maildrop *m;
	uint32_t removed;

	help_write("f\r\n", "%s/cur/6.f:2,S", h->maildrop);
	if (!list_is(h, "3.c 6.f ") || help_try_open(h, &m) < 0)
		return 1;
	/* 3.c is in new/. */
	if (maildrop_mark(m, 1) < 0 || maildrop_mark(m, 2) < 0 ||
	    maildrop_commit(m, &removed, NULL) != -EACCES)
		return 2;
	maildrop_close(m);
	return list_is(h, "") ? 0 : 3;
}

static int at_last(struct help *h)
{
	if (!list_is(h, ""))
		return 1;
	return help_exists("%s/restante.journal", h->maildrop) ? 2 : 0;
}

static void test_disk_does_not_let_go(void **state)
{
	struct help *const h = *state;
	struct journal j;

	if (geteuid() != 0) {
		print_message("needs root to take rights away\n");
		skip();
	}
	make_journal(h, &j);
	write_journal(h, j.buf.p, j.buf.n);
	journal_done(&j);
	set_mode(h, "", 0700);
	set_mode(h, "/cur", 0700);
	set_mode(h, "/tmp", 0700);
	set_mode(h, "/new", 0500);
	set_mode(h, "/new/1.a", 0600);
	set_mode(h, "/new/3.c", 0600);
	set_mode(h, "/cur/2.b:2,S", 0600);
	set_mode(h, "/restante.journal", 0600);
	assert_int_equal(as_nobody(h, hidden), 0);
	assert_int_equal(as_nobody(h, more_deleted), 0);
	assert_int_equal(as_nobody(h, one_refused), 0);
	set_mode(h, "/new", 0700);
	assert_int_equal(as_nobody(h, at_last), 0);
	assert_int_equal(help_count_files("%s/new", h->maildrop), 0);
	assert_int_equal(help_count_files("%s/cur", h->maildrop), 0);
}

/* None of them can be deleted: then nothing is, and the answer says so. */
static int refused(struct help *h)
{
	struct maildrop *m;
	uint32_t removed = 7;
	struct err err = {.text = ""};

	if (help_try_open(h, &m) < 0)
		return 1;
	if (maildrop_mark(m, 1) < 0 || maildrop_mark(m, 3) < 0 ||
	    maildrop_commit(m, &removed, &err) != -EACCES || removed != 7)
		return 2;
	if (strstr(err.text, "1.a") == NULL)
		return 3;
	maildrop_close(m);
	if (help_exists("%s/restante.journal", h->maildrop))
		return 4;
	return list_is(h, "1.a 2.b 3.c ") ? 0 : 5;
}

static void test_nothing_can_be_deleted(void **state)
{
	struct help *const h = *state;

	if (geteuid() != 0) {
		print_message("needs root to take rights away\n");
		skip();
	}
	set_mode(h, "", 0700);
	set_mode(h, "/cur", 0700);
	set_mode(h, "/tmp", 0700);
	set_mode(h, "/new", 0500);
	set_mode(h, "/new/1.a", 0600);
	set_mode(h, "/new/3.c", 0600);
	set_mode(h, "/cur/2.b:2,S", 0600);
	assert_int_equal(as_nobody(h, refused), 0);
}

/* Commits leave nothing behind. */
static void test_nothing_stays(void **state)
{
	struct help *const h = *state;

	assert_int_equal(help_delete(h, 1, 3, 0), 0);
	assert_false(help_exists("%s/restante.journal", h->maildrop));
	assert_false(help_exists("%s/restante.journal.tmp", h->maildrop));
	assert_int_equal(help_count_files("%s/new", h->maildrop), 0);
	assert_int_equal(help_count_files("%s/cur", h->maildrop), 1);
	assert_int_equal(help_delete(h, 1, 0), 0);
	assert_int_equal(help_count_files("%s/cur", h->maildrop), 0);
}

/* The lock goes with the process that had it. */
static void test_killed_session(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	int ready[2];
	int status;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (help_try_open(h, &m) < 0 || maildrop_mark(m, 1) < 0 ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(help_try_open(h, &m), -EBUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	expect_list(h, "1.a 2.b 3.c ");
	assert_int_equal(close(ready[0]), 0);
	assert_int_equal(close(ready[1]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_names),
		TEST(test_whole_journal_is_done),  TEST(test_half_done),
		TEST(test_cut_everywhere),         TEST(test_garbled_everywhere),
		TEST(test_renamed_since),          TEST(test_disk_does_not_let_go),
		TEST(test_nothing_can_be_deleted), TEST(test_nothing_stays),
		TEST(test_killed_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
