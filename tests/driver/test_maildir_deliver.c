/* SPDX-License-Identifier: MIT */
/*
 * What a delivery leaves on disk, whose it is, and whose rights it was made with.
 */
#include "store_help.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/maildir/maildir_name.h"

#define NOBODY ((uid_t)65534)
#define SOMEBODY ((uid_t)65533)

static int setup(void **state)
{
	*state = help_new("maildir");
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

/* What others put in counts by its name, or by its length; what is no message doesn't. */
static void test_usage_with_others(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = help_owner(h->maildrop);
	struct store_usage used;

	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(help_deliver(h, h->maildrop, "ours\r\n"), 0);
		assert_int_equal(store_usage(h->store, &owner, &used, NULL), 0);
		assert_int_equal(used.messages, turn == 0 ? 1 : 4);
		assert_int_equal(used.octets, turn == 0 ? 6 : 6 + 9 + 1000 + 6);
		/* The index is right now, and then it isn't any more. */
		free(help_poll(h, NULL));
		if (turn == 1)
			break;
		help_write("12345678\n", "%s/cur/1700000000.x.host:2,S", h->maildrop);
		help_write("x\n", "%s/new/1700000001.x.host,S=990,W=1000", h->maildrop);
		help_write("x\n", "%s/new/.hidden", h->maildrop);
		assert_int_equal(store_usage(h->store, &owner, &used, NULL), 0);
		assert_int_equal(used.messages, 3);
		assert_int_equal(used.octets, 6 + 9 + 1000);
	}
}

