/* SPDX-License-Identifier: MIT */
/*
 * sasl_frame.h - the lines of an AUTH exchange: base64, "=" and "*" (RFC 5034
 * section 4 for POP3, RFC 4954 section 4 for SMTP). What is inside is for auth.
 */
#pragma once

#include <stdbool.h>

#include "base/out.h"
#include "base/span.h"
#include "codec/sasl/base64.h"

enum sasl_frame_status {
	SASL_FRAME_OK,       /* what was sent is in *out, perhaps nothing */
	SASL_FRAME_CANCEL,   /* "*": the client doesn't want to go on */
	SASL_FRAME_BAD,      /* not base64 */
	SASL_FRAME_TOO_LONG, /* more octets than *out holds */
};

/*
 * The initial response that stands in the AUTH command itself: "=" is an empty
 * one. "*" is not special there, and not base64.
 */
enum sasl_frame_status sasl_frame_initial(struct out *out, struct span text);

/* A line that answers a challenge. An empty line is an empty response. */
enum sasl_frame_status sasl_frame_response(struct out *out, struct span line);

/*
 * "+ " and the challenge in base64, as POP3 writes it, or "334 " in SMTP: prefix
 * has its space. False without room for SASL_CHALLENGE_MAX(challenge.n) octets.
 */
#define SASL_CHALLENGE_MAX(n) (4 + BASE64_ENCODED(n) + 2)
bool sasl_frame_challenge(struct out *out, struct span prefix, struct span challenge);
