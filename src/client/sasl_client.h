/* SPDX-License-Identifier: MIT */
/*
 * sasl_client.h - the client's side of SASL (RFC 4422) by GNU SASL: SCRAM (RFC 5802,
 * 7677), CRAM-MD5 (RFC 2195), PLAIN (RFC 4616) and LOGIN; and APOP (RFC 1939), which
 * is none but much the same. Octets in, octets out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* From the best to the weakest. */
struct sasl_way {
	const char *option;    /* "scram-sha-256", in the configuration */
	const char *mechanism; /* "SCRAM-SHA-256" */
	bool sends_password;   /* as it is: whoever reads along has it */
	bool client_first;     /* it has an initial response */
	bool proves_server;    /* the server must know the password as well */
};

/* Number i from 0, or NULL past the end. */
const struct sasl_way *sasl_way_at(unsigned i);

struct sasl_client;

/* host is the server's, for mechanisms that name it. NULL when GNU SASL can't do it. */
struct sasl_client *sasl_client_new(const struct sasl_way *way, const char *user,
				    const char *password, const char *host);

/* Wipes. NULL is fine. */
void sasl_client_free(struct sasl_client *c);

/*
 * Takes a challenge ("": begin) and gives what to answer, which may be empty and lives
 * until the next call. False when the challenge makes no sense, or shows that the
 * server doesn't know the password.
 */
bool sasl_client_step(struct sasl_client *c, struct span challenge, struct span *ret_response);

/*
 * The server has said that it is satisfied: are we? Not when a mechanism that
 * proves the server was cut short.
 */
bool sasl_client_done(const struct sasl_client *c);

/* APOP's digest, 32 hexadecimal digits. False when OpenSSL has no MD5. */
#define APOP_DIGEST_MAX 33
bool sasl_apop_digest(struct span timestamp, const char *password,
		      char ret_digest[static APOP_DIGEST_MAX]);
