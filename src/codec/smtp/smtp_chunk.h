/* SPDX-License-Identifier: MIT */
/*
 * smtp_chunk.h - a message that comes in chunks, each as long as its BDAT command
 * says (RFC 3030 section 2): no dot is stuffed, and no dot ends it.
 *
 * Without BINARYMIME it is lines all the same, and CR and LF stand together or not
 * at all, as behind DATA. Where it ends is counted here, so a bare one can't hide a
 * command; but it could end the message for a server that gets it by DATA from us
 * or from the mail program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Zero it before the first chunk of a message, and set left for each. */
struct smtp_chunks {
	uint64_t left; /* octets of this chunk that are still to come */
	bool bare;     /* a CR or LF stood alone, in this chunk or one before it */
	uint8_t _state;
};

/* Takes what belongs to the chunk from the front of *in: all of *in, or up to its end. */
struct span smtp_chunks_take(struct smtp_chunks *c, struct span *in);

enum smtp_chunks_end {
	SMTP_CHUNKS_WHOLE,   /* there is nothing, or the last line has its end */
	SMTP_CHUNKS_NO_EOL,  /* the last line lacks its CRLF */
	SMTP_CHUNKS_LONE_CR, /* it ends with a CR that no LF will follow */
};

/* What the octets so far end with, when no chunk follows. */
enum smtp_chunks_end smtp_chunks_end(const struct smtp_chunks *c);
