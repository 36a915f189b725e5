/* SPDX-License-Identifier: MIT */
/*
 * pop3_response.h - the first line of what a POP3 server answers (RFC 1939 section
 * 3, RFC 2449 section 8, RFC 5034 section 4), read leniently: see pop3_client.h.
 */
#pragma once

#include "base/span.h"
#include "codec/pop3/pop3_reply.h"

enum pop3_response_kind {
	POP3_RESPONSE_OK,
	POP3_RESPONSE_ERR,
	POP3_RESPONSE_CHALLENGE,
	POP3_RESPONSE_OTHER, /* none of these: text is all of the line */
};

/* Spans are parts of the line. */
struct pop3_response {
	enum pop3_response_kind kind;
	struct span text;      /* behind the indicator and its spaces, the code included */
	enum pop3_code code;   /* NONE when it isn't known, or there is none */
	struct span code_text; /* between the brackets; empty: there is none */
};

/* Reads a line without its end. */
struct pop3_response pop3_response_parse(struct span line);

/*
 * The timestamp of APOP in the text of a greeting, from '<' to '>' (RFC 1939 section
 * 7); empty when there is none. It has the form of a message id: printable octets
 * and one '@' inside. Who sends others, and gets them answered with a digest, can
 * find out passwords (CVE-2007-1558).
 */
struct span pop3_response_timestamp(struct span text);
