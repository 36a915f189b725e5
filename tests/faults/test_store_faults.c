/* SPDX-License-Identifier: MIT */
/*
 * The store's promises, with the process killed and with the disk failing at
 * every system call in turn:
 *
 *   a delivery that was acknowledged is there, whole and once; one that wasn't is
 *   not there, or, after a kill, at most once and whole;
 *   a commit deletes all that was marked or nothing, and all of it when it said 0;
 *   nothing else ever changes, and the next session works.
 */
#include "store_help.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/journal.h"
#include "store_scenarios.h"
#include "store_steps.h"

static int setup(void **state)
{
	steps_set(STEPS_OFF, 0, 0);
	scenario_fault = "none";
	*state = help_new("maildir");
	return 0;
}

static int teardown(void **state)
{
	steps_set(STEPS_OFF, 0, 0);
	steps_forbid(NULL, 0);
	help_free(*state);
	return 0;
}

static int open_descriptors(void)
{
	return help_count_files("/proc/self/fd");
}

/* ---- every fault in every scenario ---- */

static unsigned int kill_at(struct help *h, const struct scenario *s, unsigned int n,
			    bool *ret_killed)
{
	unsigned int acknowledged = 0;
	int told[2];
	int status;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		steps_set(STEPS_KILL, n, 0);
		acknowledged = s->run(h);
		if (write(told[1], &acknowledged, sizeof(acknowledged)) != sizeof(acknowledged))
			_exit(1);
		/* What is killed while it cleans up has been told already. */
		_exit(0);
	}
	assert_int_equal(close(told[1]), 0);
	if (read(told[0], &acknowledged, sizeof(acknowledged)) != sizeof(acknowledged))
		acknowledged = 0;
	assert_int_equal(close(told[0]), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_killed = WIFSIGNALED(status);
	if (*ret_killed)
		assert_int_equal(WTERMSIG(status), SIGKILL);
	else
		assert_int_equal(status, 0);
	return acknowledged;
}

static void kill_everywhere(struct help *h)
{
	for (size_t i = 0; i < scenario_count; i++) {
		const struct scenario *const s = &scenarios[i];
		bool killed = true;
		unsigned int n;

		for (n = 1; killed && n < STEPS_MAX; n++) {
			scenario_afresh(h);
			s->prepare(h);

			const unsigned int acknowledged = kill_at(h, s, n, &killed);

			if (!killed)
				assert_int_not_equal(acknowledged, 0);
			s->check(h, acknowledged, killed);
		}
		assert_true(n > 5 && n < STEPS_MAX);
	}
}

static void fail_everywhere(struct help *h, enum steps_mode mode, int sys_errno)
{
	for (size_t i = 0; i < scenario_count; i++) {
		const struct scenario *const s = &scenarios[i];
		bool hit = true;
		unsigned int n;

		for (n = 1; hit && n < STEPS_MAX; n++) {
			unsigned int acknowledged;
			int before;

			scenario_afresh(h);
			s->prepare(h);
			store_free(h->store);
			before = open_descriptors();
			h->store = help_store(h, "maildir");
			steps_set(mode, n, sys_errno);
			acknowledged = s->run(h);
			hit = steps_hit();
			scenario_fault = steps_hit_call();
			steps_set(STEPS_OFF, 0, 0);
			/* It keeps some for the next ones. */
			store_free(h->store);
			if (open_descriptors() != before)
				fail_msg("%s: descriptors are left after step %u, %s", s->name, n,
					 scenario_fault);
			h->store = help_store(h, "maildir");
			if (!hit)
				assert_int_not_equal(acknowledged, 0);
			s->check(h, acknowledged, mode != STEPS_FAIL);
		}
		assert_true(n > 1 && n < STEPS_MAX);
	}
}

static void test_kill(void **state)
{
	kill_everywhere(*state);
}

static void test_one_eio(void **state)
{
	fail_everywhere(*state, STEPS_FAIL, EIO);
}

static void test_one_enospc(void **state)
{
	fail_everywhere(*state, STEPS_FAIL, ENOSPC);
}

static void test_one_emfile(void **state)
{
	fail_everywhere(*state, STEPS_FAIL, EMFILE);
}

static void test_one_eacces(void **state)
{
	fail_everywhere(*state, STEPS_FAIL, EACCES);
}

