/* SPDX-License-Identifier: MIT */
/*
 * cuts.h - the same stream in every way that a network may cut it: whole, in
 * pieces of each size from one octet on, and in two at each place.
 *
 * Each piece is a block of its own on the heap, as long as the piece and gone when
 * the next one is taken: a sanitizer sees one octet too far, and what was kept too
 * long.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/span.h"

struct cuts {
	struct span left; /* of the stream. Borrowed */
	size_t first;     /* octets of the first piece */
	size_t then;      /* of all others */
	char *piece;      /* Owned */
};

/* How many ways there are; each has a number from 0. */
static inline size_t cuts_ways(struct span stream)
{
	return stream.n < 2 ? 1 : 2 * stream.n - 1;
}

static inline struct cuts cuts_begin(struct span stream, size_t way)
{
	if (way < stream.n)
		return (struct cuts){.left = stream, .first = way + 1, .then = way + 1};
	return (struct cuts){.left = stream, .first = way + 1 - stream.n, .then = stream.n};
}

/* The next piece, of at least one octet. False after the last one. */
static inline bool cuts_next(struct cuts *c, struct span *ret_piece)
{
	const size_t n = c->left.n < c->first ? c->left.n : c->first;

	free(c->piece);
	c->piece = NULL;
	if (n == 0)
		return false;
	c->piece = malloc(n);
	if (c->piece == NULL)
		abort();
	memcpy(c->piece, c->left.p, n);
	*ret_piece = span_of(c->piece, n);
	span_skip(&c->left, n);
	c->first = c->then;
	return true;
}

/* After a stop before the last piece. */
static inline void cuts_end(struct cuts *c)
{
	free(c->piece);
	c->piece = NULL;
}
