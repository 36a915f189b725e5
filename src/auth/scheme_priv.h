/* SPDX-License-Identifier: MIT */
/*
 * scheme_priv.h - one row a scheme, one file a family. A family sees what stands
 * behind "{SCHEME}", with the encoding of its name's suffix already taken off.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"
#include "auth/scheme.h"
#include "auth/scram.h"

enum scheme_encoding { SCHEME_AS_IS, SCHEME_B64, SCHEME_HEX };

struct scheme_row {
	const char *name;
	bool made; /* scheme_make() offers it */
	bool plain;
	/* What stands there when the name has no suffix. */
	enum scheme_encoding encoding;
	/* As scheme_check(): text is NUL-terminated too, when the encoding is SCHEME_AS_IS. */
	int (*check)(const struct scheme_row *row, struct span text, struct err *err);
	int (*verify)(const struct scheme_row *row, struct span text, const char *password,
		      struct err *err);
	/* Appends what stands behind "{SCHEME}"; a plain one the "}" too. */
	int (*make)(const struct scheme_row *row, const char *password, struct out *out,
		    struct err *err);
	/* The family's own: crypt(3)'s prefix, a digest's name, Argon2's type. */
	const char *what;
	const char *make_prefix; /* for crypt_gensalt(3) */
	unsigned n; /* octets of a digest, Argon2's type, crypt(3)'s cost (0: its own), SCRAM's hash
		     */
	bool salted;
};

int scheme_argon2_check(const struct scheme_row *row, struct span text, struct err *err);
int scheme_argon2_verify(const struct scheme_row *row, struct span text, const char *password,
			 struct err *err);
int scheme_argon2_make(const struct scheme_row *row, const char *password, struct out *out,
		       struct err *err);

int scheme_crypt_check(const struct scheme_row *row, struct span text, struct err *err);
int scheme_crypt_verify(const struct scheme_row *row, struct span text, const char *password,
			struct err *err);
int scheme_crypt_make(const struct scheme_row *row, const char *password, struct out *out,
		      struct err *err);

int scheme_digest_check(const struct scheme_row *row, struct span text, struct err *err);
int scheme_digest_verify(const struct scheme_row *row, struct span text, const char *password,
			 struct err *err);
int scheme_digest_make(const struct scheme_row *row, const char *password, struct out *out,
		       struct err *err);

int scheme_pbkdf2_check(const struct scheme_row *row, struct span text, struct err *err);
int scheme_pbkdf2_verify(const struct scheme_row *row, struct span text, const char *password,
			 struct err *err);

int scheme_scram_check(const struct scheme_row *row, struct span text, struct err *err);
int scheme_scram_verify(const struct scheme_row *row, struct span text, const char *password,
			struct err *err);
int scheme_scram_make(const struct scheme_row *row, const char *password, struct out *out,
		      struct err *err);

/*
 * Decodes all of text into ret_octets, of cap octets. False when it isn't in that
 * encoding or doesn't fit.
 */
bool scheme_decode(enum scheme_encoding encoding, struct span text, uint8_t *ret_octets, size_t cap,
		   size_t *ret_n);

/* Appends base64 with its padding. False when there is no room. */
bool scheme_put_b64(struct out *out, const void *octets, size_t n);