static void test_disk_dies(void **state)
{
	fail_everywhere(*state, STEPS_FAIL_FROM, EIO);
}

static void test_disk_is_full(void **state)
{
	fail_everywhere(*state, STEPS_FULL_FROM, ENOSPC);
}

static void test_quota_is_reached(void **state)
{
	fail_everywhere(*state, STEPS_FULL_FROM, EDQUOT);
}

/* ---- file systems that can do less ---- */

/* Without unnamed files, a delivery has a name in tmp/ until it is linked. */
static void test_without_tmpfile(void **state)
{
	struct help *const h = *state;

	steps_forbid("tmpfile", EOPNOTSUPP);
	assert_int_equal(scenario_run_deliver(h), 7);
	scenario_check_deliver(h, 7, false);
	assert_int_equal(help_deliver(h, scenario_path(h, "two"), "b\r\n"), 0);
	assert_int_equal(help_count_files("%s/new", scenario_path(h, "two")), 2);
	assert_int_equal(help_count_files("%s/tmp", scenario_path(h, "two")), 0);

	/* Not committed: nothing of it stays. */
	const struct store_owner owner = help_owner(scenario_path(h, "two"));
	struct delivery *d;

	assert_int_equal(delivery_begin(h->store, &owner, &d, NULL), 0);
	assert_int_equal(help_count_files("%s/tmp", owner.path), 1);
	delivery_free(d);
	assert_int_equal(help_count_files("%s/tmp", owner.path), 0);
}

static void test_faults_without_tmpfile(void **state)
{
	steps_forbid("tmpfile", EOPNOTSUPP);
	kill_everywhere(*state);
	fail_everywhere(*state, STEPS_FAIL, EIO);
	fail_everywhere(*state, STEPS_FULL_FROM, ENOSPC);
}

/* Without hard links either, it is renamed; others get copies. */
static void test_without_links(void **state)
{
	struct help *const h = *state;

	steps_forbid("linkat", EPERM);
	/* Unnamed files can't be given a name then. */
	assert_int_equal(scenario_run_deliver(h), 0);
	scenario_check_deliver(h, 0, false);
}

static void test_copy_by_hand(void **state)
{
	static const int errors[] = {EXDEV, EINVAL, ENOSYS, EOPNOTSUPP};
	struct help *const h = *state;

	for (size_t i = 0; i < 4; i++) {
		scenario_afresh(h);
		steps_forbid("copy_file_range", errors[i]);
		assert_int_equal(scenario_run_deliver(h), 7);
		scenario_check_deliver(h, 7, false);
	}
	fail_everywhere(h, STEPS_FAIL, ENOSPC);
}

/* Directories that can't be locked: a file is, and excludes as well. */
static void test_lock_file(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	struct maildrop *other;

	scenario_prepare_messages(h);
	steps_set(STEPS_OFF, 0, 0);
	/* The call that locks the directory is the first flock(): only that one may fail. */
	for (unsigned int n = 1; n < STEPS_MAX; n++) {
		steps_set(STEPS_FAIL, n, EBADF);
		const int r = help_try_open(h, &m);
		const bool flock_hit = steps_hit() && strcmp(steps_hit_call(), "flock") == 0;

		steps_set(STEPS_OFF, 0, 0);
		if (!flock_hit) {
			if (r == 0)
				maildrop_close(m);
			continue;
		}
		assert_int_equal(r, 0);
		assert_true(help_exists("%s/restante.lock", h->maildrop));
		steps_set(STEPS_FAIL, n, EBADF);
		assert_int_equal(help_try_open(h, &other), -EBUSY);
		assert_string_equal(steps_hit_call(), "flock");
		steps_set(STEPS_OFF, 0, 0);
		maildrop_close(m);
		return;
	}
	fail();
}

/* A maildrop that hasn't changed is opened with the same few calls, however much is in it. */
static void test_fast_path(void **state)
{
	struct help *const h = *state;
	unsigned int counts[2];

	scenario_prepare_messages(h);
	for (int turn = 0; turn < 2; turn++) {
		struct maildrop *m;

		free(help_poll(h, NULL));
		steps_set(STEPS_OFF, 0, 0);
		assert_int_equal(help_try_open(h, &m), 0);
		counts[turn] = steps_count();
		maildrop_close(m);
		for (int i = 0; i < 3000 && turn == 0; i++)
			help_write("a\r\n", "%s/cur/%d.x,S=3,W=3:2,S", h->maildrop, i + 10);
	}
	assert_int_equal(counts[0], counts[1]);
	assert_int_equal(counts[0], 8);
}

