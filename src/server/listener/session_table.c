/* SPDX-License-Identifier: MIT */
#include "server/listener/session_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "server/listener/session.h"

int session_table_init(struct session_table *t, uint32_t max)
{
	uint64_t n = 64;

	while (n < max)
		n *= 2;
	t->_buckets = calloc(n, sizeof(struct session *));
	if (t->_buckets == NULL)
		return -ENOMEM;
	t->_mask = n - 1;
	return 0;
}

void session_table_done(struct session_table *t)
{
	free(t->_buckets);
	*t = (struct session_table){0};
}

/* Ids are counted up: neighbours never share a bucket, and no stranger chooses them. */
static struct session **bucket(const struct session_table *t, uint64_t id)
{
	return &t->_buckets[id & t->_mask];
}

void session_table_add(struct session_table *t, struct session *s)
{
	struct session **const b = bucket(t, s->id);

	s->same_bucket = *b;
	*b = s;
}

void session_table_remove(struct session_table *t, struct session *s)
{
	struct session **at = bucket(t, s->id);

	while (*at != s) {
		assert(*at != NULL);
		at = &(*at)->same_bucket;
	}
	*at = s->same_bucket;
}

struct session *session_table_find(const struct session_table *t, uint64_t id)
{
	struct session *s = *bucket(t, id);

	while (s != NULL && s->id != id)
		s = s->same_bucket;
	return s;
}
