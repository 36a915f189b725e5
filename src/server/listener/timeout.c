/* SPDX-License-Identifier: MIT */
#include "server/listener/timeout.h"

#include <stddef.h>

static void unlink_timeout(struct timeouts *all, struct timeout *t)
{
	if (t->kind == TIMEOUT_NONE)
		return;
	if (t->_prev != NULL)
		t->_prev->_next = t->_next;
	else
		all->_first[t->kind] = t->_next;
	if (t->_next != NULL)
		t->_next->_prev = t->_prev;
	else
		all->_last[t->kind] = t->_prev;
	t->kind = TIMEOUT_NONE;
}

void timeout_set(struct timeouts *all, struct timeout *t, enum timeout_kind kind, uint64_t now_ms)
{
	unlink_timeout(all, t);
	if (kind == TIMEOUT_NONE)
		return;
	t->kind = (uint8_t)kind;
	t->_due_ms = now_ms + all->after_ms[kind];
	t->_next = NULL;
	t->_prev = all->_last[kind];
	if (t->_prev != NULL)
		t->_prev->_next = t;
	else
		all->_first[kind] = t;
	all->_last[kind] = t;
}

uint64_t timeout_next_due(const struct timeouts *all)
{
	uint64_t due = UINT64_MAX;

	for (int kind = TIMEOUT_NONE + 1; kind < TIMEOUT_KINDS; kind++) {
		const struct timeout *const t = all->_first[kind];

		if (t != NULL && t->_due_ms < due)
			due = t->_due_ms;
	}
	return due;
}

struct timeout *timeout_take_due(struct timeouts *all, uint64_t now_ms, enum timeout_kind *ret_kind)
{
	for (int kind = TIMEOUT_NONE + 1; kind < TIMEOUT_KINDS; kind++) {
		struct timeout *const t = all->_first[kind];

		if (t != NULL && t->_due_ms <= now_ms) {
			unlink_timeout(all, t);
			*ret_kind = (enum timeout_kind)kind;
			return t;
		}
	}
	return NULL;
}
