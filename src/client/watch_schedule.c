/* SPDX-License-Identifier: MIT */
#include "client/watch_schedule.h"

#include <stdbool.h>

/* What only somebody can mend: asking again soon looks like guessing to the server. */
static bool needs_somebody(enum fetch_status s)
{
	return s == FETCH_LOGIN || s == FETCH_CONFIG || s == FETCH_INSECURE ||
	       s == FETCH_UNAVAILABLE;
}

uint64_t watch_schedule_next(struct watch_schedule *s, enum fetch_status last, uint32_t login_delay,
			     uint64_t random)
{
	const uint64_t interval = (uint64_t)s->interval * 1000;
	const uint64_t longest = interval > WATCH_LONGEST_MS ? interval : WATCH_LONGEST_MS;
	uint64_t wait = interval;

	if (last == FETCH_OK || last == FETCH_REFUSED) {
		s->failures = 0;
	} else {
		const unsigned factor = needs_somebody(last) ? 4 : 2;

		/* The first failure may be nothing. */
		for (unsigned i = 0; i < s->failures && wait < longest; i++)
			wait *= factor;
		s->failures++;
	}
	if (wait > longest)
		wait = longest;
	if (wait < (uint64_t)login_delay * 1000)
		wait = (uint64_t)login_delay * 1000;
	/* Up to a tenth later, never sooner. */
	return wait + random % (wait / 10 + 1);
}
