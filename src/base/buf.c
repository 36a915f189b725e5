/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

void buf_done_secret(struct buf *b)
{
	secret_wipe(b->p, b->_cap);
	buf_done(b);
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (n > b->max - b->n)
		return NULL;
	if (n > b->_cap - b->n || b->p == NULL) {
		size_t cap = b->_cap < 64 ? 64 : b->_cap;

		while (cap - b->n < n)
			cap *= 2;

		char *p = malloc(cap);

		if (p == NULL)
			return NULL;
		if (b->n > 0)
			memcpy(p, b->p, b->n);
		secret_wipe(b->p, b->_cap);
		free(b->p);
		b->p = p;
		b->_cap = cap;
	}
	return b->p + b->n;
}

int buf_put(struct buf *b, struct span s)
{
	if (s.n > b->max - b->n)
		return -ENOBUFS;

	char *to = buf_reserve(b, s.n);

	if (to == NULL)
		return -ENOMEM;
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	b->n += s.n;
	return 0;
}

void buf_skip(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

const char *buf_str(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (end == NULL)
		return NULL;
	*end = '\0';
	return b->p;
}