/* A maildrop on a disk: a file system in memory doesn't remember which names there aren't. */
static struct help *help_on_disk(void)
{
	const char *const tmp = getenv("TMPDIR");
	struct help *h;

	(void)setenv("TMPDIR", "/var/tmp", 1);
	h = help_new("maildir");
	if (tmp != NULL)
		(void)setenv("TMPDIR", tmp, 1);
	return h;
}

static void now_failing_at(struct help *h, unsigned int n)
{
	const struct store_owner owner = help_owner(h->maildrop);
	struct store_message message;
	struct maildrop *m = NULL;

	steps_set(STEPS_FAIL, n, EIO);

	const int r = maildrop_open_now(h->store, &owner, &m);
	const int q = r == 0 ? maildrop_message_now(m, 1, &message) : -EAGAIN;

	assert_true(r == -EAGAIN || r == 0);
	assert_true(q == -EAGAIN || q == 0);
	if (q == 0)
		assert_int_equal(close(message.fd), 0);
	maildrop_close(m);
}

/* What can't be done at once because something fails is left to the other way, at each call. */
static void test_now_fails_at_each_call(void **state)
{
	struct help *const h = help_on_disk();
	unsigned int n = 0;
	bool hit = true;
	int open_before;

	(void)state;
	scenario_prepare_indexed(h);
	for (int i = 0; i < 4; i++)
		free(help_poll(h, NULL));
	open_before = open_descriptors();
	while (hit && ++n < STEPS_MAX) {
		now_failing_at(h, n);
		hit = steps_hit();
		steps_set(STEPS_OFF, 0, 0);
		assert_int_equal(open_descriptors(), open_before);
	}
	help_free(h);
	/* Before Linux 5.12 it comes to an end at once. */
	if (n < 3)
		skip();
	assert_true(n > 10);
}

/*
 * A commit that was killed, of whose files others have taken away every second one: how
 * often the directories are read must not grow with what is missing.
 */
static void test_replay_reads_once(void **state)
{
	struct help *const h = *state;
	struct journal j;
	struct maildrop *m;
	struct stat st;
	char path[HELP_PATH_MAX * 2];

	help_make_maildir(h->maildrop);
	journal_init(&j);
	for (unsigned int i = 0; i < 400; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%u.x", i);
		(void)snprintf(path, sizeof(path), "%s/new/%s", h->maildrop, name);
		help_write("a\r\n", "%s", path);
		assert_int_equal(stat(path, &st), 0);

		const struct journal_entry e = {.inode = st.st_ino, .name = span_str(name)};

		assert_int_equal(journal_put(&j, &e), 0);
		if (i % 2 == 0)
			assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(journal_seal(&j), 0);
	(void)snprintf(path, sizeof(path), "%s/restante.journal", h->maildrop);

	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, j.buf.p, j.buf.n), j.buf.n);
	assert_int_equal(close(fd), 0);
	journal_done(&j);
	steps_set(STEPS_OFF, 0, 0);
	assert_int_equal(help_try_open(h, &m), 0);
	assert_int_equal(maildrop_count(m), 0);
	assert_in_range(steps_count(), 400, 4000);
	maildrop_close(m);
}

/* ---- other programs, between any two calls of ours ---- */

static void foreign_put(void *arg)
{
	const struct help *const h = arg;

	help_write("a\r\n", "%s/tmp/9.foreign", h->maildrop);
	assert_int_equal(rename(scenario_path(arg, "alice/tmp/9.foreign"),
				scenario_path(arg, "alice/new/9.foreign")),
			 0);
}

static void foreign_mark(void *arg)
{
	(void)rename(scenario_path(arg, "alice/new/3.c"), scenario_path(arg, "alice/cur/3.c:2,S"));
}

static void foreign_take(void *arg)
{
	(void)unlink(scenario_path(arg, "alice/cur/4.d:2,"));
}

/* One goes, one comes: the number of entries says nothing. */
static void foreign_exchange(void *arg)
{
	(void)unlink(scenario_path(arg, "alice/new/3.c"));
	help_write("other\r\n", "%s/new/7.d", ((const struct help *)arg)->maildrop);
}

