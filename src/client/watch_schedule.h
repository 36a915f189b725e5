/* SPDX-License-Identifier: MIT */
/*
 * watch_schedule.h - when an account is asked the next time.
 *
 * What went well is done again after the interval; what failed, after ever longer times.
 * Nobody asks sooner than the server says that he may (LOGIN-DELAY, RFC 2449), and many
 * who were started together don't ask together.
 */
#pragma once

#include <stdint.h>

#include "client/fetch_status.h"

/* However often it fails, unless the interval itself is longer. */
#define WATCH_LONGEST_MS (UINT64_C(3600) * 1000)

struct watch_schedule {
	uint32_t interval; /* seconds */
	unsigned failures; /* since it last went well */
};

/*
 * Milliseconds from the end of a session that ended so to the next one. login_delay:
 * seconds that the server asks for, 0 if it doesn't; random: any number.
 */
uint64_t watch_schedule_next(struct watch_schedule *s, enum fetch_status last, uint32_t login_delay,
			     uint64_t random);
