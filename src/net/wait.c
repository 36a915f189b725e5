/* SPDX-License-Identifier: MIT */
#include "net/wait.h"

#include <errno.h>
#include <limits.h>

#include "base/clock.h"

/* poll(2)'s timeout; never less than the time that is left. */
static int left_ms(uint64_t until_ms)
{
	const uint64_t now = clock_mono_ms();

	if (until_ms == WAIT_FOREVER)
		return -1;
	if (until_ms <= now)
		return 0;
	return until_ms - now > INT_MAX ? INT_MAX : (int)(until_ms - now);
}

int wait_ready(struct pollfd *fds, unsigned n, uint64_t until_ms)
{
	for (;;) {
		const int timeout = left_ms(until_ms);
		const int r = poll(fds, n, timeout);

		if (r > 0)
			return fds[0].revents != 0 ? -ECANCELED : 0;
		if (r == 0 && timeout == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}
