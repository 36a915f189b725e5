/* SPDX-License-Identifier: MIT */
/*
 * imap_answer.h - what an IMAP server answers, read line by line by who appends messages
 * there (RFC 3501 section 7).
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

enum imap_answer_kind {
	IMAP_UNTAGGED, /* "* ..." */
	IMAP_CONTINUE, /* "+ ...": it waits for what was announced */
	IMAP_OK,       /* these three end the command with that tag */
	IMAP_NO,
	IMAP_BAD,
};

struct imap_answer {
	enum imap_answer_kind kind;
	struct span code; /* of OK, NO, BAD: "TRYCREATE" of "[TRYCREATE] text"; may be empty */
	struct span text; /* what follows */
};

/* A line without its end. False when it is none that could answer that tag. */
bool imap_answer_line(struct span line, struct span tag, struct imap_answer *ret_answer);

/* Whether an untagged answer is that of SEARCH and names a message at least. */
bool imap_answer_found(const struct imap_answer *a);

/* Whether the code's first word is that one, in any case. */
bool imap_answer_has_code(const struct imap_answer *a, struct span word);
