/* SPDX-License-Identifier: MIT */
/*
 * Others who can write to the maildrop, and files that are no messages: nothing
 * leads out of the maildrop, nothing hangs, nobody else's word is believed. And what
 * permissions forbid is said, and harms nothing else.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/journal.h"
#include "store/maildir/maildir_tidy.h"

#define SOMEBODY 12345

static int setup(void **state)
{
	struct help *const h = help_new("maildir");

	help_make_maildir(h->maildrop);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static void expect_list(struct help *h, const char *list)
{
	char *const got = help_poll(h, NULL);

	assert_string_equal(got, list);
	free(got);
}

static void test_not_messages(void **state)
{
	struct help *const h = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[HELP_PATH_MAX * 2];
	char *list;
	int s;

	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("a\r\n", "%s/new/.2.hidden", h->maildrop);
	help_write("a\r\n", "%s/outside", h->root);
	(void)snprintf(path, sizeof(path), "%s/new/3.fifo", h->maildrop);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/cur/4.directory", h->maildrop);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/cur/5.link,S=3,W=3:2,S", h->maildrop);
	assert_int_equal(symlink("../../outside", path), 0);
	(void)snprintf(path, sizeof(path), "%s/cur/6.dangling", h->maildrop);
	assert_int_equal(symlink("nowhere", path), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/new/7.sock", h->maildrop);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(close(s), 0);

	list = help_poll(h, NULL);
	assert_string_equal(list, "1.a ");
	free(list);
	assert_true(help_noticed(h, "3.fifo"));
	assert_true(help_noticed(h, "4.directory"));
	assert_true(help_noticed(h, "5.link"));
	assert_true(help_noticed(h, "6.dangling"));
	assert_true(help_noticed(h, "7.sock"));
	assert_false(help_noticed(h, "hidden"));
}

/* A message is replaced by something else during the session: never opened, never waited for. */
static void test_replaced_by_fifo_and_link(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	char path[HELP_PATH_MAX * 2];
	struct maildrop *m;

	help_write("a\r\n", "%s/new/1.a,S=3,W=3", h->maildrop);
	help_write("secret\r\n", "%s/secret", h->root);
	m = help_open(h);
	(void)snprintf(path, sizeof(path), "%s/new/1.a,S=3,W=3", h->maildrop);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../../secret", path), 0);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), -ENOENT);
	maildrop_close(m);
}

/* A thousand of them are some lines in the log, not a thousand. */
static void test_many_that_are_none(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];
	unsigned int lines = 0;

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/%d.fifo", h->maildrop,
			       i % 2 ? "new" : "cur", i);
		assert_int_equal(mkfifo(path, 0600), 0);
	}
	expect_list(h, "");
	for (const char *p = h->notices; *p != '\0'; p++)
		lines += *p == '\n';
	assert_in_range(lines, 2, 20);
	assert_true(help_noticed(h, "992 more files are no messages"));
}

/*
 * One of the three directories is a link to another maildrop's. The server has the
 * rights for that one too, but it was not what this user logged in to.
 */
static void test_linked_directories(void **state)
{
	static const char *const subs[] = {"new", "cur", "tmp"};
	struct help *const h = *state;
	char bob[HELP_PATH_MAX];
	char path[HELP_PATH_MAX * 2];
	char target[HELP_PATH_MAX * 2];
	struct maildrop *m;
	int root_fd;

	(void)snprintf(bob, sizeof(bob), "%.400s/bob", h->root);
	help_make_maildir(bob);
	help_write("secret\r\n", "%s/new/1.bob,S=8,W=8", bob);
	help_write("secret\r\n", "%s/cur/2.bob,S=8,W=8:2,S", bob);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", h->maildrop, subs[i]);
		(void)snprintf(target, sizeof(target), "%s/%s", bob, i == 0 ? "new" : "cur");
		assert_int_equal(rmdir(path), 0);
		assert_int_equal(symlink(target, path), 0);
		if (i < 2)
			assert_int_equal(help_try_open(h, &m), -ENOTDIR);
		else
			expect_list(h, "");
		if (i == 0)
			assert_int_equal(help_deliver(h, h->maildrop, "a\r\n"), -ENOTDIR);
		root_fd = open(h->maildrop, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(root_fd >= 0);
		maildir_tidy(root_fd, UINT64_MAX);
		assert_int_equal(close(root_fd), 0);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(help_count_files("%s/new", bob), 1);
	assert_int_equal(help_count_files("%s/cur", bob), 1);
	assert_false(help_exists("%s/restante.index", bob));
}

/* Our own files, as something that can't be read: made anew, and nobody waits. */
static void test_own_files_replaced(void **state)
{
	static const char *const names[] = {"restante.index", "restante.journal",
					    "restante.index.tmp", "restante.journal.tmp"};
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("keep\r\n", "%s/outside", h->root);
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", h->maildrop, names[i]);
		(void)unlink(path);
		assert_int_equal(mkfifo(path, 0600), 0);
		expect_list(h, "1.a ");
		(void)unlink(path);
		assert_int_equal(symlink("../outside", path), 0);
		expect_list(h, "1.a ");
		help_write("b\r\n", "%s/new/2.b", h->maildrop);
		help_write("c\r\n", "%s/new/3.c", h->maildrop);
		assert_int_equal(help_delete(h, 2, 3, 0), 0);
		(void)unlink(path);
	}
	expect_list(h, "1.a ");

	int fd;
	char text[16] = "";

	(void)snprintf(path, sizeof(path), "%s/outside", h->root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "keep\r\n");
	assert_int_equal(close(fd), 0);
}

