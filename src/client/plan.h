/* SPDX-License-Identifier: MIT */
/*
 * plan.h - which messages of a server's list are fetched, and which deleted: by what is
 * remembered (state.h) and what is in the Maildir (destination.h). It decides the
 * two things that may not go wrong, that nothing is fetched twice and nothing taken
 * for something else; doc/exactly-once.md explains each rule.
 *
 * A message is known when it has the UIDL and the size of one that is remembered, or
 * its UIDL and header. The size alone isn't trusted when there is a reason for doubt:
 * several messages have that UIDL, or it was gone from the server before. A message
 * without a UIDL is known by its header.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/destination.h"
#include "client/listing.h"
#include "client/state.h"

struct plan {
	struct state *state; /* Borrowed, as all of this */
	int64_t account;
	struct span identity;
	struct destination *target; /* scanned */
	int64_t maildir;            /* its number in the state */
	int64_t old_before;         /* what was stored before that time is "old"; 0: nothing */
	struct listing *listing;
};

/* Gives every message its fate, or FATE_ASK. Negative errno with *err. */
int plan_all(const struct plan *p, struct err *err);

/* The header that was asked for: no FATE_ASK after this. */
int plan_header(const struct plan *p, struct message *m, const struct header_digest *header,
		struct err *err);

/*
 * A message that was to be fetched has come, and its header is seen only now: it
 * becomes FATE_KNOWN or FATE_ADOPT if it turns out to be here already.
 */
int plan_fetched(const struct plan *p, struct message *m, const struct header_digest *header,
		 struct err *err);
