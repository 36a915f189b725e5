/* SPDX-License-Identifier: MIT */
/*
 * Other programs work on the same maildrop: what they put in, take out, rename
 * and move is noticed at the next login, however close to our own work it
 * happens, and UIDLs and order live through it.
 */
#include "store_help.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* As a delivering program does it: written in tmp/, renamed into new/. */
static void put(struct help *h, const char *where, const char *name, const char *text)
{
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];

	(void)snprintf(from, sizeof(from), "%s/tmp/%s", h->maildrop, "being-written");
	(void)snprintf(to, sizeof(to), "%s/%s/%s", h->maildrop, where, name);
	help_write(text, "%s", from);
	assert_int_equal(rename(from, to), 0);
}

static void move(struct help *h, const char *from, const char *to)
{
	char a[HELP_PATH_MAX * 2];
	char b[HELP_PATH_MAX * 2];

	(void)snprintf(a, sizeof(a), "%s/%s", h->maildrop, from);
	(void)snprintf(b, sizeof(b), "%s/%s", h->maildrop, to);
	assert_int_equal(rename(a, b), 0);
}

static void take(struct help *h, const char *name)
{
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/%s", h->maildrop, name);
	assert_int_equal(unlink(path), 0);
}

static uint32_t count(struct help *h)
{
	uint32_t n;

	free(help_poll(h, &n));
	return n;
}

static void expect_list(struct help *h, const char *list)
{
	char *const got = help_poll(h, NULL);

	assert_string_equal(got, list);
	free(got);
}

/* No pause between our look and the change: many fall into one tick of the clock. */
static void test_put_in_same_tick(void **state)
{
	struct help *const h = *state;
	char name[64];

	for (uint32_t i = 1; i <= 400; i++) {
		(void)snprintf(name, sizeof(name), "%u.P1.host%s", 1000 + i, i % 2 ? "" : ":2,S");
		put(h, i % 2 ? "new" : "cur", name, "a\r\n");
		assert_int_equal(count(h), i);
	}
}

static void test_take_out_in_same_tick(void **state)
{
	struct help *const h = *state;
	char name[64];

	for (uint32_t i = 1; i <= 200; i++) {
		(void)snprintf(name, sizeof(name), "%u.P1.host", 1000 + i);
		put(h, "new", name, "a\r\n");
	}
	assert_int_equal(count(h), 200);
	for (uint32_t i = 1; i <= 200; i++) {
		(void)snprintf(name, sizeof(name), "new/%u.P1.host", 1000 + i);
		take(h, name);
		assert_int_equal(count(h), 200 - i);
	}
}

/* One out and one in: the number of entries says nothing. */
static void test_exchange_in_same_tick(void **state)
{
	struct help *const h = *state;
	char name[64];
	char list[64];

	put(h, "new", "1000.P1.host", "a\r\n");
	assert_int_equal(count(h), 1);
	for (unsigned int i = 1001; i < 1200; i++) {
		(void)snprintf(name, sizeof(name), "new/%u.P1.host", i - 1);
		take(h, name);
		put(h, "new", name + 4, "a\r\n"); /* back, and … */
		take(h, name);
		(void)snprintf(name, sizeof(name), "%u.P1.host", i);
		put(h, "new", name, "a\r\n");
		(void)snprintf(list, sizeof(list), "%u.P1.host ", i);
		expect_list(h, list);
	}
}

static void test_our_deliveries_between(void **state)
{
	struct help *const h = *state;
	char name[64];

	for (uint32_t i = 1; i <= 100; i++) {
		assert_int_equal(help_deliver(h, h->maildrop, "a\r\n"), 0);
		(void)snprintf(name, sizeof(name), "%u.P1.host", 1000 + i);
		put(h, "new", name, "a\r\n");
		assert_int_equal(count(h), 2 * i);
	}
}

/* So that what comes now has another time than what was, on the kernel's coarsest clock. */
static void wait_for_tick(void)
{
	struct timespec first;
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &first), 0);
	do {
		assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &now), 0);
	} while (now.tv_sec == first.tv_sec && now.tv_nsec == first.tv_nsec);
}

/* A backup is played back with its old times (rsync -a), and our mark is among them. */
static void test_old_times_come_back(void **state)
{
	static const char *const subs[] = {"new", "cur"};
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	for (uint32_t i = 0; i < 2; i++) {
		struct timespec times[2];
		struct stat st;

		assert_int_equal(count(h), i);
		(void)snprintf(path, sizeof(path), "%s/%s", h->maildrop, subs[i]);
		assert_int_equal(stat(path, &st), 0);
		wait_for_tick();
		put(h, subs[i], i == 0 ? "1.a" : "2.b:2,", "a\r\n");
		times[0] = st.st_atim;
		times[1] = st.st_mtim;
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		assert_int_equal(count(h), i + 1);
	}
}

/* During a session: the session doesn't see it, the next one does. */
static void test_change_during_session(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	put(h, "new", "1.a", "a\r\n");
	m = help_open(h);
	put(h, "new", "2.b", "b\r\n");
	assert_int_equal(maildrop_count(m), 1);
	maildrop_close(m);
	expect_list(h, "1.a 2.b ");
	expect_list(h, "1.a 2.b ");
}

