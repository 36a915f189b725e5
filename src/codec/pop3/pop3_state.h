/* SPDX-License-Identifier: MIT */
/*
 * pop3_state.h - the states of a POP3 session (RFC 1939 section 3) and what leads
 * from one to the next.
 *
 *	AUTHORIZATION ── login ──► TRANSACTION ── quit ──► UPDATE
 *	      │                         │                     │
 *	      └─── quit, lost ──────────┴─ lost ──► ENDED ◄───┘ done, lost
 *
 * Always true: the only way to UPDATE, where messages are removed, is QUIT in
 * TRANSACTION. A session that is lost (closed by the peer, timed out, broken off by
 * us) removes nothing.
 */
#pragma once

#include <stdbool.h>

enum pop3_state { POP3_AUTHORIZATION, POP3_TRANSACTION, POP3_UPDATE, POP3_ENDED, POP3_STATES };

enum pop3_event {
	POP3_EVENT_LOGIN, /* proved who they are, and the maildrop is open */
	POP3_EVENT_QUIT,
	POP3_EVENT_DONE, /* the maildrop is updated, or could not be */
	POP3_EVENT_LOST, /* the connection has gone */
	POP3_EVENTS
};

/* False, and nothing changes, when the event can't happen in that state. */
bool pop3_state_next(enum pop3_state *state, enum pop3_event event);

/* "AUTHORIZATION", for logs and replies. */
const char *pop3_state_name(enum pop3_state state);
