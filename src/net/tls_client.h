/* SPDX-License-Identifier: MIT */
/*
 * tls_client.h - the client's side of TLS: one SSL_CTX that says whom to trust, set as
 * RFC 9325 asks: TLS 1.2 and 1.3 only, no compression, no renegotiation. It serves
 * any number of connections, in several threads.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct ssl_ctx_st;

enum tls_client_trust {
	/* A chain to an authority that is trusted, the host's name, and the dates. */
	TLS_CLIENT_VERIFY,
	/* Whoever answers is believed, and may be anybody. The user has asked for it. */
	TLS_CLIENT_ACCEPT_ANY_CERTIFICATE_EVEN_AN_ATTACKERS,
};

/* Zeroed, it is the safe choice in everything. */
struct tls_client_options {
	enum tls_client_trust trust;
	const char *cafile;   /* PEM: trust these alone; NULL or "": the system's store */
	unsigned min_version; /* 12 or 13; 0 is 12 */
	bool alpn_pop3; /* say "pop3" (RFC 7301), for servers with several protocols on a port */
};

/*
 * Reads the trusted certificates. 0 or negative errno, with *err naming the file.
 * -ENOENT when neither cafile nor the system's store has one.
 */
int tls_client_new(const struct tls_client_options *options, struct ssl_ctx_st **ret_ctx,
		   struct err *err);

/* Connections that use it may go on. NULL is fine. */
void tls_client_free(struct ssl_ctx_st *ctx);
