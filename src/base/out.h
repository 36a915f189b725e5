/* SPDX-License-Identifier: MIT */
/*
 * out.h - a writer into memory of a fixed size that somebody else owns.
 *
 * Each out_* call writes all of what it was given or nothing: it returns false
 * when there isn't room, and the buffer is as it was. Codecs format replies with
 * it; nothing allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct out {
	char *p;    /* Borrowed */
	size_t n;   /* octets written */
	size_t cap; /* octets p can hold */
};

static inline size_t out_room(const struct out *o)
{
	return o->cap - o->n;
}

static inline bool out_put(struct out *o, struct span s)
{
	if (s.n > out_room(o))
		return false;
	if (s.n > 0)
		memcpy(o->p + o->n, s.p, s.n);
	o->n += s.n;
	return true;
}

static inline bool out_char(struct out *o, char c)
{
	return out_put(o, span_of(&c, 1));
}

/* Decimal digits, without sign or padding. */
static inline bool out_u64(struct out *o, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	return out_put(o, span_of(digits + at, sizeof(digits) - at));
}

/*
 * Takes back all but the first n octets, and returns false: the end of a chain
 * that must be written as a whole, `return (a && b) || out_undo(o, before)`.
 */
static inline bool out_undo(struct out *o, size_t n)
{
	o->n = n;
	return false;
}

static inline struct span out_span(const struct out *o)
{
	return span_of(o->p, o->n);
}
