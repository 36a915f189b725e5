/* SPDX-License-Identifier: MIT */
/*
 * tls_material.h - what a TLS server shows of itself: a certificate with its chain, the
 * key that belongs to it, and its authority's word that it isn't revoked.
 */
#pragma once

#include "base/err.h"
#include "net/tls_ocsp.h"

struct evp_pkey_st;
struct stack_st_X509;
struct x509_st;

/* Where they are. The strings are borrowed. */
struct tls_pair {
	const char *certificate; /* file, PEM: the certificate, then its chain */
	/* File, PEM; may be the same one. NULL: another process has the key (tls_remote.h). */
	const char *key;
};

/* Behind the certificate's file name: that of an OCSP response, in DER, if there is one. */
#define TLS_OCSP_SUFFIX ".ocsp"

/* What kind of signature a key makes: a server may have one certificate of each for a name. */
enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_EC, TLS_KEY_ED25519, TLS_KEY_KINDS };

struct tls_material {
	char *file;                  /* of the certificate, for messages. Owned */
	struct x509_st *leaf;        /* Owned */
	struct stack_st_X509 *chain; /* Owned; may be empty */
	struct evp_pkey_st *key;     /* Owned */
	enum tls_key_kind kind;
	struct tls_ocsp ocsp; /* empty: nothing to staple */
};

/* Something that is allowed and still worth a line in the log. */
typedef void tls_on_notice(void *arg, const char *text);

/*
 * Reads the files, and the OCSP response beside them, and makes sure that they belong
 * together. on_notice hears of a certificate that isn't valid now and of a response that
 * isn't: nothing is stapled then. 0 or negative errno, with *err naming the file.
 */
int tls_material_load(const struct tls_pair *pair, tls_on_notice *on_notice, void *arg,
		      struct tls_material *ret_material, struct err *err);

void tls_material_done(struct tls_material *m);