static void set_time(struct help *h, const char *name, time_t seconds)
{
	const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/%s", h->maildrop, name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Old by its name and by its time; or, where the name says nothing, by both times of the file. */
static void test_what_is_old(void **state)
{
	static const struct {
		const char *name;
		time_t mtime;
		bool old;
	} cases[] = {
		{"cur/1600000000.a.host:2,S", 1600000000, true},
		{"new/1600000001.b.host,S=2,W=3", 1600000001, true},
		{"new/1699999999.c.host", 1699999999, true},
		{"new/1700000000.d.host", 1600000000, false},
		/* Moved in, or written to, later. */
		{"new/1600000000.e.host", 1700000000, false},
		/* Nothing to go by but the file, which has just come. */
		{"new/letter", 1600000000, false},
		{"cur/5.f.host:2,", 1600000000, false},
		{"new/99999999999.g.host", 1600000000, false},
	};
	struct help *const h = *state;
	const struct store_owner owner = help_owner(h->maildrop);
	unsigned old = 0;
	uint32_t removed;

	help_make_maildir(h->maildrop);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		help_write("x\n", "%s/%s", h->maildrop, cases[i].name);
		set_time(h, cases[i].name, cases[i].mtime);
		old += cases[i].old;
	}
	assert_int_equal(store_expire(h->store, &owner, 1700000000, &removed, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (help_exists("%s/%s", h->maildrop, cases[i].name) == cases[i].old)
			fail_msg("%s", cases[i].name);
	}
	assert_int_equal(removed, old);
	assert_int_equal(store_expire(h->store, &owner, 1700000000, &removed, NULL), 0);
	assert_int_equal(removed, 0);
}

static struct stat stat_of(const char *dir, const char *name)
{
	char path[HELP_PATH_MAX * 4];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (lstat(path, &st) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static void test_names_and_modes(void **state)
{
	struct help *const h = *state;
	char new_dir[HELP_PATH_MAX * 2];
	struct maildir_name parts;
	struct maildir_uidl uidl;
	const char *name;

	(void)umask(0);
	(void)snprintf(h->maildrop, sizeof(h->maildrop), "%.400s/deep//er/alice/", h->root);
	(void)snprintf(new_dir, sizeof(new_dir), "%s/new", h->maildrop);
	assert_int_equal(help_deliver(h, h->maildrop, "a\r\n.b\r\n.\r\n"), 0);
	assert_int_equal(help_count_files("%s", new_dir), 1);
	name = help_first_file("%s", new_dir);
	assert_non_null(strstr(name, ".mx.example,S=10,W=10,D=2"));
	maildir_name_parse(span_str(name), &parts);
	assert_true(parts.has_sizes && parts.has_dots);
	assert_int_equal(parts.bytes, 10);
	assert_int_equal(parts.octets, 10);
	assert_int_equal(parts.dots, 2);
	/* The UIDL is the stem as it is. */
	assert_true(maildir_uidl_make(parts.stem, &uidl));
	assert_true(span_eq(maildir_uidl_span(&uidl), parts.stem));

	assert_int_equal(stat_of(new_dir, name).st_mode, S_IFREG | 0600);
	assert_int_equal(stat_of(new_dir, name).st_nlink, 1);
	assert_int_equal(stat_of(h->maildrop, "").st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(h->maildrop, "new").st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(h->maildrop, "cur").st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(h->maildrop, "tmp").st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(h->root, "deep/er").st_mode, S_IFDIR | 0700);
	assert_int_equal(help_count_files("%s/tmp", h->maildrop), 0);
	assert_int_equal(help_count_files("%s/cur", h->maildrop), 0);
}

static void test_hostnames(void **state)
{
	static const struct {
		const char *hostname;
		const char *part;
	} cases[] = {
		{"a/b:c,d e", ".a-b-c-d-e,S="},
		{"", ".-,S="},
		{"\xff.example", ".-.example,S="},
		{"a-very-long-host-name.with.many.labels.example", ".a-very-long-host-nam,S="},
	};
	struct help *const h = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store *const old = h->store;
		char path[HELP_PATH_MAX];

		assert_int_equal(
			store_new("maildir", cases[i].hostname, NULL, NULL, &h->store, NULL), 0);
		(void)snprintf(path, sizeof(path), "%.400s/host-%zu", h->root, i);
		assert_int_equal(help_deliver(h, path, ""), 0);
		if (strstr(help_first_file("%s/new", path), cases[i].part) == NULL)
			fail_msg("'%s' became '%s'", cases[i].hostname,
				 help_first_file("%s/new", path));
		store_free(h->store);
		h->store = old;
	}
}

static int deliver_to(struct help *h, struct delivery_target *targets, size_t n)
{
	const struct delivery_info info = {.octets = 3};
	struct delivery *d;
	int r = delivery_begin(h->store, &targets[0].owner, &d, NULL);

	if (r < 0)
		return r;
	assert_int_equal(write(delivery_fd(d), "a\r\n", 3), 3);
	r = delivery_commit(d, &info, targets, n, NULL);
	delivery_free(d);
	return r;
}

/* One copy on disk for all who get the same. */
static void test_shared_file(void **state)
{
	struct help *const h = *state;
	struct delivery_target targets[4] = {0};
	char dirs[4][HELP_PATH_MAX];
	struct stat st[4];

	for (int i = 0; i < 4; i++) {
		char path[HELP_PATH_MAX];

		(void)snprintf(path, sizeof(path), "%.400s/shared-%d", h->root, i);
		targets[i].owner = help_owner(strdup(path));
		(void)snprintf(dirs[i], HELP_PATH_MAX, "%.480s/new", path);
	}
	targets[1].prefix = SPAN_LIT("Delivered-To: b\r\n");
	assert_int_equal(deliver_to(h, targets, 4), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(help_count_files("%s", dirs[i]), 1);
		st[i] = stat_of(dirs[i], help_first_file("%s", dirs[i]));
		free((char *)targets[i].owner.path);
	}
	assert_true(st[0].st_ino == st[2].st_ino && st[0].st_ino == st[3].st_ino);
	assert_int_equal(st[0].st_nlink, 3);
	assert_true(st[1].st_ino != st[0].st_ino);
	assert_int_equal(st[1].st_nlink, 1);
	assert_int_equal(st[1].st_size, 3 + 17);
}

/* Another file system can't share: it gets a copy. */
static void test_other_file_system(void **state)
{
	static const char *const others[] = {"/dev/shm", "/run", "/tmp", "/var/tmp"};
	struct help *const h = *state;
	struct delivery_target targets[2] = {0};
	const dev_t here = stat_of(h->root, "").st_dev;
	char path[HELP_PATH_MAX] = "";

	for (size_t i = 0; i < 4 && path[0] == '\0'; i++) {
		struct stat st;

		if (stat(others[i], &st) == 0 && st.st_dev != here && access(others[i], W_OK) == 0)
			(void)snprintf(path, sizeof(path), "%s/restante-store-%d", others[i],
				       (int)getpid());
	}
	if (path[0] == '\0') {
		print_message("no second file system to write to\n");
		skip();
	}
	targets[0].owner = help_owner(h->maildrop);
	targets[1].owner = help_owner(path);
	assert_int_equal(deliver_to(h, targets, 2), 0);
	assert_int_equal(help_count_files("%s/new", h->maildrop), 1);
	assert_int_equal(help_count_files("%s/new", path), 1);

	char dir[HELP_PATH_MAX + 8];

	(void)snprintf(dir, sizeof(dir), "%s/new", path);
	assert_int_equal(stat_of(dir, help_first_file("%s", dir)).st_nlink, 1);
	assert_int_equal(stat_of(dir, help_first_file("%s", dir)).st_size, 3);
	help_remove_tree(path);
}

/* One of several can't have it: the others have, and each status is its own. */
static void test_one_target_fails(void **state)
{
	struct help *const h = *state;
	char file[HELP_PATH_MAX];
	char bob[HELP_PATH_MAX];

	(void)snprintf(file, sizeof(file), "%.400s/file", h->root);
	(void)snprintf(bob, sizeof(bob), "%.400s/bob", h->root);
	help_write("x", "%s", file);
	for (int prefixed = 0; prefixed < 2; prefixed++) {
		struct delivery_target targets[3] = {{.owner = help_owner(h->maildrop)},
						     {.owner = help_owner(file)},
						     {.owner = help_owner(bob)}};

		if (prefixed)
			targets[0].prefix = targets[1].prefix = targets[2].prefix = SPAN_LIT(
				"P: 1\r\n");
		assert_int_equal(deliver_to(h, targets, 3), -ENOTDIR);
		assert_int_equal(targets[0].status, 0);
		assert_int_equal(targets[1].status, -ENOTDIR);
		assert_int_equal(targets[2].status, 0);
		assert_int_equal(help_count_files("%s/new", h->maildrop), prefixed + 1);
		assert_int_equal(help_count_files("%s/new", bob), prefixed + 1);
	}
}

/* What this thread may do, as the kernel says. */
static void read_ids(char *out, size_t n)
{
	FILE *const f = fopen("/proc/thread-self/status", "re");
	char line[256];
	size_t at = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "Uid:", 4) == 0 || strncmp(line, "Gid:", 4) == 0 ||
		    strncmp(line, "Groups:", 7) == 0 || strncmp(line, "Cap", 3) == 0)
			at += (size_t)snprintf(out + at, n - at, "%s", line);
	}
	assert_int_equal(fclose(f), 0);
}

