/* SPDX-License-Identifier: MIT */
/*
 * smtp_reply.h - what an LMTP or SMTP server says (RFC 5321 section 4.2), with
 * enhanced status codes (RFC 2034, RFC 3463). Each function appends whole lines to
 * *out, or returns false and appends nothing when there isn't room for all of it.
 *
 * Texts are the caller's, and hold no CR, LF or NUL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"

/*
 * "250 2.1.0 text". enhanced is "2.1.0", of the same class as the code; NULL
 * leaves it out, as greetings, LHLO and 354 do (RFC 2034 section 4).
 */
bool smtp_reply(struct out *out, unsigned code, const char *enhanced, struct span text);

/* "250-2.1.0 text": a line before the last one of a reply. */
bool smtp_reply_more(struct out *out, unsigned code, const char *enhanced, struct span text);

/*
 * What LHLO (or EHLO) tells. Announced is only what is done: PIPELINING,
 * ENHANCEDSTATUSCODES, 8BITMIME, CHUNKING and SMTPUTF8 always, the rest as these facts are.
 */
struct smtp_hello {
	struct span host;    /* ours */
	uint64_t size_limit; /* SIZE; 0: announced without a number */
	bool starttls;       /* it would be taken now */
	struct span auth;    /* SASL mechanisms, parted by spaces; empty: no AUTH */
};

bool smtp_reply_hello(struct out *out, const struct smtp_hello *hello);