static unsigned int run_deliver_to_alice(struct help *h)
{
	return help_deliver(h, h->maildrop, "new\r\n") == 0;
}

/* Another thread or server of ours. */
static void own_deliver(void *arg)
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		steps_set(STEPS_OFF, 0, 0);
		_exit(run_deliver_to_alice(arg) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What the next session sees is what is there, whatever came in between what. */
static void meet_everywhere(struct help *h, unsigned int (*run)(struct help *h),
			    void (*other)(void *arg))
{
	bool hit = true;
	unsigned int n;

	for (n = 1; hit && n < STEPS_MAX; n++) {
		struct maildrop *m;
		unsigned int files;

		scenario_afresh(h);
		scenario_prepare_indexed(h);
		steps_meet(other, h);
		steps_set(STEPS_MEET, n, 0);
		(void)run(h);
		hit = steps_hit();
		steps_set(STEPS_OFF, 0, 0);
		files = (unsigned int)(help_count_files("%s/new", h->maildrop) +
				       help_count_files("%s/cur", h->maildrop));
		m = help_open(h);
		if (maildrop_count(m) != files)
			fail_msg("step %u: %u messages in %u files", n, maildrop_count(m), files);
		/* Nobody has found another's half-written index either. */
		assert_false(help_noticed(h, "restante.index"));
		for (uint32_t i = 1; i <= maildrop_count(m); i++) {
			size_t length;
			char *const text = help_text(m, i, &length);

			assert_int_equal(length, help_record(m, i).octets);
			free(text);
		}
		maildrop_close(m);
	}
	assert_true(n > 5 && n < STEPS_MAX);
}

static unsigned int run_open_quietly(struct help *h)
{
	struct maildrop *const m = help_open(h);

	maildrop_close(m);
	return 1;
}

static unsigned int run_open_changed(struct help *h)
{
	help_write("a\r\n", "%s/cur/8.changed:2,", h->maildrop);
	return run_open_quietly(h);
}

static void test_others_at_every_step(void **state)
{
	static void (*const others[])(void *) = {foreign_put, foreign_mark, foreign_take,
						 foreign_exchange};
	static unsigned int (*const runs[])(struct help *) = {
		run_deliver_to_alice, run_open_quietly, run_open_changed, scenario_run_commit_one,
		scenario_run_commit_three};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		for (size_t j = 0; j < sizeof(runs) / sizeof(runs[0]); j++)
			meet_everywhere(*state, runs[j], others[i]);
	}
}

static void test_own_delivery_at_every_step(void **state)
{
	static unsigned int (*const runs[])(struct help *) = {
		run_deliver_to_alice, run_open_changed, scenario_run_commit_three};

	for (size_t j = 0; j < sizeof(runs) / sizeof(runs[0]); j++)
		meet_everywhere(*state, runs[j], own_deliver);
}

/* What we deliver ourselves is in the index at once: the next session reads no directory. */
static void test_fast_after_delivery(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	scenario_prepare_indexed(h);
	for (uint32_t n = 1; n <= 3; n++) {
		char *list;

		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(help_deliver(h, h->maildrop, ".new\r\n"), 0);
		steps_set(STEPS_OFF, 0, 0);
		assert_int_equal(help_try_open(h, &m), 0);
		assert_int_equal(steps_count(), 8);
		assert_int_equal(maildrop_count(m), SCENARIO_MESSAGES + n * (n + 1) / 2);
		help_expect_text(m, maildrop_count(m), ".new\r\n");
		list = help_list(m);
		maildrop_close(m);

		/* It says what a reading says: same order, same UIDLs, same sizes. */
		char path[HELP_PATH_MAX * 2];
		struct index_record before[SCENARIO_MESSAGES + 6];
		uint32_t count;

		m = help_open(h);
		count = maildrop_count(m);
		for (uint32_t i = 1; i <= count; i++)
			before[i - 1] = help_record(m, i);
		maildrop_close(m);
		(void)snprintf(path, sizeof(path), "%s/restante.index", h->maildrop);
		assert_int_equal(unlink(path), 0);
		m = help_open(h);
		assert_int_equal(maildrop_count(m), count);
		for (uint32_t i = 1; i <= count; i++) {
			const struct index_record after = help_record(m, i);

			assert_memory_equal(&before[i - 1], &after, sizeof(after));
		}
		maildrop_close(m);
		free(list);
	}
}

