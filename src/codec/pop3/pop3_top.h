/* SPDX-License-Identifier: MIT */
/*
 * pop3_top.h - how much of a stored message TOP sends (RFC 1939 section 7): the
 * header, the blank line, and so many lines of the body.
 *
 * Lines end with LF, with or without a CR before it, as they may in a store. A
 * message without a blank line is all header. Give what is let through to a
 * dot_encoder.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Set lines to TOP's second number, zero the rest. */
struct pop3_top {
	uint64_t lines; /* of the body, still to come */
	uint8_t _state;
};

/*
 * How many octets of in, which follows what was given before, belong to the reply.
 * Fewer than in.n means that the rest of the message doesn't; more calls return 0.
 */
size_t pop3_top_take(struct pop3_top *t, struct span in);

/* Nothing more belongs to it: no need to read on. */
bool pop3_top_done(const struct pop3_top *t);
