/* SPDX-License-Identifier: MIT */
#include "store_scenarios.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_steps.h"

const char *scenario_fault = "none";

void scenario_afresh(struct help *h)
{
	steps_set(STEPS_OFF, 0, 0);
	help_remove_tree(h->root);
	assert_int_equal(mkdir(h->root, 0700), 0);
	help_forget_notices(h);
}

/* ---- deliveries ---- */

static const char body[] = "Subject: x\r\n\r\n.body\r\n";

char *scenario_path(struct help *h, const char *name)
{
	static char paths[4][HELP_PATH_MAX];
	static unsigned int next;
	char *const path = paths[next++ % 4];

	(void)snprintf(path, HELP_PATH_MAX, "%.400s/%s", h->root, name);
	return path;
}

static void prepare_nothing(struct help *h)
{
	(void)h;
}

/* Three maildrops: the first two share a file, the third has a prefix. None exists. */
unsigned int scenario_run_deliver(struct help *h)
{
	struct delivery_target targets[3] = {
		{.owner = help_owner(scenario_path(h, "deep/one"))},
		{.owner = help_owner(scenario_path(h, "two"))},
		{.owner = help_owner(scenario_path(h, "three")), .prefix = SPAN_LIT("P: 1\r\n")},
	};
	const struct delivery_info info = {.octets = sizeof(body) - 1, .dot_lines = 1};
	unsigned int acknowledged = 0;
	struct delivery *d;

	if (delivery_begin(h->store, &targets[0].owner, &d, NULL) < 0)
		return 0;
	if (write(delivery_fd(d), body, sizeof(body) - 1) == sizeof(body) - 1) {
		const int r = delivery_commit(d, &info, targets, 3, NULL);

		for (unsigned int i = 0; i < 3; i++)
			acknowledged |= targets[i].status == 0 ? 1U << i : 0;
		assert_int_equal(r == 0, acknowledged == 7);
	}
	delivery_free(d);
	return acknowledged;
}

void scenario_check_deliver(struct help *h, unsigned int acknowledged, bool killed)
{
	static const char *const names[] = {"deep/one", "two", "three"};

	for (unsigned int i = 0; i < 3; i++) {
		const struct store_owner owner = help_owner(scenario_path(h, names[i]));
		const uint32_t least = acknowledged >> i & 1;
		struct maildrop *m;

		assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
		if (maildrop_count(m) != least && !(killed && maildrop_count(m) == 1))
			fail_msg("%s: %u messages, acknowledged: %u", names[i], maildrop_count(m),
				 least);
		if (maildrop_count(m) == 1) {
			char *const text = help_text(m, 1, NULL);

			assert_string_equal(text + (i == 2 ? 6 : 0), body);
			assert_memory_equal(text, i == 2 ? "P: 1\r\n" : body, 6);
			free(text);
		}
		maildrop_close(m);
		/* Unless it was the clearing up that failed. */
		if (!killed && strcmp(scenario_fault, "unlinkat") != 0)
			assert_int_equal(help_count_files("%s/tmp", owner.path), 0);
	}
}

/* ---- sessions ---- */

static const char *const names[] = {"new/1.a", "cur/2.b,S=3,W=3:2,S", "new/3.c", "cur/4.d:2,",
				    "new/5.e,S=3,W=3"};
#define LIST "1.a 2.b 3.c 4.d 5.e "

void scenario_prepare_messages(struct help *h)
{
	help_make_maildir(h->maildrop);
	for (size_t i = 0; i < SCENARIO_MESSAGES; i++)
		help_write("a\r\n", "%s/%s", h->maildrop, names[i]);
}

void scenario_prepare_indexed(struct help *h)
{
	scenario_prepare_messages(h);
	free(help_poll(h, NULL));
}

/* Indexed, and then one more came. */
static void prepare_one_more(struct help *h)
{
	help_make_maildir(h->maildrop);
	for (size_t i = 0; i < SCENARIO_MESSAGES - 1; i++)
		help_write("a\r\n", "%s/%s", h->maildrop, names[i]);
	free(help_poll(h, NULL));
	help_write("a\r\n", "%s/%s", h->maildrop, names[SCENARIO_MESSAGES - 1]);
}

