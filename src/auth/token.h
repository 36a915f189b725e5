/* SPDX-License-Identifier: MIT */
/*
 * token.h - bearer tokens (RFC 6750): what they claim, and whether that is enough to log in.
 *
 * A JWT (RFC 7519) that is signed (RFC 7515) is verified against keys in a file (RFC 7517), by
 * libjose. Anything else is opaque: the authorization server is asked about it (RFC 7662), which
 * is not done here; here is read what it answers.
 *
 * What a token must have: an end that hasn't come, a beginning that has, the issuer and audience
 * that the operator wrote, and a claim that names a user. A claim "email" doesn't count where
 * "email_verified" says that nobody has looked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

/* Clocks of two machines differ by so many seconds. */
#define TOKEN_LEEWAY 30

/* A file of keys; an authorization server's answer. */
#define TOKEN_KEYS_MAX_BYTES (1U << 20)
#define TOKEN_ANSWER_MAX_BYTES (64U << 10)

/* What the operator wants of tokens. Strings are borrowed; "" is anything. */
struct token_rules {
	const char *issuer;
	const char *audience;
	const char *scope;      /* one that must be among the token's */
	const char *user_claim; /* never "" */
	uint64_t now;           /* seconds since 1970 */
};

enum token_status {
	TOKEN_GOOD,
	TOKEN_INVALID,            /* "invalid_token" */
	TOKEN_INSUFFICIENT_SCOPE, /* "insufficient_scope" */
	TOKEN_UNDECIDED,          /* nobody can say now: no keys, or an answer that is none */
};

struct token_verdict {
	enum token_status status;
	const char *why;           /* for the log, a literal; NULL when TOKEN_GOOD */
	char user[LIMIT_USER + 1]; /* TOKEN_GOOD: as the claim has it */
	uint64_t expires;          /* TOKEN_GOOD: seconds since 1970; UINT64_MAX: it doesn't say */
};

/* True for three parts with dots between, as a signed JWT has them. */
bool token_is_jwt(struct span token);

struct token_keys;

/* Something wrong with the file, once for each trouble. */
typedef void token_notice(void *arg, const char *text);

/* An empty set of keys for path, which is copied. NULL when there is no memory. */
struct token_keys *token_keys_new(const char *path, token_notice *notice, void *arg);
void token_keys_free(struct token_keys *k);

/*
 * Reads the file again if it has changed; while it can't be read, the keys that were there
 * before stay. A JWK Set, or one JWK. Negative errno and *err as reading it went.
 */
int token_keys_refresh(struct token_keys *k, struct err *err);

/*
 * Verifies signature and claims; looks first whether the file has changed. Only signatures with
 * RSA and EC keys count (RS, PS and ES with SHA-2), and a key only for what its type and its
 * "alg" and "use" are for: "none" and HMAC over a public key prove nothing.
 */
struct token_verdict token_verify_jwt(struct token_keys *k, struct span token,
				      const struct token_rules *rules);

/* What an introspection endpoint's answer (RFC 7662 section 2.2) means. */
struct token_verdict token_read_answer(struct span answer, const struct token_rules *rules);
