/* SPDX-License-Identifier: MIT */
/*
 * downgrade_priv.h - what becomes of the body of one kind of field, without its
 * line end. Each appends, and returns false when there is no room; what it has
 * appended by then is the caller's to take back.
 */
#pragma once

#include "codec/mail/downgrade.h"

bool downgrade_is_ascii(struct span s);

/* Addresses, in groups or not (RFC 5322 section 3.4). */
bool downgrade_addresses(struct span body, struct out *out);

/* Words (RFC 5322 section 3.6.5). */
bool downgrade_text(struct span body, struct out *out);

/* Octets before the next ';' that is one. */
size_t downgrade_parameter(struct span s);
/* A value and its parameters (RFC 2045 section 5.1). */
bool downgrade_parameters(struct span body, struct out *out);

/*
 * Encoded words (RFC 2047) for UTF-8 text, each short enough for its line. Line ends in
 * the text are left out. quoted: so are quotes, and backslashes before what they quote.
 */
bool downgrade_encode(struct span text, bool quoted, struct out *out);

/* A word behind others, on the next line if it would be too long for theirs. */
bool downgrade_put_behind(struct span word, struct out *out);