static bool skip_unless_root(void)
{
	if (geteuid() == 0)
		return false;
	print_message("needs root to be several owners\n");
	return true;
}

static struct store_owner owned_by(const char *path, uid_t uid)
{
	return (struct store_owner){.user = "x", .path = path, .uid = uid, .gid = uid};
}

static void test_owner_has_the_files(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = owned_by(h->maildrop, NOBODY);
	struct delivery_target target = {.owner = owner};
	char new_dir[HELP_PATH_MAX * 2];
	char before[1024];
	char after[1024];
	struct store_message message;
	struct maildrop *m;
	uint32_t removed;

	if (skip_unless_root())
		skip();
	assert_int_equal(chmod(h->root, 0777), 0);
	read_ids(before, sizeof(before));
	assert_int_equal(deliver_to(h, &target, 1), 0);
	read_ids(after, sizeof(after));
	assert_string_equal(before, after);
	(void)snprintf(new_dir, sizeof(new_dir), "%s/new", h->maildrop);
	assert_int_equal(stat_of(new_dir, help_first_file("%s", new_dir)).st_uid, NOBODY);
	assert_int_equal(stat_of(new_dir, help_first_file("%s", new_dir)).st_gid, NOBODY);
	assert_int_equal(stat_of(new_dir, "").st_uid, NOBODY);

	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	assert_int_equal(maildrop_count(m), 1);
	assert_int_equal(stat_of(h->maildrop, "restante.index").st_uid, NOBODY);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), 0);
	assert_int_equal(close(message.fd), 0);
	assert_int_equal(maildrop_mark(m, 1), 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	maildrop_close(m);
	read_ids(after, sizeof(after));
	assert_string_equal(before, after);
}

/* Root could; the owner may not, and so we may not either. */
static void test_no_more_rights_than_the_owner(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = owned_by(h->maildrop, NOBODY);
	struct delivery_target target = {.owner = owner};
	struct store_message message;
	struct maildrop *m;
	struct err err;
	char path[HELP_PATH_MAX * 2];

	if (skip_unless_root())
		skip();
	assert_int_equal(chmod(h->root, 0755), 0);
	/* He can't make it, */
	assert_int_equal(maildrop_open(h->store, &owner, &m, &err), -EACCES);
	assert_int_equal(deliver_to(h, &target, 1), -EACCES);
	/* nor enter somebody else's, */
	help_make_maildir(h->maildrop);
	assert_int_equal(maildrop_open(h->store, &owner, &m, &err), -EACCES);
	assert_int_equal(deliver_to(h, &target, 1), -EACCES);
	/* nor read a file there that isn't his. */
	help_write("secret\r\n", "%s/new/1.a,S=8,W=8", h->maildrop);
	for (int i = 0; i < 4; i++) {
		static const char *const subs[] = {"", "/new", "/cur", "/tmp"};

		(void)snprintf(path, sizeof(path), "%s%s", h->maildrop, subs[i]);
		assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	}
	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), -EACCES);
	maildrop_close(m);
}

