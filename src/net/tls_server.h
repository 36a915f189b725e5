/* SPDX-License-Identifier: MIT */
/*
 * tls_server.h - the server's side of TLS: one SSL_CTX from a certificate and a
 * key, set as RFC 9325 asks: TLS 1.2 and 1.3 only, forward secret ciphers with
 * authenticated encryption, no compression, no renegotiation.
 */
#pragma once

#include "base/err.h"

struct ssl_ctx_st;

struct tls_server_options {
	const char *certificate; /* file, PEM: the certificate, then its chain */
	const char *key;         /* file, PEM; "": in the certificate's file */
	unsigned min_version;    /* 12 or 13 */
	const char *ciphers;     /* of TLS 1.2, in OpenSSL's words; "": OpenSSL's own */
};

/*
 * Reads the files: call it before rights are dropped. 0 or negative errno, with
 * *err naming the file.
 */
int tls_server_new(const struct tls_server_options *options, struct ssl_ctx_st **ret_ctx,
		   struct err *err);

/* Connections that use it may go on. NULL is fine. */
void tls_server_free(struct ssl_ctx_st *ctx);