static void make_journal_for(struct help *h, const char *name, uid_t uid, mode_t mode)
{
	char path[HELP_PATH_MAX * 2];
	struct journal j;
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/new/%s", h->maildrop, name);
	assert_int_equal(stat(path, &st), 0);

	const struct journal_entry e = {.inode = st.st_ino, .name = span_str(name)};

	journal_init(&j);
	assert_int_equal(journal_put(&j, &e), 0);
	assert_int_equal(journal_seal(&j), 0);
	(void)snprintf(path, sizeof(path), "%s/restante.journal", h->maildrop);

	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, j.buf.p, j.buf.n), j.buf.n);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(fchown(fd, uid, (gid_t)-1), 0);
	assert_int_equal(close(fd), 0);
	journal_done(&j);
}

/* A list of what to delete, from somebody who may write here: it is no session's decision. */
static void test_journal_of_others(void **state)
{
	struct help *const h = *state;

	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("b\r\n", "%s/new/2.b", h->maildrop);
	make_journal_for(h, "1.a", (uid_t)-1, 0620);
	expect_list(h, "1.a 2.b ");
	assert_true(help_noticed(h, "nothing is deleted by it"));
	assert_false(help_exists("%s/restante.journal", h->maildrop));
	make_journal_for(h, "1.a", (uid_t)-1, 0602);
	expect_list(h, "1.a 2.b ");
	if (geteuid() == 0) {
		make_journal_for(h, "1.a", SOMEBODY, 0600);
		expect_list(h, "1.a 2.b ");
	}
	make_journal_for(h, "1.a", (uid_t)-1, 0640);
	expect_list(h, "2.b ");
}

/* Who may read new/ can lock it. That costs time, and nobody his mail. */
static void test_locked_by_others(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];
	struct stat before;
	struct stat after;
	int fd;

	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	expect_list(h, "1.a ");
	(void)snprintf(path, sizeof(path), "%s/new", h->maildrop);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);

	(void)snprintf(path, sizeof(path), "%s/restante.index", h->maildrop);
	assert_int_equal(stat(path, &before), 0);
	help_write("b\r\n", "%s/new/2.b", h->maildrop);
	expect_list(h, "1.a 2.b ");
	/* Nobody appends who might not be the only one. */
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(help_deliver(h, h->maildrop, "c\r\n"), 0);
	assert_int_equal(help_delete(h, 1, 2, 0), 0);

	struct maildrop *const m = help_open(h);

	assert_int_equal(maildrop_count(m), 1);
	help_expect_text(m, 1, "c\r\n");
	maildrop_close(m);
	assert_int_equal(close(fd), 0);
}

/* UIDLs and sizes from somebody else: made anew. */
static void test_index_of_others(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	expect_list(h, "1.a ");
	(void)snprintf(path, sizeof(path), "%s/restante.index", h->maildrop);
	for (int i = 0; i < 3; i++) {
		const bool foreign = i == 2;

		if (foreign && geteuid() != 0)
			break;
		help_forget_notices(h);
		if (foreign)
			assert_int_equal(chown(path, SOMEBODY, (gid_t)-1), 0);
		else
			assert_int_equal(chmod(path, i == 0 ? 0660 : 0602), 0);
		expect_list(h, "1.a ");
		assert_true(help_noticed(h, "'restante.index': others can write to it"));
		help_forget_notices(h);
		expect_list(h, "1.a ");
		assert_false(help_noticed(h, "restante.index"));
	}
}

/* Runs as nobody, for what root is never refused. 0: all was well. */
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

