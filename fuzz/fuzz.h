/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what fuzz targets share. A target is one function that is given octets
 * and aborts when something about them isn't as it must be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true, whatever the octets are. */
static inline void fuzz_need(bool is_true)
{
	if (!is_true)
		abort();
}

/* part lies inside of whole, or is nothing. */
static inline void fuzz_need_inside(struct span part, struct span whole)
{
	fuzz_need(part.n == 0 || (part.p >= whole.p && part.n <= whole.n &&
				  (size_t)(part.p - whole.p) <= whole.n - part.n));
}

/* Octets of its own, and no more: a sanitizer sees one too far. Free its p. */
static inline struct span fuzz_copy(struct span s)
{
	char *const p = malloc(s.n == 0 ? 1 : s.n);

	fuzz_need(p != NULL);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

static inline void fuzz_free(struct span copy)
{
	free((char *)(uintptr_t)copy.p);
}

/* Takes one octet off the front, for a choice; 0 when there is none. */
static inline uint8_t fuzz_choice(struct span *in)
{
	const uint8_t c = in->n > 0 ? (uint8_t)in->p[0] : 0;

	if (in->n > 0)
		span_skip(in, 1);
	return c;
}

/* Where to cut, from a seed: the same each time, so that a finding can be replayed. */
struct fuzz_random {
	uint32_t _state;
};

/* From 1 to max, which is not 0; small ones more often. */
static inline size_t fuzz_length(struct fuzz_random *r, size_t max)
{
	size_t n;

	r->_state = r->_state * 1664525U + 1013904223U;
	n = (r->_state >> 24) & (r->_state & 0x800000 ? 0x3 : 0x3f);
	return n < max ? n + 1 : max;
}
