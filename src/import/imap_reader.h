/* SPDX-License-Identifier: MIT */
/*
 * imap_reader.h - what an IMAP server says (RFC 3501 section 7), as it comes: responses, of
 * text and of literals in it, which may be as long as a message.
 *
 *	* 1 FETCH (UID 7 BODY[] {5}		IMAP_TEXT, 5 octets follow
 *	hello					IMAP_DATA, in pieces
 *	 FLAGS (\Seen))				IMAP_TEXT, the last of the response
 *
 * Octets in memory, no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Of text between literals. Capabilities and flags are what is long there. */
#define IMAP_TEXT_MAX 16384

enum imap_status {
	IMAP_MORE,
	IMAP_TEXT,
	IMAP_DATA,
	IMAP_BAD, /* it isn't IMAP, or has no end. Nothing comes after it */
};

struct imap_event {
	struct span text; /* without line end and "{5}". Lives until the next call */
	bool begins;      /* IMAP_TEXT: a response */
	bool literal;     /* IMAP_TEXT: a literal follows; otherwise the response ends */
	uint64_t octets;  /* of it */
};

/* Large: not for the stack. Zero it. */
struct imap_reader {
	uint64_t _literal; /* octets of it that are still to come */
	bool _inside;      /* of a response */
	bool _told;        /* what is in _text */
	bool _bad;
	size_t _n;
	char _text[IMAP_TEXT_MAX];
};

/* Takes octets off the front of *in, up to the next event. */
enum imap_status imap_reader_next(struct imap_reader *r, struct span *in, struct imap_event *ret);

/* What a FETCH response says of a message; what it doesn't say is left as it was. */
struct imap_message {
	uint32_t uid;       /* 0: not said */
	uint64_t octets;    /* RFC822.SIZE */
	struct span date;   /* INTERNALDATE; borrowed from the text */
	char flags[8];      /* as Maildir's, sorted */
	bool body;          /* BODY[]: its value is the literal behind the text, or */
	struct span quoted; /* this, where it is short; borrowed */
};

/*
 * Reads a piece of text of a FETCH response; a first one begins with "* 7 FETCH (". False: it
 * is none, or none that can be read.
 */
bool imap_message_take(struct imap_message *m, const struct imap_event *e);
