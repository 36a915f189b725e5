/* SPDX-License-Identifier: MIT */
/*
 * tls_signature.h - what the server signs in a handshake, and with what: in common to the
 * process that has the keys (tls_keys.h) and those that haven't (tls_remote.h).
 *
 * The octets are those of RFC 8446 section 4.4.3 or RFC 8422 section 5.4, before they are
 * hashed: so whoever signs can see what it is, and signs nothing else. A certificate
 * request, a token or a mail doesn't look like that, and a hash would have told nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evp_pkey_st;

/* RFC 8446 section 4.2.3. In TLS 1.2, ECDSA's hash goes with any curve. */
enum tls_scheme {
	TLS_RSA_PKCS1_SHA256 = 0x0401,
	TLS_RSA_PKCS1_SHA384 = 0x0501,
	TLS_RSA_PKCS1_SHA512 = 0x0601,
	TLS_ECDSA_SHA256 = 0x0403,
	TLS_ECDSA_SHA384 = 0x0503,
	TLS_ECDSA_SHA512 = 0x0603,
	TLS_RSA_PSS_SHA256 = 0x0804,
	TLS_RSA_PSS_SHA384 = 0x0805,
	TLS_RSA_PSS_SHA512 = 0x0806,
	TLS_ED25519 = 0x0807,
};

/* The longest of them: two randoms, and a point of P-384 with what stands before it. */
#define TLS_SIGNED_OCTETS_MAX 165

/* Of an RSA key of 8192 bits. */
#define TLS_SIGNATURE_OCTETS_MAX 1024

/* Which key, without its number: SHA-256 of its public half (SubjectPublicKeyInfo, DER). */
#define TLS_KEY_ID_OCTETS 32
bool tls_key_id(struct evp_pkey_st *key, uint8_t ret_id[TLS_KEY_ID_OCTETS]);

/* What is to be signed. All of it is borrowed. */
struct tls_signing {
	const uint8_t *key_id; /* TLS_KEY_ID_OCTETS */
	uint32_t scheme;       /* enum tls_scheme, unless somebody made it up */
	const uint8_t *octets;
	size_t n;
};

/* True when a server of these TLS versions (12 or 13 and up) signs such octets in this way. */
bool tls_signing_is_plausible(unsigned min_version, const struct tls_signing *what);

/*
 * Signs them with a key of this process. Octets, or 0: the key is of another kind than the
 * scheme, or the library can't. ret_signature has room for TLS_SIGNATURE_OCTETS_MAX.
 */
size_t tls_signature_make(struct evp_pkey_st *key, const struct tls_signing *what,
			  uint8_t *ret_signature);
