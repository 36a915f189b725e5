/* SPDX-License-Identifier: MIT */
/*
 * timeout.h - the deadlines of ten thousand sessions for the price of one timer.
 *
 * All timeouts of one kind take equally long, so a list in the order in which
 * they were set is a list in the order in which they come due: setting, clearing
 * and finding the next one are O(1). Milliseconds; the caller brings the clock,
 * which must not go back.
 */
#pragma once

#include <stdint.h>

enum timeout_kind {
	TIMEOUT_NONE,
	TIMEOUT_LOGIN,  /* to be logged in, from the first octet on */
	TIMEOUT_IDLE,   /* to the next command */
	TIMEOUT_WRITE,  /* in which the peer must take something */
	TIMEOUT_LINGER, /* in which the peer may read our last words */
	TIMEOUT_KINDS
};

/* Embed it, zeroed. It must be cleared before its memory goes. */
struct timeout {
	struct timeout *_prev; /* Borrowed */
	struct timeout *_next; /* Borrowed */
	uint64_t _due_ms;
	uint8_t kind; /* enum timeout_kind; read only */
};

/* Set after_ms of each kind, zero the rest. */
struct timeouts {
	uint64_t after_ms[TIMEOUT_KINDS];
	struct timeout *_first[TIMEOUT_KINDS];
	struct timeout *_last[TIMEOUT_KINDS];
};

/* Begins t anew, whatever it was before. TIMEOUT_NONE clears it. */
void timeout_set(struct timeouts *all, struct timeout *t, enum timeout_kind kind, uint64_t now_ms);

/* When the next one is due; UINT64_MAX when none is set. */
uint64_t timeout_next_due(const struct timeouts *all);

/* One that is due, cleared, with *ret_kind saying what it was; NULL when there is none. */
struct timeout *timeout_take_due(struct timeouts *all, uint64_t now_ms,
				 enum timeout_kind *ret_kind);