static void give_to_nobody(struct help *h)
{
	static const char *const subs[] = {"", "/new", "/cur", "/tmp"};
	char path[HELP_PATH_MAX * 2];

	for (int i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", h->maildrop, subs[i]);
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
}

static int read_broken(struct help *h)
{
	struct store_message message;
	struct maildrop *m;

	if (help_try_open(h, &m) < 0)
		return 1;
	if (maildrop_count(m) != 3 || maildrop_octets(m) != 3 + 7 + 3)
		return 2;
	if (!help_noticed(h, "2.broken"))
		return 3;
	if ((help_record(m, 2).flags & INDEX_BROKEN) == 0)
		return 4;
	if (maildrop_message(m, 2, &message, NULL) != -EACCES)
		return 5;
	if (maildrop_message(m, 3, &message, NULL) != 0 || close(message.fd) < 0)
		return 6;
	maildrop_close(m);
	return 0;
}

static int read_mended(struct help *h)
{
	struct store_message message;
	struct maildrop *m;

	if (help_try_open(h, &m) < 0 || maildrop_count(m) != 3)
		return 1;
	/* LF: longer on the wire than was listed. */
	if (maildrop_message(m, 2, &message, NULL) != -ESTALE)
		return 2;
	maildrop_close(m);
	if (help_try_open(h, &m) < 0 || maildrop_octets(m) != 3 + 8 + 3)
		return 3;
	if (maildrop_message(m, 2, &message, NULL) != 0 || message.octets != 8)
		return 4;
	maildrop_close(m);
	return 0;
}

static void test_unreadable_file(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	if (geteuid() != 0) {
		print_message("needs root to make a file that is somebody else's\n");
		skip();
	}
	help_write("a\r\n", "%s/new/1.a,S=3,W=3", h->maildrop);
	help_write("broken\n", "%s/new/2.broken", h->maildrop);
	help_write("c\r\n", "%s/new/3.c,S=3,W=3", h->maildrop);
	give_to_nobody(h);
	(void)snprintf(path, sizeof(path), "%s/new/3.c,S=3,W=3", h->maildrop);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(as_nobody(h, read_broken), 0);
	(void)snprintf(path, sizeof(path), "%s/new/2.broken", h->maildrop);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(as_nobody(h, read_mended), 0);
}

/* Mail can be read where nothing can be written. */
static int read_only_maildrop(struct help *h)
{
	struct maildrop *m;
	uint32_t removed;
	struct err err;

	for (int turn = 0; turn < 2; turn++) {
		struct store_message message;

		if (help_try_open(h, &m) < 0)
			return 1;
		if (maildrop_count(m) != 2 || maildrop_message(m, 1, &message, NULL) != 0)
			return 2;
		(void)close(message.fd);
		if (maildrop_mark(m, 1) < 0 || maildrop_mark(m, 2) < 0)
			return 3;
		if (maildrop_commit(m, &removed, &err) != -EACCES || err.text[0] == '\0')
			return 4;
		maildrop_close(m);
	}
	return 0;
}

static void test_read_only_maildrop(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	if (geteuid() != 0) {
		print_message("needs root to make a directory that is somebody else's\n");
		skip();
	}
	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("b\r\n", "%s/cur/2.b:2,S", h->maildrop);
	(void)snprintf(path, sizeof(path), "%s/new/1.a", h->maildrop);
	assert_int_equal(chmod(path, 0644), 0);
	(void)snprintf(path, sizeof(path), "%s/cur/2.b:2,S", h->maildrop);
	assert_int_equal(chmod(path, 0644), 0);
	static const char *const subs[] = {"", "/new", "/cur", "/tmp"};

	for (int i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", h->maildrop, subs[i]);
		assert_int_equal(chmod(path, 0555), 0);
	}
	assert_int_equal(as_nobody(h, read_only_maildrop), 0);
	assert_true(help_exists("%s/new/1.a", h->maildrop));
	assert_true(help_exists("%s/cur/2.b:2,S", h->maildrop));
}

static int not_his_journal(struct help *h)
{
	struct maildrop *m;

	if (help_try_open(h, &m) < 0)
		return 1;

	const uint32_t count = maildrop_count(m);

	maildrop_close(m);
	return count == 1 ? 0 : 2;
}

/* One that can't even be read must not keep the owner out. */
static void test_unreadable_journal_of_others(void **state)
{
	struct help *const h = *state;

	if (geteuid() != 0) {
		print_message("needs root to be several owners\n");
		skip();
	}
	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	make_journal_for(h, "1.a", SOMEBODY, 0600);
	give_to_nobody(h);
	assert_int_equal(as_nobody(h, not_his_journal), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_not_messages),
		TEST(test_many_that_are_none),
		TEST(test_replaced_by_fifo_and_link),
		TEST(test_linked_directories),
		TEST(test_own_files_replaced),
		TEST(test_journal_of_others),
		TEST(test_index_of_others),
		TEST(test_locked_by_others),
		TEST(test_unreadable_file),
		TEST(test_read_only_maildrop),
		TEST(test_unreadable_journal_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
