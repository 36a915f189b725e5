/* SPDX-License-Identifier: MIT */
/*
 * buf.h - an owned run of octets that can grow, up to a maximum that is set
 * when it is made. What a stranger can fill has a limit, always.
 */
#pragma once

#include <stddef.h>

#include "base/span.h"

/* Zeroed by buf_done(); a zeroed one can be given to buf_done() too. */
struct buf {
	char *p; /* Owned */
	size_t n;
	size_t max;
	size_t _cap;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);

/* As buf_done(), wiping what it held: for passwords and what contains them. */
void buf_done_secret(struct buf *b);

/*
 * 0, or -ENOBUFS past the maximum, or -ENOMEM; nothing is appended then. The
 * old memory is wiped when it moves, so a secret leaves no copies behind.
 */
int buf_put(struct buf *b, struct span s);

/* Makes room for n more octets and returns where to write them, or NULL. */
char *buf_reserve(struct buf *b, size_t n);

/* Drops n octets from the front. */
void buf_skip(struct buf *b, size_t n);

/* NUL-terminates (not counted in n). NULL when there is no room for the NUL. */
const char *buf_str(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}
