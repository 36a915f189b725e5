/* SPDX-License-Identifier: MIT */
/*
 * wait.h - the one place where the client's side of the network waits.
 */
#pragma once

#include <poll.h>
#include <stdint.h>

/* WAIT_FOREVER is later than every time. */
#define WAIT_FOREVER UINT64_MAX

/*
 * Waits until one of fds is ready, at the latest until until_ms by clock_mono_ms().
 * fds[0] is the caller's stop_fd with POLLIN; -1 is passed over. 0 with revents set,
 * -ETIMEDOUT, -ECANCELED when it was fds[0], or another negative errno. Signals
 * change nothing.
 */
int wait_ready(struct pollfd *fds, unsigned n, uint64_t until_ms);
