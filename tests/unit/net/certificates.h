/* SPDX-License-Identifier: MIT */
/*
 * certificates.h - certificates for tests, made as they are needed: good ones, and
 * each kind of bad one.
 */
#pragma once

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct certificate {
	X509 *x509;    /* Owned */
	EVP_PKEY *key; /* Owned */
};

struct certificate_wish {
	const char *name;                 /* common name */
	const char *alternative;          /* "DNS:pop.example.org,IP:127.0.0.1"; NULL: none */
	const struct certificate *issuer; /* NULL: it signs itself */
	const char *constraints;          /* "CA:TRUE"; NULL: none */
	long from_s;                      /* seconds from now */
	long until_s;
};

static inline void certificate_add(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *const extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static inline struct certificate certificate_make(const struct certificate_wish *wish)
{
	static long serial;
	struct certificate c = {.x509 = X509_new(), .key = EVP_EC_gen("P-256")};

	assert(c.x509 != NULL && c.key != NULL);

	const struct certificate *const issuer = wish->issuer != NULL ? wish->issuer : &c;
	X509_NAME *const name = X509_get_subject_name(c.x509);

	X509_set_version(c.x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), wish->from_s);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), wish->until_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)wish->name, -1,
				   -1, 0);
	X509_set_issuer_name(c.x509, X509_get_subject_name(issuer->x509));
	X509_set_pubkey(c.x509, c.key);
	if (wish->alternative != NULL)
		certificate_add(c.x509, NID_subject_alt_name, wish->alternative);
	if (wish->constraints != NULL)
		certificate_add(c.x509, NID_basic_constraints, wish->constraints);
	assert(X509_sign(c.x509, issuer->key, EVP_sha256()) > 0);
	return c;
}

static inline void certificate_done(struct certificate *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
}

static inline void certificate_write(const struct certificate *c, const char *path)
{
	FILE *const f = fopen(path, "w");

	assert(f != NULL && PEM_write_X509(f, c->x509) == 1);
	assert(fclose(f) == 0);
}

/* What a server wants: its certificate and its key in one file, made for this name. */
static inline void certificate_write_server(const char *path, const char *name)
{
	struct certificate c = certificate_make(
		&(struct certificate_wish){.name = name, .from_s = -3600, .until_s = 86400});
	FILE *const f = fopen(path, "w");

	assert(f != NULL && PEM_write_X509(f, c.x509) == 1);
	assert(PEM_write_PrivateKey(f, c.key, NULL, NULL, 0, NULL, NULL) == 1);
	assert(fclose(f) == 0);
	certificate_done(&c);
}