static void test_owners_that_are_refused(void **state)
{
	struct help *const h = *state;
	struct store_owner owner = owned_by(h->maildrop, 0);
	struct maildrop *m;
	struct delivery *d;
	struct err err;
	int status;
	pid_t pid;

	assert_int_equal(maildrop_open(h->store, &owner, &m, &err), -EPERM);
	assert_non_null(strstr(err.text, "root"));
	assert_int_equal(delivery_begin(h->store, &owner, &d, &err), -EPERM);
	if (skip_unless_root())
		skip();
	owner.uid = NOBODY;
	owner.gid = (gid_t)-1;
	assert_int_equal(maildrop_open(h->store, &owner, &m, &err), -EINVAL);

	/* Somebody who isn't root is only himself. */
	assert_int_equal(chmod(h->root, 0777), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		owner = owned_by(h->maildrop, SOMEBODY);
		if (maildrop_open(h->store, &owner, &m, &err) != -EPERM)
			_exit(2);
		owner = owned_by(h->maildrop, NOBODY);
		if (maildrop_open(h->store, &owner, &m, &err) != 0)
			_exit(3);
		maildrop_close(m);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What is to be shared has another owner: a file of his own. */
static void test_targets_of_several_owners(void **state)
{
	struct help *const h = *state;
	char bob[HELP_PATH_MAX];
	char dirs[2][HELP_PATH_MAX + 8];
	struct delivery_target targets[2];

	if (skip_unless_root())
		skip();
	assert_int_equal(chmod(h->root, 0777), 0);
	(void)snprintf(bob, sizeof(bob), "%.400s/bob", h->root);
	targets[0] = (struct delivery_target){.owner = owned_by(h->maildrop, NOBODY)};
	targets[1] = (struct delivery_target){.owner = owned_by(bob, SOMEBODY)};
	assert_int_equal(deliver_to(h, targets, 2), 0);
	(void)snprintf(dirs[0], sizeof(dirs[0]), "%s/new", h->maildrop);
	(void)snprintf(dirs[1], sizeof(dirs[1]), "%s/new", bob);
	assert_int_equal(stat_of(dirs[0], help_first_file("%s", dirs[0])).st_uid, NOBODY);
	assert_int_equal(stat_of(dirs[1], help_first_file("%s", dirs[1])).st_uid, SOMEBODY);
	assert_int_equal(stat_of(dirs[1], help_first_file("%s", dirs[1])).st_nlink, 1);
}

struct owner_thread {
	struct help *h;
	uid_t uid;
	char path[HELP_PATH_MAX];
};

static void *be_owner(void *arg)
{
	struct owner_thread *const t = arg;
	const struct store_owner owner = owned_by(t->path, t->uid);

	for (int i = 0; i < 50; i++) {
		struct delivery_target target = {.owner = owner};
		const struct delivery_info info = {.octets = 3};
		struct delivery *d;
		struct maildrop *m;

		if (delivery_begin(t->h->store, &owner, &d, NULL) < 0)
			return (void *)1;
		if (write(delivery_fd(d), "a\r\n", 3) != 3 ||
		    delivery_commit(d, &info, &target, 1, NULL) < 0)
			return (void *)2;
		delivery_free(d);
		if (maildrop_open(t->h->store, &owner, &m, NULL) < 0)
			return (void *)3;
		if (maildrop_count(m) != (uint32_t)i + 1)
			return (void *)4;
		maildrop_close(m);
	}
	return NULL;
}

/* Each thread is its own owner, and the main thread stays what it is. */
static void test_owners_in_threads(void **state)
{
	struct help *const h = *state;
	struct owner_thread args[4];
	pthread_t threads[4];
	char before[1024];
	char after[1024];

	if (skip_unless_root())
		skip();
	assert_int_equal(chmod(h->root, 0777), 0);
	read_ids(before, sizeof(before));
	for (unsigned int i = 0; i < 4; i++) {
		args[i] = (struct owner_thread){.h = h, .uid = SOMEBODY - i};
		(void)snprintf(args[i].path, HELP_PATH_MAX, "%.400s/owner-%u", h->root, i);
		assert_int_equal(pthread_create(&threads[i], NULL, be_owner, &args[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		char new_dir[HELP_PATH_MAX + 8];
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
		(void)snprintf(new_dir, sizeof(new_dir), "%s/new", args[i].path);
		assert_int_equal(stat_of(new_dir, "").st_uid, SOMEBODY - i);
		assert_int_equal(stat_of(new_dir, help_first_file("%s", new_dir)).st_uid,
				 SOMEBODY - i);
		assert_int_equal(help_count_files("%s", new_dir), 50);
	}
	read_ids(after, sizeof(after));
	assert_string_equal(before, after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names_and_modes),
		TEST(test_hostnames),
		TEST(test_shared_file),
		TEST(test_other_file_system),
		TEST(test_one_target_fails),
		TEST(test_usage_with_others),
		TEST(test_what_is_old),
		TEST(test_owner_has_the_files),
		TEST(test_no_more_rights_than_the_owner),
		TEST(test_owners_that_are_refused),
		TEST(test_targets_of_several_owners),
		TEST(test_owners_in_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
