/* SPDX-License-Identifier: MIT */
/*
 * latency.h - times as a histogram of constant size: each is counted with an error of
 * 1.6% at most, whatever its magnitude.
 */
#pragma once

#include <stdint.h>

#define LATENCY_STEPS 64U /* of each power of two */
#define LATENCY_CELLS (LATENCY_STEPS * 60U)

/* Zero it. */
struct latency {
	uint64_t count;
	uint64_t total_ns;
	uint64_t max_ns;
	uint64_t _cells[LATENCY_CELLS];
};

void latency_add(struct latency *l, uint64_t ns);

/* The time that so many of a million stayed within: 500000 is the median. 0 when there is none. */
uint64_t latency_at(const struct latency *l, uint32_t of_million);
