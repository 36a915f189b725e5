/* SPDX-License-Identifier: MIT */
/*
 * tls_server.h - the server's side of TLS, set as RFC 9325 asks: TLS 1.2 and 1.3 only,
 * forward secret ciphers with authenticated encryption, no compression, no
 * renegotiation. It has one certificate or many, and shows each client one that has the
 * name it asks for, with a key that it understands, and the OCSP response that lies beside
 * it, as long as that is current.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "net/tls_material.h"
#include "net/tls_remote.h"

struct ssl_ctx_st;
struct tls_server;

struct tls_server_options {
	const struct tls_pair *pairs; /* the first is for who asks for no name, or a foreign one */
	size_t n_pairs;               /* not 0 */
	unsigned min_version;         /* 12 or 13 */
	const char *ciphers;          /* of TLS 1.2, in OpenSSL's words; "": OpenSSL's own */
	/* Who has the keys: their files are then not read. NULL: nobody else, they are read. */
	tls_sign *sign;
	void *sign_arg;
	const char *client_ca;    /* who vouches for clients, PEM; NULL, "": they aren't asked */
	tls_on_notice *on_notice; /* while files are read; NULL: nobody wants to know */
	void *arg;
};

/*
 * Reads the files: call it before rights are dropped. 0 or negative errno, with
 * *err naming the file.
 */
int tls_server_new(const struct tls_server_options *options, struct tls_server **ret_server,
		   struct err *err);

/* Connections that use it may go on. NULL is fine. */
void tls_server_free(struct tls_server *server);

/*
 * Who hears of what happens later: an OCSP response has become stale, once for each.
 * NULL: nobody.
 */
void tls_server_notify(struct tls_server *server, tls_on_notice *on_notice, void *arg);

/* When the first of its certificates is no longer valid: seconds since 1970. */
uint64_t tls_server_expiry(const struct tls_server *server);

/* What connections begin with; of the server. */
struct ssl_ctx_st *tls_server_context(const struct tls_server *server);
