/* SPDX-License-Identifier: MIT */
/*
 * tls_ocsp.h - a response of a certificate's authority that says that it isn't revoked
 * (RFC 6960), kept in a file by whoever asks for it, and shown to clients in the
 * handshake (stapling: RFC 6066 section 8).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct stack_st_X509;
struct x509_st;

/* thisUpdate may be so much in our future: clocks differ. */
#define TLS_OCSP_SKEW_S 300

struct tls_ocsp {
	uint8_t *der; /* Owned; NULL: there is none */
	size_t n;
	int64_t from; /* thisUpdate and nextUpdate, in seconds since 1970 */
	int64_t until;
	bool revoked;
};

/*
 * Reads the response in file and holds it against leaf and its issuer, which is in
 * chain. *ret_ocsp is empty when there is no such file, and when the response is of no
 * use for this certificate, now or later: then *err says why, with -EINVAL. One that
 * will be valid only later is taken, and so is one that says "revoked".
 */
int tls_ocsp_load(const char *file, struct x509_st *leaf, struct stack_st_X509 *chain, int64_t now,
		  struct tls_ocsp *ret_ocsp, struct err *err);

void tls_ocsp_done(struct tls_ocsp *o);

static inline bool tls_ocsp_is_current(const struct tls_ocsp *o, int64_t now)
{
	return o->der != NULL && now + TLS_OCSP_SKEW_S >= o->from && now < o->until;
}

/* The certificate says that it is valid with a stapled response only (RFC 7633). */
bool tls_ocsp_is_required(const struct x509_st *leaf);
