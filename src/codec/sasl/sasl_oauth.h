/* SPDX-License-Identifier: MIT */
/*
 * sasl_oauth.h - the messages of OAUTHBEARER (RFC 7628) and of XOAUTH2, which Google had
 * before it: who somebody wants to be, and a bearer token (RFC 6750) that is to prove it.
 * ^A is the octet 1.
 *
 *	OAUTHBEARER	n,a=alice@example.org,^Ahost=...^Aport=995^Aauth=Bearer TOKEN^A^A
 *	XOAUTH2		user=alice@example.org^Aauth=Bearer TOKEN^A^A
 */
#pragma once

#include <stdbool.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"

struct sasl_oauth {
	char user[LIMIT_USER + 1]; /* "": whoever the token is for. OAUTHBEARER only */
	struct span token;         /* borrowed from the message; never empty */
};

/*
 * False when it isn't such a message: no token in it, two of them, another scheme than Bearer,
 * a channel binding, an octet that may not stand there, a user whose name nobody has. *ret is
 * then undefined.
 */
bool sasl_oauth_parse_bearer(struct span message, struct sasl_oauth *ret);
bool sasl_oauth_parse_xoauth2(struct span message, struct sasl_oauth *ret);

/*
 * What is wrong, as JSON: RFC 7628 section 3.2.2, or what XOAUTH2's clients know. status is a
 * word ("invalid_token") and scope what the token should have, or "". False without room.
 */
bool sasl_oauth_put_error(struct out *out, bool xoauth2, struct span status, struct span scope);
