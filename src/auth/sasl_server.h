/* SPDX-License-Identifier: MIT */
/*
 * sasl_server.h - the server's side of SASL (RFC 4422): PLAIN (RFC
 * 4616), LOGIN, CRAM-MD5 (RFC 2195) and SCRAM (RFC 5802, RFC 7677), and OAUTHBEARER
 * (RFC 7628) and XOAUTH2 beside it. Octets in, what to do next out; looking up users,
 * verifying passwords and tokens and making keys is the caller's, and may take its time.
 *
 *	sasl_session_start() ─┐
 *	sasl_session_step()  ─┼─> SASL_CHALLENGE  send it, then _step() with the answer
 *	sasl_session_secret()─┤   SASL_WANT_SECRET look the user up, then _secret()
 *	sasl_session_keys()  ─┘   SASL_WANT_KEYS  look the user up, then _keys()
 *	                          SASL_TOKEN      verify it: that decides, or _refuse_token()
 *	                          SASL_PASSWORD   verify user and password: that decides
 *	                          SASL_PROVED     the user has proved it
 *	                          SASL_FAILED, SASL_MALFORMED
 *
 * The last five end it, but a refused token: free the session. One thread for all sessions of a
 *context.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"
#include "base/span.h"
#include "auth/scram.h"

/* Longer than the JSON that a client hears of its token; LIMIT_SASL_OCTETS is far more. */
#define SASL_ERROR_MAX 512

struct sasl_context;
struct sasl_session;

enum sasl_status {
	SASL_CHALLENGE,   /* sasl_session_challenge() */
	SASL_WANT_SECRET, /* the password itself of sasl_session_user() */
	SASL_WANT_KEYS,   /* the keys of sasl_session_user(), or some that nobody knows */
	SASL_TOKEN,       /* sasl_session_token() is to be verified, and sasl_session_user() held
			   * against whom it is for; refused, it is sasl_session_refuse_token() */
	SASL_PASSWORD,    /* sasl_session_user() says that sasl_session_password() is right */
	SASL_PROVED,      /* sasl_session_user() is who they say */
	SASL_FAILED,      /* what they sent doesn't prove it, or another identity was asked for */
	SASL_MALFORMED,   /* not what the mechanism sends; an octet that may not stand there */
	SASL_NO_MEMORY,
};

/* hostname stands in challenges; it is copied. NULL when there is no memory. */
struct sasl_context *sasl_context_new(const char *hostname);
void sasl_context_free(struct sasl_context *c);

/* What a mechanism needs and reveals, or NULL for one that isn't known. */
struct sasl_mechanism {
	const char *name;  /* upper case */
	bool sends_plain;  /* the password itself crosses the network */
	bool needs_secret; /* works only for users whose password is kept as it is */
	bool server_first; /* begins with a challenge */
	bool needs_keys;   /* SCRAM: works for users whose keys are kept or can be made */
	enum scram_hash hash;
	bool binds;       /* -PLUS: only with sasl_session_bind() */
	bool takes_token; /* OAuth: works where tokens can be verified. Crosses the network */
	bool xoauth2;     /* Google's form of it */
};

/* What the client can bind its proof to: a connection that nobody else is at the end of. */
enum sasl_binding {
	SASL_BINDING_TLS_UNIQUE,           /* RFC 5929 */
	SASL_BINDING_TLS_EXPORTER,         /* RFC 9266 */
	SASL_BINDING_TLS_SERVER_END_POINT, /* RFC 5929: not the connection, but its server */
	SASL_BINDINGS
};

#define SASL_BINDING_MAX 64

const struct sasl_mechanism *sasl_mechanism_find(const char *name);

/* Number i from 0, or NULL past the end. */
const struct sasl_mechanism *sasl_mechanism_at(unsigned i);

/* NULL when there is no memory. The mechanism is one of sasl_mechanism_find(). */
struct sasl_session *sasl_session_new(struct sasl_context *c, const struct sasl_mechanism *m);

/* Wipes what was said. NULL is fine. */
void sasl_session_free(struct sasl_session *s);

/*
 * Before sasl_session_start(): one of the connection's bindings, for every mechanism on it;
 * nothing at all for one that it hasn't. A mechanism that doesn't bind then refuses a client that
 * could, and thinks that we can't: somebody has changed our list of mechanisms on its way (RFC
 * 5802 section 6).
 */
void sasl_session_bind(struct sasl_session *s, enum sasl_binding binding, struct span octets);

/*
 * The client's initial response; has_initial is false when there was none. LOGIN
 * takes one for the user's name, as clients send it, though it has a challenge.
 */
enum sasl_status sasl_session_start(struct sasl_session *s, bool has_initial, struct span initial);

/* The client's answer to the last challenge. */
enum sasl_status sasl_session_step(struct sasl_session *s, struct span answer);

/*
 * What was asked for with SASL_WANT_SECRET: the user's password, or NULL when
 * there is no such user or it isn't kept: SASL_FAILED, as with a wrong password.
 */
enum sasl_status sasl_session_secret(struct sasl_session *s, const char *password);

/*
 * What was asked for with SASL_WANT_KEYS. For a user who doesn't exist, or has none, keys
 * that nobody knows: then the exchange goes on as for everybody, and ends in SASL_FAILED.
 */
enum sasl_status sasl_session_keys(struct sasl_session *s, const struct scram_keys *keys);

/*
 * What came with SASL_TOKEN: a bearer token (RFC 6750). Whom it is for, it says itself;
 * sasl_session_user() is whom the client wants to be, or "". Valid until the session is freed.
 */
const char *sasl_session_token(struct sasl_session *s);

/*
 * The token is no good: SASL_CHALLENGE with the reason as JSON, and whatever the client says to
 * that is SASL_FAILED. status is a word of RFC 6750 section 3.1; scope what it should have, or "".
 */
enum sasl_status sasl_session_refuse_token(struct sasl_session *s, const char *status,
					   const char *scope);

/* Borrowed, until the next call. */
struct span sasl_session_challenge(const struct sasl_session *s);

/* Who the client says it is. "" before it has said. */
const char *sasl_session_user(const struct sasl_session *s);

/* As it was sent. Valid after SASL_PASSWORD, until the session is freed. */
const char *sasl_session_password(const struct sasl_session *s);

/*
 * The password prepared by SASLprep (RFC 4013), into ret_password, of cap octets.
 * False when it is the same as before, can't be prepared, or doesn't fit: then
 * there is only one form to try.
 */
bool sasl_prepare_password(const char *password, char *ret_password, size_t cap);

/*
 * APOP (RFC 1939 section 7): digest is the 32 lower case hexadecimal digits of
 * MD5 over timestamp and password.
 */
bool sasl_apop_matches(const char *timestamp, const char *password, const char *digest);
