/* SPDX-License-Identifier: MIT */
/*
 * session_table.h - sessions by the id that they have towards auth and storage.
 */
#pragma once

#include <stdint.h>

struct session;

struct session_table {
	struct session **_buckets; /* Owned; the sessions are borrowed */
	uint64_t _mask;
};

/* Room for max sessions without long chains. -ENOMEM. */
int session_table_init(struct session_table *t, uint32_t max);
void session_table_done(struct session_table *t);

/* By s->id, which must not change while it is in the table, and isn't in it yet. */
void session_table_add(struct session_table *t, struct session *s);
void session_table_remove(struct session_table *t, struct session *s);

/* NULL when there is none. */
struct session *session_table_find(const struct session_table *t, uint64_t id);