/* Flags, and the way from new/ to cur/: the same message in the same place. */
static void test_moves_keep_uidl_and_order(void **state)
{
	struct help *const h = *state;

	put(h, "new", "1.a,S=3,W=3", "a\r\n");
	put(h, "new", "2.b", "b\r\n");
	put(h, "cur", "3.c,S=3:2,", "c\r\n");
	expect_list(h, "1.a 2.b 3.c ");
	move(h, "new/1.a,S=3,W=3", "cur/1.a,S=3,W=3:2,S");
	expect_list(h, "1.a 2.b 3.c ");
	move(h, "cur/3.c,S=3:2,", "cur/3.c,S=3:2,FS");
	expect_list(h, "1.a 2.b 3.c ");
	move(h, "new/2.b", "cur/2.b:2,");
	put(h, "new", "0.z", "z\r\n"); /* older than all, but it came later */
	expect_list(h, "1.a 2.b 3.c 0.z ");
	move(h, "cur/2.b:2,", "new/2.b");
	move(h, "cur/1.a,S=3,W=3:2,S", "cur/1.a,S=3,W=3:2,RS");
	expect_list(h, "1.a 2.b 3.c 0.z ");

	struct maildrop *const m = help_open(h);

	help_expect_text(m, 1, "a\r\n");
	help_expect_text(m, 2, "b\r\n");
	help_expect_text(m, 3, "c\r\n");
	help_expect_text(m, 4, "z\r\n");
	maildrop_close(m);
}

/* A program that puts the right sizes into names changes the base, but not the message. */
static void test_size_menders_keep_uidl(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	put(h, "cur", "1.a:2,S", "a\n");
	put(h, "cur", "2.b,S=99,W=99:2,S", "b\n");
	expect_list(h, "1.a 2.b ");
	move(h, "cur/1.a:2,S", "cur/1.a,S=2,W=3:2,S");
	move(h, "cur/2.b,S=99,W=99:2,S", "cur/2.b,S=2,W=3:2,S");
	put(h, "cur", "0.c,S=2,W=3:2,S", "c\n");
	m = help_open(h);
	assert_string_equal(help_uidl(m, 1), "1.a");
	assert_string_equal(help_uidl(m, 2), "2.b");
	assert_int_equal(help_record(m, 2).bytes, 2);
	assert_int_equal(help_record(m, 2).octets, 3);
	help_expect_text(m, 2, "b\n");
	assert_string_equal(help_uidl(m, 3), "0.c");
	maildrop_close(m);
}

/* Moved while the session has it: RETR and DELE find it. */
static void test_moves_during_session(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;
	uint32_t removed;

	put(h, "new", "1.a", "a\r\n");
	put(h, "new", "2.b", "b\r\n");
	put(h, "cur", "3.c:2,", "c\r\n");
	put(h, "cur", "4.d:2,", "d\r\n");
	put(h, "cur", "5.e:2,", "e\r\n");
	m = help_open(h);
	move(h, "new/1.a", "cur/1.a:2,S");
	help_expect_text(m, 1, "a\r\n");
	move(h, "cur/1.a:2,S", "cur/1.a:2,FS");
	help_expect_text(m, 1, "a\r\n");
	move(h, "cur/3.c:2,", "cur/3.c:2,T");
	take(h, "cur/4.d:2,");
	assert_int_equal(maildrop_message(m, 4, &message, NULL), -ENOENT);
	move(h, "cur/5.e:2,", "new/5.e");
	help_expect_text(m, 5, "e\r\n");
	help_expect_text(m, 2, "b\r\n");

	assert_int_equal(maildrop_mark(m, 1), 0);
	assert_int_equal(maildrop_mark(m, 3), 0);
	assert_int_equal(maildrop_mark(m, 4), 0);
	move(h, "cur/1.a:2,FS", "cur/1.a:2,S");
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 3);
	maildrop_close(m);
	expect_list(h, "2.b 5.e ");
}

static void test_taken_during_session(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;
	uint32_t removed;
	struct err err;

	put(h, "new", "1.a", "a\r\n");
	put(h, "new", "2.b", "b\r\n");
	m = help_open(h);
	take(h, "new/1.a");
	assert_int_equal(maildrop_message(m, 1, &message, &err), -ENOENT);
	/* Another message that begins alike isn't it. */
	put(h, "new", "1.ab", "x\r\n");
	assert_int_equal(maildrop_message(m, 1, &message, &err), -ENOENT);
	/* To delete what is gone is no error. */
	assert_int_equal(maildrop_mark(m, 1), 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 1);
	maildrop_close(m);
	expect_list(h, "2.b 1.ab ");
}

/*
 * Only what has changed is read: a fifo is noticed, and so mentioned, whenever its
 * directory is read.
 */
