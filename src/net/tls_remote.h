/* SPDX-License-Identifier: MIT */
/*
 * tls_remote.h - keys whose private half is in another process: for OpenSSL a provider
 * (provider(7)) with keys that have a public half and sign by asking.
 *
 *	conn_handshake() ──► OpenSSL ──► tls_remote ──► sign(), which comes back with a signature
 */
#pragma once

#include "base/err.h"
#include "net/tls_signature.h"

struct evp_pkey_st;

/*
 * Asks whoever has the key, and waits for the answer; called within conn_handshake().
 * Octets of the signature, or 0: then the handshake fails. ret_signature has room for
 * TLS_SIGNATURE_OCTETS_MAX.
 */
typedef size_t tls_sign(void *arg, const struct tls_signing *what, uint8_t *ret_signature);

/* Who is asked, by all keys of this process. Before the first of them. */
void tls_remote_init(tls_sign *sign, void *arg);

/*
 * A key with the public half of another one, which OpenSSL takes for a private one; "Owned"
 * by the caller. 0, or -EIO with *err saying what the library couldn't do.
 */
int tls_remote_key(struct evp_pkey_st *public_key, struct evp_pkey_st **ret_key, struct err *err);
