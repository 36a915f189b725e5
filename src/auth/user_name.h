/* SPDX-License-Identifier: MIT */
/*
 * user_name.h - what a user may be called, and where the user's mail is. Names
 * come from strangers and become parts of paths, so they are held to rules first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

/*
 * 0 when name may be a user's name: 1 to LIMIT_USER octets of UTF-8 (RFC 3629)
 * without control characters, '/' and ':', with no space at either end; neither
 * the local part nor the domain (behind the last '@') is empty or begins with a
 * dot. -EINVAL otherwise, *err saying what is wrong with it.
 */
int user_name_check(struct span name, struct err *err);

/*
 * Writes the form in which names are compared: as SASLprep (RFC 4013) makes it, where
 * it can, and ASCII letters in lower case. False when user_name_check() refuses it. ret_name has
 * LIMIT_USER + 1 octets and is untouched then.
 */
bool user_name_normalise(struct span name, char *ret_name);

/* The domain behind the last '@', or nothing (n == 0) when there is none. */
struct span user_name_domain(struct span name);

/* The local part: all before the last '@', or all. */
struct span user_name_local(struct span name);

/*
 * Where the user's mail is: location with %u (the whole name), %n (local part), %d
 * (domain, or default_domain), %h and a leading "~/" (home) and %% filled in. A
 * leading "maildir:" is taken off, and so are a format's options behind a ':', as
 * Dovecot's mail_location has them.
 *
 * The result is an absolute path without "..", "." and empty components, below
 * LIMIT_PATH octets, in ret_path, of LIMIT_PATH octets. -EINVAL with the reason
 * for anything else: another format, an unknown %, an empty home where one is
 * wanted.
 */
struct user_location {
	struct span name;
	const char *home; /* "" when unknown */
	const char *default_domain;
};

int user_mail_path(const char *location, const struct user_location *of, char *ret_path,
		   struct err *err);
