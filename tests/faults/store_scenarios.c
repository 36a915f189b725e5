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
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
