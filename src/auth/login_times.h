/* SPDX-License-Identifier: MIT */
/*
 * login_times.h - when each user was let in last, for RFC 2449's LOGIN-DELAY.
 *
 * Bounded: of more users than it has room for, those who were let in longest ago are
 * forgotten. One thread. Times are clock_mono_ms() of the caller, and never 0.
 */
#pragma once

#include <stdint.h>

/* A megabyte when full. */
#define LOGIN_TIMES_MAX 65536

struct login_times;

/* NULL when there is no memory. */
struct login_times *login_times_new(void);
void login_times_free(struct login_times *t);

/* device: "" or a device of the user's, which has its own delay. 0: not known. */
uint64_t login_times_get(const struct login_times *t, const char *user, const char *device);
void login_times_put(struct login_times *t, const char *user, const char *device, uint64_t now_ms);
