/* SPDX-License-Identifier: MIT */
/*
 * mbox_quote.h - a message as it stands in an mbox file (RFC 4155, with the quoting of
 * "mboxrd"): behind a line that begins with "From ", with LF at the end of each line,
 * and with one more '>' in each line that is "From " behind any number of '>'.
 *
 *	From alice@example.org Wed Nov 25 09:00:00 2026
 *	Subject: hello
 *
 *	>From here on
 *	>>From is a line that was ">From".
 *	(an empty line)
 *
 * So nothing in a message can be taken for the beginning of the next one, and who reads
 * it can take the '>' away and has what came, but for the CRs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"

/* Zero it before the first octet of each message. */
struct mbox_quoter {
	uint8_t _matched; /* octets of "From " that are held back */
	bool _text;       /* behind what could be quoted in this line */
	bool _cr;         /* held back: perhaps a line end's */
	bool _open;       /* the line that was written last has no end yet */
};

/* Room that out must have for anything to be taken. */
#define MBOX_QUOTE_MAX 8

/*
 * Takes from *in and appends to *out until the one is used up or the other nearly full.
 * However the stream is cut, the text put together is the same.
 */
void mbox_quote(struct mbox_quoter *q, struct span *in, struct out *out);

/* The rest, a line end if there is none, and the empty line: room for MBOX_QUOTE_MAX. */
void mbox_quote_end(struct mbox_quoter *q, struct out *out);