static void test_only_the_changed_one_is_read(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/cur/fifo-cur", h->maildrop);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/new/fifo-new", h->maildrop);
	assert_int_equal(mkfifo(path, 0600), 0);

	assert_int_equal(count(h), 0);
	assert_true(help_noticed(h, "fifo-cur") && help_noticed(h, "fifo-new"));
	help_forget_notices(h);
	assert_int_equal(count(h), 0);
	assert_false(help_noticed(h, "fifo"));
	put(h, "new", "1.a", "a\r\n");
	assert_int_equal(count(h), 1);
	assert_true(help_noticed(h, "fifo-new") && !help_noticed(h, "fifo-cur"));
	help_forget_notices(h);
	put(h, "cur", "2.b:2,", "b\r\n");
	assert_int_equal(count(h), 2);
	assert_true(!help_noticed(h, "fifo-new") && help_noticed(h, "fifo-cur"));
	help_forget_notices(h);
	assert_int_equal(count(h), 2);
	assert_false(help_noticed(h, "fifo"));
}

/* Directories that belong to somebody else can't be marked, and so are never trusted. */
static void test_directories_of_others(void **state)
{
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("needs root to make a directory that is somebody else's\n");
		skip();
	}
	assert_int_equal(chmod(h->root, 0777), 0);
	for (int i = 0; i < 4; i++) {
		static const char *const subs[] = {"", "/new", "/cur", "/tmp"};

		(void)snprintf(path, sizeof(path), "%s%s", h->maildrop, subs[i]);
		assert_int_equal(chmod(path, 0777), 0);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uint32_t right = 0;

		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		for (uint32_t i = 1; i <= 100; i++) {
			char name[HELP_PATH_MAX * 2];
			struct maildrop *m;

			(void)snprintf(name, sizeof(name), "%s/new/%u.P1.host", h->maildrop,
				       1000 + i);
			const int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			if (fd < 0 || close(fd) < 0 || help_try_open(h, &m) < 0)
				_exit(3);
			right += maildrop_count(m) == i ? 1 : 0;
			maildrop_close(m);
		}
		_exit(right == 100 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A mail reader that never stops marking and moving, as fast as it can. */
struct restless {
	char maildrop[HELP_PATH_MAX];
	atomic_bool stop;
	atomic_uint moves;
};

#define RESTLESS 40

static void *move_about(void *arg)
{
	struct restless *const r = arg;
	static const char *const places[] = {"cur/%u.m:2,S", "cur/%u.m:2,FS", "new/%u.m",
					     "cur/%u.m:2,"};
	unsigned int at[RESTLESS] = {0};

	while (!atomic_load(&r->stop)) {
		const unsigned int i = atomic_load(&r->moves) * 7 % RESTLESS;
		char from[HELP_PATH_MAX * 2];
		char to[HELP_PATH_MAX * 2];
		size_t n = (size_t)snprintf(from, sizeof(from), "%s/", r->maildrop);

		(void)snprintf(to, sizeof(to), "%s", from);
		/* The formats are those above. */
		const char *const a = places[at[i] % 4];
		const char *const b = places[(at[i] + 1) % 4];

		(void)snprintf(from + n, sizeof(from) - n, "%.4s%u%s", a, 100 + i, a + 6);
		(void)snprintf(to + n, sizeof(to) - n, "%.4s%u%s", b, 100 + i, b + 6);
		if (rename(from, to) < 0) {
			/* So that nobody waits for more. */
			atomic_store(&r->moves, UINT32_MAX);
			return (void *)1;
		}
		at[i]++;
		(void)atomic_fetch_add(&r->moves, 1);
	}
	return NULL;
}

static void test_restless_reader(void **state)
{
	struct help *const h = *state;
	struct restless r = {.maildrop = ""};
	char name[64];
	pthread_t thread;
	char *first;
	void *failed;

	for (unsigned int i = 0; i < RESTLESS; i++) {
		(void)snprintf(name, sizeof(name), "%u.m:2,S", 100 + i);
		put(h, "cur", name, "a\r\n");
	}
	first = help_poll(h, NULL);
	(void)snprintf(r.maildrop, sizeof(r.maildrop), "%s", h->maildrop);
	assert_int_equal(pthread_create(&thread, NULL, move_about, &r), 0);
	while (atomic_load(&r.moves) < 20000) {
		char *const list = help_poll(h, NULL);

		assert_string_equal(list, first);
		free(list);
	}
	atomic_store(&r.stop, true);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);

	/* Come to rest, each can be read. */
	struct maildrop *const m = help_open(h);

	for (uint32_t n = 1; n <= RESTLESS; n++)
		help_expect_text(m, n, "a\r\n");
	maildrop_close(m);
	expect_list(h, first);
	free(first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_in_same_tick),
		TEST(test_take_out_in_same_tick),
		TEST(test_exchange_in_same_tick),
		TEST(test_our_deliveries_between),
		TEST(test_old_times_come_back),
		TEST(test_change_during_session),
		TEST(test_moves_keep_uidl_and_order),
		TEST(test_size_menders_keep_uidl),
		TEST(test_moves_during_session),
		TEST(test_taken_during_session),
		TEST(test_only_the_changed_one_is_read),
		TEST(test_directories_of_others),
		TEST(test_restless_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
