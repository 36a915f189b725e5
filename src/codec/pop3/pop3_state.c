/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_state.h"

#include <assert.h>
#include <stdint.h>

enum { NEVER = POP3_STATES };

/* clang-format off */
static const uint8_t next[POP3_STATES][POP3_EVENTS] = {
	/* event                LOGIN             QUIT         DONE        LOST */
	[POP3_AUTHORIZATION] = { POP3_TRANSACTION, POP3_ENDED,  NEVER,      POP3_ENDED },
	[POP3_TRANSACTION]   = { NEVER,            POP3_UPDATE, NEVER,      POP3_ENDED },
	[POP3_UPDATE]        = { NEVER,            NEVER,       POP3_ENDED, POP3_ENDED },
	[POP3_ENDED]         = { NEVER,            NEVER,       NEVER,      NEVER },
};
/* clang-format on */

bool pop3_state_next(enum pop3_state *state, enum pop3_event event)
{
	assert(*state < POP3_STATES && event < POP3_EVENTS);

	const uint8_t to = next[*state][event];

	if (to == NEVER)
		return false;
	*state = (enum pop3_state)to;
	return true;
}

const char *pop3_state_name(enum pop3_state state)
{
	static const char *const names[POP3_STATES] = {
		[POP3_AUTHORIZATION] = "AUTHORIZATION",
		[POP3_TRANSACTION] = "TRANSACTION",
		[POP3_UPDATE] = "UPDATE",
		[POP3_ENDED] = "ENDED",
	};

	assert(state < POP3_STATES);
	return names[state];
}