/* Indexed, and then somebody moved one: the index is replaced. */
static void prepare_moved(struct help *h)
{
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];

	scenario_prepare_indexed(h);
	(void)snprintf(from, sizeof(from), "%s/new/1.a", h->maildrop);
	(void)snprintf(to, sizeof(to), "%s/cur/1.a:2,S", h->maildrop);
	assert_int_equal(rename(from, to), 0);
}

static unsigned int run_open(struct help *h)
{
	struct maildrop *m;
	struct store_message message;
	unsigned int acknowledged = 0;

	if (help_try_open(h, &m) < 0)
		return 0;
	/* Whatever fails, what an open session shows is right. */
	assert_int_equal(maildrop_count(m), SCENARIO_MESSAGES);
	assert_int_equal(maildrop_octets(m), 15);
	for (uint32_t n = 1; n <= SCENARIO_MESSAGES; n++) {
		if (maildrop_message(m, n, &message, NULL) < 0)
			continue;
		acknowledged |= 1U << n;
		assert_int_equal(message.octets, 3);
		assert_int_equal(close(message.fd), 0);
	}
	maildrop_close(m);
	return acknowledged;
}

static void check_all_there(struct help *h, unsigned int acknowledged, bool killed)
{
	(void)acknowledged;
	(void)killed;
	for (int turn = 0; turn < 2; turn++) {
		char *const list = help_poll(h, NULL);

		assert_string_equal(list, LIST);
		free(list);
	}
	struct maildrop *const m = help_open(h);

	for (uint32_t n = 1; n <= SCENARIO_MESSAGES; n++)
		help_expect_text(m, n, "a\r\n");
	maildrop_close(m);
}

/* ---- commits ---- */

unsigned int scenario_run_commit(struct help *h, const uint32_t *marks)
{
	struct maildrop *m;
	uint32_t removed;
	int r = 0;

	if (help_try_open(h, &m) < 0)
		return 0;
	/* Others may have taken some. */
	for (size_t i = 0; marks[i] != 0; i++) {
		if (marks[i] <= maildrop_count(m))
			assert_int_equal(maildrop_mark(m, marks[i]), 0);
	}
	r = maildrop_commit(m, &removed, NULL);
	maildrop_close(m);
	return r == 0 ? 1 : 0;
}

unsigned int scenario_run_commit_three(struct help *h)
{
	return scenario_run_commit(h, (const uint32_t[]){1, 2, 5, 0});
}

unsigned int scenario_run_commit_one(struct help *h)
{
	return scenario_run_commit(h, (const uint32_t[]){3, 0});
}

static unsigned int run_commit_all(struct help *h)
{
	return scenario_run_commit(h, (const uint32_t[]){1, 2, 3, 4, 5, 0});
}

static void check_commit(struct help *h, unsigned int acknowledged, const char *rest)
{
	char *const list = help_poll(h, NULL);

	if (strcmp(list, rest) != 0 && (acknowledged || strcmp(list, LIST) != 0))
		fail_msg("'%s' is left, acknowledged: %u", list, acknowledged);
	free(list);
	/* For ever. */
	char *const again = help_poll(h, NULL);

	if (strcmp(again, rest) != 0 && (acknowledged || strcmp(again, LIST) != 0))
		fail_msg("'%s' is left, acknowledged: %u", again, acknowledged);
	free(again);
	assert_false(help_exists("%s/restante.journal", h->maildrop));
}

static void check_commit_three(struct help *h, unsigned int acknowledged, bool killed)
{
	(void)killed;
	check_commit(h, acknowledged, "3.c 4.d ");
}

static void check_commit_one(struct help *h, unsigned int acknowledged, bool killed)
{
	(void)killed;
	check_commit(h, acknowledged, "1.a 2.b 4.d 5.e ");
}

static void check_commit_all(struct help *h, unsigned int acknowledged, bool killed)
{
	(void)killed;
	check_commit(h, acknowledged, "");
}

/* A commit that was killed in the middle of its unlinks: one file has gone. */
static void prepare_interrupted(struct help *h)
{
	for (unsigned int n = 1; n < STEPS_MAX; n++) {
		int status;
		pid_t pid;

		scenario_afresh(h);
		scenario_prepare_indexed(h);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			steps_set(STEPS_KILL, n, 0);
			(void)scenario_run_commit_three(h);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (!help_exists("%s/%s", h->maildrop, names[0]))
			break;
	}
	assert_true(help_exists("%s/restante.journal", h->maildrop));
	assert_true(help_exists("%s/%s", h->maildrop, names[1]));
}

