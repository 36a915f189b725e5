/* SPDX-License-Identifier: MIT */
/* The shared memory: who counts where, what stays of those that have gone, and who can write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/metrics.h"

static struct metrics_area *area;

static int setup(void **state)
{
	(void)state;
	area = metrics_area_new();
	return area == NULL ? -1 : 0;
}

static uint64_t value(unsigned metric)
{
	static struct metrics_snapshot s;

	assert_true(metrics_read(area, &s));
	return s.values[metric];
}

/* Runs work() in a child that counts on this page; its exit status, or the signal that ended it. */
static int in_child(int page, bool read_all, int (*work)(void))
{
	const pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		metrics_take(area, page, read_all);
		_exit(work());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
}

static int count(void)
{
	metric_add(METRIC_CONNECTIONS, 3);
	metric_add(METRIC_SESSIONS, 2);
	metric_sub(METRIC_SESSIONS, 1);
	metric_add(METRIC_CERTIFICATE_EXPIRY, 1000);
	metric_time(METRIC_LMTP_DATA, 100000);
	metric_time(METRIC_LMTP_DATA, 100001);
	metric_time(METRIC_LMTP_DATA, UINT64_C(1) << 40);
	return 0;
}

static int count_later(void)
{
	metric_add(METRIC_CERTIFICATE_EXPIRY, 2000);
	return 0;
}

static void test_counters_stay_and_gauges_go(void **state)
{
	const unsigned data = METRIC_TIME + METRIC_LMTP_DATA * METRIC_HISTOGRAM;
	const int a = metrics_reserve(area);
	const int b = metrics_reserve(area);

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_equal(in_child(a, false, count), 0);
	assert_int_equal(in_child(b, false, count), 0);
	assert_int_equal(value(METRIC_CONNECTIONS), 6);
	assert_int_equal(value(METRIC_SESSIONS), 2);
	assert_int_equal(value(data), 2);
	assert_int_equal(value(data + 1), 2);
	assert_int_equal(value(data + METRIC_BUCKETS - 1), 2);
	assert_int_equal(value(data + METRIC_BUCKETS), 2 * ((UINT64_C(1) << 40) + 200001));
	metrics_retire(area, a);
	assert_int_equal(value(METRIC_CONNECTIONS), 6);
	assert_int_equal(value(METRIC_SESSIONS), 1);
	assert_int_equal(value(data), 2);
	/* The page is free, and clean. */
	assert_int_equal(metrics_reserve(area), a);
	assert_int_equal(value(METRIC_CONNECTIONS), 6);
	assert_int_equal(value(METRIC_CERTIFICATE_EXPIRY), 1000);
	assert_int_equal(in_child(a, false, count_later), 0);
	assert_int_equal(value(METRIC_CERTIFICATE_EXPIRY), 1000);
	metrics_retire(area, b);
	assert_int_equal(value(METRIC_CERTIFICATE_EXPIRY), 2000);
	metrics_retire(area, a);
	assert_int_equal(value(METRIC_CERTIFICATE_EXPIRY), 0);
}

static int read_area(void)
{
	return value(METRIC_CONNECTIONS) == 6 ? 0 : 1;
}

static int write_area(void)
{
	(void)metrics_begin(area);
	return 0;
}

/* A child has its page and nothing else; the monitor reads all, and writes nothing. */
static void test_who_may_what(void **state)
{
	const int page = metrics_reserve(area);

	(void)state;
	assert_int_equal(in_child(page, false, read_area), SIGSEGV);
	assert_int_equal(in_child(-1, false, write_area), SIGSEGV);
	assert_int_equal(in_child(-1, false, count), 0);
	assert_int_equal(in_child(page, true, write_area), SIGSEGV);
	assert_int_equal(in_child(page, true, read_area), 0);
	metrics_retire(area, page);
	assert_int_equal(value(METRIC_CONNECTIONS), 6);
}

static void test_no_page_is_left(void **state)
{
	int pages[METRICS_PROCESSES];

	(void)state;
	for (int i = 0; i < METRICS_PROCESSES; i++) {
		pages[i] = metrics_reserve(area);
		assert_true(pages[i] > 0);
	}
	assert_int_equal(metrics_reserve(area), -1);
	for (int i = 0; i < METRICS_PROCESSES; i++)
		metrics_retire(area, pages[i]);
	metrics_retire(area, -1);
	metrics_retire(NULL, -1);
	assert_int_equal(metrics_reserve(NULL), -1);
}

static void test_what_the_master_says(void **state)
{
	static struct metrics_snapshot s;
	struct metrics_snapshot *const said = metrics_begin(area);

	(void)state;
	assert_false(metrics_read(area, &s));
	said->n_processes = 1;
	said->processes[0] = (struct metrics_process){.role = IPC_MASTER, .pid = 7};
	metrics_commit(area);
	assert_true(metrics_read(area, &s));
	assert_int_equal(s.n_processes, 1);
	assert_int_equal(s.processes[0].pid, 7);
	/* A number that would lead out of the list is not believed. */
	metrics_begin(area)->n_processes = METRICS_PROCESSES + 1;
	metrics_commit(area);
	assert_false(metrics_read(area, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_stay_and_gauges_go),
		cmocka_unit_test(test_who_may_what),
		cmocka_unit_test(test_no_page_is_left),
		cmocka_unit_test(test_what_the_master_says),
	};

	return cmocka_run_group_tests_name("metrics", tests, setup, NULL);
}
