/* SPDX-License-Identifier: MIT */
#include "net/tls_signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define RANDOMS_OCTETS 64
#define NAMED_CURVE 3

struct scheme {
	uint32_t scheme;
	const char *key;
	const char *digest; /* NULL: the signature has its own */
	bool pss;
	bool in_tls13;
};

static const struct scheme schemes[] = {
	{TLS_ECDSA_SHA256, "EC", "SHA256", false, true},
	{TLS_ECDSA_SHA384, "EC", "SHA384", false, true},
	{TLS_ECDSA_SHA512, "EC", "SHA512", false, true},
	{TLS_RSA_PSS_SHA256, "RSA", "SHA256", true, true},
	{TLS_RSA_PSS_SHA384, "RSA", "SHA384", true, true},
	{TLS_RSA_PSS_SHA512, "RSA", "SHA512", true, true},
	{TLS_ED25519, "ED25519", NULL, false, true},
	{TLS_RSA_PKCS1_SHA256, "RSA", "SHA256", false, false},
	{TLS_RSA_PKCS1_SHA384, "RSA", "SHA384", false, false},
	{TLS_RSA_PKCS1_SHA512, "RSA", "SHA512", false, false},
};

/* The groups that tls_server.c offers, and how long a point of each is on the wire. */
static const struct {
	uint8_t number[2];
	uint8_t octets;
} groups[] = {
	{{0x00, 0x1d}, 32}, /* X25519 */
	{{0x00, 0x17}, 65}, /* P-256 */
	{{0x00, 0x18}, 97}, /* P-384 */
};

static const struct scheme *find(uint32_t scheme)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (schemes[i].scheme == scheme)
			return &schemes[i];
	}
	return NULL;
}

bool tls_key_id(EVP_PKEY *key, uint8_t ret_id[TLS_KEY_ID_OCTETS])
{
	unsigned char *der = NULL;
	const int n = i2d_PUBKEY(key, &der);
	const bool ok = n > 0 && EVP_Digest(der, (size_t)n, ret_id, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return ok;
}

/* RFC 8446 section 4.4.3: spaces, who signs what, and a hash of the handshake so far. */
static bool is_tls13(const uint8_t *octets, size_t n)
{
	static const char text[] =
		"                                                                "
		"TLS 1.3, server CertificateVerify"; /* its NUL belongs to it */

	return (n == sizeof(text) + 32 || n == sizeof(text) + 48) &&
	       memcmp(octets, text, sizeof(text)) == 0;
}

/* RFC 8422 section 5.4: both randoms, and the server's half of the key exchange. */
static bool is_tls12(const uint8_t *octets, size_t n)
{
	const uint8_t *const p = octets + RANDOMS_OCTETS;

	if (n < RANDOMS_OCTETS + 4 || p[0] != NAMED_CURVE)
		return false;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (memcmp(p + 1, groups[i].number, 2) == 0)
			return p[3] == groups[i].octets &&
			       n == RANDOMS_OCTETS + 4U + groups[i].octets;
	}
	return false;
}

bool tls_signing_is_plausible(unsigned min_version, const struct tls_signing *what)
{
	const struct scheme *const s = find(what->scheme);

	if (s == NULL)
		return false;
	return (s->in_tls13 && is_tls13(what->octets, what->n)) ||
	       (min_version < 13 && is_tls12(what->octets, what->n));
}

static bool set_padding(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

size_t tls_signature_make(EVP_PKEY *key, const struct tls_signing *what, uint8_t *ret_signature)
{
	const struct scheme *const s = find(what->scheme);
	size_t made = TLS_SIGNATURE_OCTETS_MAX;
	EVP_PKEY_CTX *ctx;
	EVP_MD_CTX *md;
	bool ok;

	if (s == NULL || !EVP_PKEY_is_a(key, s->key) ||
	    EVP_PKEY_get_size(key) > TLS_SIGNATURE_OCTETS_MAX)
		return 0;
	md = EVP_MD_CTX_new();
	ok = md != NULL && EVP_DigestSignInit_ex(md, &ctx, s->digest, NULL, NULL, key, NULL) == 1 &&
	     (!s->pss || set_padding(ctx)) &&
	     EVP_DigestSign(md, ret_signature, &made, what->octets, what->n) == 1;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return ok ? made : 0;
}