static unsigned int run_replay(struct help *h)
{
	struct maildrop *m;

	if (help_try_open(h, &m) < 0)
		return 0;
	/* The decision has been made: never half of it. */
	assert_int_equal(maildrop_count(m), 2);
	maildrop_close(m);
	return 1;
}

static void check_replay(struct help *h, unsigned int acknowledged, bool killed)
{
	(void)acknowledged;
	(void)killed;
	check_commit(h, 1, "3.c 4.d ");
}

/* ---- what DELE means otherwise ---- */

static const struct maildrop_rules hiding = {.dele = MAILDROP_DELE_HIDE};
static const struct maildrop_rules trashing = {.dele = MAILDROP_DELE_TRASH};
static const struct maildrop_rules two_folders = {.folders = "INBOX Junk"};
static const struct maildrop_rules phone = {.device = "phone"};

static struct store_owner owner_with(struct help *h, const struct maildrop_rules *rules)
{
	struct store_owner owner = help_owner(h->maildrop);

	owner.rules = *rules;
	return owner;
}

/* Deletes those that have one of these UIDLs, with a space after each. */
static unsigned int run_commit_as(struct help *h, const struct maildrop_rules *rules,
				  const char *uidls)
{
	const struct store_owner owner = owner_with(h, rules);
	struct maildrop *m;
	uint32_t removed;
	int r;

	if (maildrop_open(h->store, &owner, &m, NULL) < 0)
		return 0;
	for (uint32_t n = 1; n <= maildrop_count(m); n++) {
		if (strstr(uidls, help_uidl(m, n)) != NULL)
			assert_int_equal(maildrop_mark(m, n), 0);
	}
	r = maildrop_commit(m, &removed, NULL);
	maildrop_close(m);
	return r == 0 ? 1 : 0;
}

static char *list_as(struct help *h, const struct maildrop_rules *rules)
{
	const struct store_owner owner = owner_with(h, rules);
	struct maildrop *m;
	struct err err;
	char *list;

	if (maildrop_open(h->store, &owner, &m, &err) < 0)
		fail_msg("%s", err.text);
	list = help_list(m);
	maildrop_close(m);
	return list;
}

static unsigned int run_hide(struct help *h)
{
	return run_commit_as(h, &hiding, "1.a 2.b 5.e ");
}

static unsigned int run_trash(struct help *h)
{
	return run_commit_as(h, &trashing, "1.a 2.b 5.e ");
}

static unsigned int undelete(struct help *h)
{
	const struct store_owner owner = owner_with(h, &trashing);
	uint32_t n;

	return maildrop_undelete(h->store, &owner, NULL, 0, &n, NULL) == 0 ? 1 : 0;
}

static void expect_list(struct help *h, const char *wanted)
{
	char *const list = list_as(h, &hiding);

	if (strcmp(list, wanted) != 0)
		fail_msg("'%s' and not '%s'", list, wanted);
	free(list);
}

static void bring_back(struct help *h)
{
	const struct store_owner owner = owner_with(h, &trashing);
	struct err err;
	uint32_t n;

	if (maildrop_undelete(h->store, &owner, NULL, 0, &n, &err) < 0)
		fail_msg("%s", err.text);
	expect_list(h, LIST);
}

/* All of it or nothing; and none of it is lost, nor has another place. */
static void check_kept(struct help *h, unsigned int acknowledged, bool killed)
{
	check_commit_three(h, acknowledged, killed);
	bring_back(h);
}

static void prepare_hidden(struct help *h)
{
	scenario_prepare_indexed(h);
	assert_int_equal(run_hide(h), 1);
	expect_list(h, "3.c 4.d ");
}

static void prepare_trashed(struct help *h)
{
	scenario_prepare_indexed(h);
	assert_int_equal(run_trash(h), 1);
	expect_list(h, "3.c 4.d ");
}

/* Some may be back, as it was no QUIT; said again, all are. */
static void check_undelete(struct help *h, unsigned int acknowledged, bool killed)
{
	(void)killed;
	if (acknowledged)
		expect_list(h, LIST);
	bring_back(h);
}

