/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the two clocks: one that never goes back, for timeouts, and the
 * wall clock, for names, dates and logs.
 */
#pragma once

#include <stdint.h>

/* Milliseconds since some point in the past; never goes back. */
uint64_t clock_mono_ms(void);

/* The same in nanoseconds. */
uint64_t clock_mono_ns(void);

/* Nanoseconds since 1970-01-01 UTC. */
uint64_t clock_wall_ns(void);
