/* SPDX-License-Identifier: MIT */
/*
 * scheme.h - stored passwords, as a Dovecot passwd-file holds them: "{SCHEME}"
 * and what that scheme makes of a password, or a bare "$..." string of crypt(3).
 *
 * A scheme's name may end in ".b64" or ".hex": then what follows is in that
 * encoding. Names are read without regard to case.
 *
 * A stored password that is empty or begins with '*' or '!' is locked: the user
 * exists, gets mail, and no password fits.
 *
 * Passwords are NUL-terminated and may hold any octet but NUL. Nothing here logs,
 * and no password or hash gets into an error text. Everything may be called from
 * several threads at once.
 *
 * BUGS: bcrypt looks at the first 72 octets only, and crypt(3) takes at most 511.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "auth/scram.h"

/* A stored password with its scheme, and its NUL. The longest of crypt(3) is 384. */
#define SCHEME_STORED_MAX 1536

/* What scheme_make() uses when nobody says otherwise. */
#define SCHEME_DEFAULT "ARGON2ID"

/*
 * 0 when scheme_verify() could verify a password against stored; -EINVAL with the
 * reason, which names the scheme, when it never could: an unknown scheme, a
 * malformed hash, or parameters so high that one login would stop the others.
 * Cheap, so that a whole file can be checked while it is loaded.
 */
int scheme_check(const char *stored, struct err *err);

bool scheme_is_locked(const char *stored);

/*
 * 1 when the password fits, 0 when it doesn't, -EINVAL as scheme_check() says, or
 * -ENOMEM. The comparison takes the same time wherever they differ. This is slow
 * on purpose for most schemes: call it from the pool.
 */
int scheme_verify(const char *stored, const char *password, struct err *err);

/*
 * Makes a stored password with a fresh salt into ret_stored, of cap octets. scheme
 * is a name from scheme_made(). -EINVAL for another one or for a password that it
 * can't take, -ENOBUFS, -ENOMEM.
 */
int scheme_make(const char *scheme, const char *password, char *ret_stored, size_t cap,
		struct err *err);

/* The scheme's name for people ("ARGON2ID", "locked", "unknown"); never a part of the hash. */
const char *scheme_name(const char *stored);

/*
 * The password itself, for mechanisms that need it (APOP, CRAM-MD5), into
 * ret_password, of cap octets with NUL. False when the scheme doesn't keep it. The
 * caller wipes it.
 */
bool scheme_plain(const char *stored, char *ret_password, size_t cap);

/* The keys of a {SCRAM-...} scheme. False when stored is not one of this hash. */
bool scheme_scram(const char *stored, enum scram_hash hash, struct scram_keys *ret_keys);

/* Number i from 0 of the schemes that scheme_make() can make, or NULL past the end. */
const char *scheme_made(unsigned i);