/* One of them in another folder. Their UIDLs are not told in advance. */
static void prepare_folders(struct help *h)
{
	scenario_prepare_indexed(h);
	help_make_maildir(scenario_path(h, "alice/.Junk"));
	help_write("a\r\n", "%s/.Junk/new/6.f", h->maildrop);
	free(list_as(h, &two_folders));
}

static unsigned int run_commit_folders(struct help *h)
{
	const struct store_owner owner = owner_with(h, &two_folders);
	struct maildrop *m;
	uint32_t removed;
	int r;

	if (maildrop_open(h->store, &owner, &m, NULL) < 0)
		return 0;
	if (maildrop_count(m) == 6) {
		assert_int_equal(maildrop_mark(m, 2), 0);
		assert_int_equal(maildrop_mark(m, 6), 0);
	}
	r = maildrop_commit(m, &removed, NULL);
	maildrop_close(m);
	return r == 0 ? 1 : 0;
}

static uint32_t count_as(struct help *h, const struct maildrop_rules *rules)
{
	char *const list = list_as(h, rules);
	uint32_t n = 0;

	for (const char *p = list; *p != '\0'; p++)
		n += *p == ' ' ? 1 : 0;
	free(list);
	return n;
}

static void check_folders(struct help *h, unsigned int acknowledged, bool killed)
{
	const uint32_t n = count_as(h, &two_folders);

	(void)killed;
	if (n != 4 && (acknowledged || n != 6))
		fail_msg("%u are left, acknowledged: %u", n, acknowledged);
	assert_int_equal(count_as(h, &two_folders), n);
	expect_list(h, n == 4 ? "1.a 3.c 4.d 5.e " : LIST);
}

/* The plain login has had three of them; now the phone has. */
static void prepare_devices(struct help *h)
{
	scenario_prepare_indexed(h);
	free(list_as(h, &phone));
	assert_int_equal(run_commit_as(h, &two_folders, "1.a 2.b 5.e "), 1);
}

static unsigned int run_last_device(struct help *h)
{
	return run_commit_as(h, &phone, "1.a 2.b 4.d ");
}

static void check_devices(struct help *h, unsigned int acknowledged, bool killed)
{
	static const struct maildrop_rules tablet = {.device = "tablet"};
	char *list = list_as(h, &phone);

	(void)killed;
	if (strcmp(list, "3.c 5.e ") != 0 && (acknowledged || strcmp(list, LIST) != 0))
		fail_msg("the phone has '%s', acknowledged: %u", list, acknowledged);

	const bool had = strcmp(list, LIST) != 0;

	free(list);
	/* What some device hasn't had is there. */
	expect_list(h, "3.c 4.d ");
	list = list_as(h, &tablet);
	if (strcmp(list, "3.c 4.d 5.e ") != 0 && (had || strcmp(list, LIST) != 0))
		fail_msg("'%s' are left", list);
	free(list);
}

const struct scenario scenarios[] = {
	{"deliver", prepare_nothing, scenario_run_deliver, scenario_check_deliver},
	{"open for the first time", scenario_prepare_messages, run_open, check_all_there},
	{"open unchanged", scenario_prepare_indexed, run_open, check_all_there},
	{"open with one more", prepare_one_more, run_open, check_all_there},
	{"open with one moved", prepare_moved, run_open, check_all_there},
	{"commit three", scenario_prepare_indexed, scenario_run_commit_three, check_commit_three},
	{"commit three, moved", prepare_moved, scenario_run_commit_three, check_commit_three},
	{"commit one", scenario_prepare_indexed, scenario_run_commit_one, check_commit_one},
	{"commit all", scenario_prepare_messages, run_commit_all, check_commit_all},
	{"finish a commit", prepare_interrupted, run_replay, check_replay},
	{"hide three", scenario_prepare_indexed, run_hide, check_kept},
	{"trash three", scenario_prepare_indexed, run_trash, check_kept},
	{"undelete what is hidden", prepare_hidden, undelete, check_undelete},
	{"undelete what is in the trash", prepare_trashed, undelete, check_undelete},
	{"commit in two folders", prepare_folders, run_commit_folders, check_folders},
	{"commit as the last device", prepare_devices, run_last_device, check_devices},
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
