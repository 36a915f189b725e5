/* SPDX-License-Identifier: MIT */
#include "latency.h"

/*
 * Below LATENCY_STEPS each number has its cell. From there on, each power of two is
 * parted into LATENCY_STEPS cells.
 */
static unsigned cell(uint64_t ns)
{
	if (ns < LATENCY_STEPS)
		return (unsigned)ns;

	const unsigned power = 63U - (unsigned)__builtin_clzll(ns); /* 6 or more */

	return (power - 5) * LATENCY_STEPS + (unsigned)((ns >> (power - 6)) & (LATENCY_STEPS - 1));
}

/* The largest number in a cell. */
static uint64_t top(unsigned at)
{
	if (at < LATENCY_STEPS)
		return at;

	const unsigned shift = at / LATENCY_STEPS - 1;

	return ((uint64_t)(LATENCY_STEPS + at % LATENCY_STEPS + 1) << shift) - 1;
}

void latency_add(struct latency *l, uint64_t ns)
{
	l->count++;
	l->total_ns += ns;
	if (ns > l->max_ns)
		l->max_ns = ns;
	l->_cells[cell(ns)]++;
}

uint64_t latency_at(const struct latency *l, uint32_t of_million)
{
	/* At least one, and rounded up: the last percentile of few is the largest. */
	uint64_t rank = (l->count * of_million + 999999) / 1000000;

	if (l->count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < LATENCY_CELLS; i++) {
		if (rank <= l->_cells[i])
			return top(i) < l->max_ns ? top(i) : l->max_ns;
		rank -= l->_cells[i];
	}
	return l->max_ns;
}
