/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;
	const int r = clock_gettime(id, &ts);

	assert(r == 0);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000U;
}

uint64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}