/* And what a session deletes is taken out of it. */
static void test_fast_after_commit(void **state)
{
	static const struct {
		uint32_t marks[4];
		const char *rest;
	} cases[] = {{{1, 0}, "2.b 3.c 4.d 5.e "},
		     {{2, 0}, "1.a 3.c 4.d 5.e "},
		     {{1, 2, 5, 0}, "3.c 4.d "},
		     {{2, 4, 0}, "1.a 3.c 5.e "}};
	struct help *const h = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildrop *m;
		char *list;

		scenario_afresh(h);
		scenario_prepare_indexed(h);
		assert_int_equal(scenario_run_commit(h, cases[i].marks), 1);
		steps_set(STEPS_OFF, 0, 0);
		assert_int_equal(help_try_open(h, &m), 0);
		assert_int_equal(steps_count(), 8);
		list = help_list(m);
		assert_string_equal(list, cases[i].rest);
		free(list);
		maildrop_close(m);
	}
}

/* Where the kernel tells nothing, or has told too much, the next session reads. */
static void test_without_watches(void **state)
{
	static const struct {
		const char *call;
		int sys_errno;
	} cases[] = {{"fstatfs", ENOSYS},
		     {"inotify_init", EMFILE},
		     {"inotify_add_watch", ENOSPC},
		     {"inotify_read", EINVAL}};
	struct help *const h = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildrop *m;

		scenario_afresh(h);
		scenario_prepare_indexed(h);
		/* So that there is none from before. */
		store_free(h->store);
		h->store = help_store(h, "maildir");
		steps_forbid(cases[i].call, cases[i].sys_errno);
		assert_int_equal(help_deliver(h, h->maildrop, "new\r\n"), 0);
		steps_forbid(NULL, 0);
		steps_set(STEPS_OFF, 0, 0);
		m = help_open(h);
		assert_true(steps_count() > 20);
		assert_int_equal(maildrop_count(m), SCENARIO_MESSAGES + 1);
		maildrop_close(m);
	}
}

/* While a session has it too: its own snapshot stays, the next one sees all. */
static void test_deliver_beside_session(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	uint32_t removed;

	scenario_prepare_indexed(h);
	for (int turn = 0; turn < 2; turn++) {
		m = help_open(h);
		const uint32_t count = maildrop_count(m);

		assert_int_equal(help_deliver(h, h->maildrop, "new\r\n"), 0);
		assert_int_equal(maildrop_count(m), count);
		if (turn == 1) {
			/* In cur/: what the index says of new/ goes on to be true. */
			assert_int_equal(maildrop_mark(m, 2), 0);
			assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
		}
		maildrop_close(m);
		m = help_open(h);
		assert_int_equal(maildrop_count(m), turn == 0 ? count + 1 : count);
		help_expect_text(m, maildrop_count(m), "new\r\n");
		maildrop_close(m);
	}
}

/* What needs no disk work does none. */
static void test_commit_of_nothing(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	uint32_t removed;

	scenario_prepare_indexed(h);
	m = help_open(h);
	steps_set(STEPS_OFF, 0, 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(steps_count(), 0);
	maildrop_close(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kill),
		TEST(test_one_eio),
		TEST(test_one_enospc),
		TEST(test_one_emfile),
		TEST(test_one_eacces),
		TEST(test_disk_dies),
		TEST(test_disk_is_full),
		TEST(test_quota_is_reached),
		TEST(test_without_tmpfile),
		TEST(test_faults_without_tmpfile),
		TEST(test_without_links),
		TEST(test_copy_by_hand),
		TEST(test_lock_file),
		TEST(test_fast_path),
		TEST(test_now_fails_at_each_call),
		TEST(test_replay_reads_once),
		TEST(test_others_at_every_step),
		TEST(test_own_delivery_at_every_step),
		TEST(test_fast_after_delivery),
		TEST(test_fast_after_commit),
		TEST(test_without_watches),
		TEST(test_deliver_beside_session),
		TEST(test_commit_of_nothing),
	};

	/* Thousands of syncs: what is tested here is the same where they cost nothing. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK | X_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
