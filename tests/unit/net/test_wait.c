/* SPDX-License-Identifier: MIT */
#include "net/wait.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

/* What is to be read, by when, and what comes of it. */
static const struct {
	bool stop;
	bool ready;
	int64_t from_now_ms; /* INT64_MAX: for ever */
	int r;
} cases[] = {
	{false, true, INT64_MAX, 0},
	{false, true, 60000, 0},
	{true, false, INT64_MAX, -ECANCELED},
	{true, false, 60000, -ECANCELED},
	/* To stop comes first. */
	{true, true, 60000, -ECANCELED},
	{false, false, 30, -ETIMEDOUT},
	/* A time that has passed is no reason not to see what is there, */
	{false, true, -1000, 0},
	{true, false, -1000, -ECANCELED},
	/* nor one to wait. */
	{false, false, -1000, -ETIMEDOUT},
	{false, false, 0, -ETIMEDOUT},
	/* More milliseconds than poll(2) takes. */
	{false, true, INT64_C(1) << 40, 0},
};

static void waiting_ends_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint64_t now = clock_mono_ms();
		const uint64_t until = cases[i].from_now_ms == INT64_MAX
					       ? WAIT_FOREVER
					       : now + (uint64_t)cases[i].from_now_ms;
		int stop[2], other[2];

		assert_int_equal(pipe(stop), 0);
		assert_int_equal(pipe(other), 0);
		if (cases[i].stop)
			assert_int_equal(write(stop[1], "x", 1), 1);
		if (cases[i].ready)
			assert_int_equal(write(other[1], "x", 1), 1);

		struct pollfd fds[] = {
			{.fd = stop[0], .events = POLLIN},
			{.fd = other[0], .events = POLLIN},
		};

		assert_int_equal(wait_ready(fds, 2, until), cases[i].r);
		if (cases[i].r == 0)
			assert_int_equal(fds[1].revents, POLLIN);
		if (cases[i].r == -ETIMEDOUT)
			assert_true(clock_mono_ms() >= until);
		for (unsigned j = 0; j < 2; j++) {
			(void)close(stop[j]);
			(void)close(other[j]);
		}
	}
}

static void nobody_need_be_able_to_stop_it(void **state)
{
	struct pollfd fds[] = {{.fd = -1, .events = POLLIN}};

	(void)state;
	assert_int_equal(wait_ready(fds, 1, clock_mono_ms() + 10), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_ends_with_a_reason),
		cmocka_unit_test(nobody_need_be_able_to_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
