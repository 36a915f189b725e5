/* SPDX-License-Identifier: MIT */
/*
 * smtp_address.h - paths, as MAIL and RCPT carry them (RFC 5321 section 4.1.2, RFC
 * 6531 section 3.3).
 *
 * The grammar is RFC 5321's, with what mail in the wild needs so that none of it
 * bounces: a source route is read and dropped, a domain may have underscores, a
 * sender's local part may have dots anywhere (Japanese carriers gave out such
 * addresses), and there is no limit of 64 octets for a local part (VERP and SRS go
 * past it); a path has 256 octets in all, as RFC 5321 section 4.5.3.1.3 says.
 */
#pragma once

#include <stdbool.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"

enum smtp_path_kind {
	SMTP_PATH_REVERSE, /* a sender: may be <> */
	SMTP_PATH_FORWARD, /* a recipient: may be <postmaster>, in any case, without a domain */
};

enum smtp_path_status { SMTP_PATH_OK, SMTP_PATH_BAD, SMTP_PATH_TOO_LONG };

/* Spans are parts of what was parsed, as they were written. */
struct smtp_path {
	struct span address; /* without brackets and source route; empty for <> */
	struct span local;   /* a quoted local part has its quotes */
	struct span domain;  /* or an address literal with its brackets; empty: see above */
	bool utf8;           /* there is more than ASCII in it: for SMTPUTF8 only */
};

/*
 * Takes a path, brackets and all, from the front of *in. When it is not
 * SMTP_PATH_OK, *in and *ret_path are untouched. What is OK holds no control octet,
 * no octet that isn't UTF-8, and at most LIMIT_ADDRESS octets.
 */
enum smtp_path_status smtp_path_parse(struct span *in, enum smtp_path_kind kind,
				      struct smtp_path *ret_path);

/* Appends a local part without its quotes and backslashes. False when there is no room. */
bool smtp_local_unquote(struct out *out, struct span local);
