/* SPDX-License-Identifier: MIT */
#include "net/tls_tickets.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/secret.h"
#include "net/tls_server_priv.h"

#define NAME_OCTETS 16 /* OpenSSL's */
#define IV_OCTETS 16

/* What one period's tickets are named, enciphered and authenticated with. */
struct keys {
	bool usable;
	uint8_t name[32]; /* NAME_OCTETS are used */
	uint8_t cipher[32];
	uint8_t mac[32];
};

struct tls_ticket_keys {
	struct tls_tickets chain;
	struct keys now;
	struct keys before;
	EVP_CIPHER *cipher; /* Owned: looking it up for each ticket takes long */
};

void tls_tickets_init(struct tls_tickets *t, uint64_t now_ms)
{
	t->period = now_ms / TLS_TICKETS_PERIOD_MS;
	rand_fill(t->secret, sizeof(t->secret));
}

/* HMAC-SHA256 as a one-way function with a name for each use. */
static bool derive(const struct tls_tickets *t, const char *use, uint8_t ret[32])
{
	unsigned n = 0;

	return HMAC(EVP_sha256(), t->secret, sizeof(t->secret), (const unsigned char *)use,
		    strlen(use), ret, &n) != NULL &&
	       n == 32;
}

static bool step(struct tls_tickets *t)
{
	uint8_t next[32];

	if (!derive(t, "restante ticket: next secret", next))
		return false;
	memcpy(t->secret, next, sizeof(next));
	secret_wipe(next, sizeof(next));
	t->period++;
	return true;
}

int tls_tickets_advance(struct tls_tickets *t, uint64_t now_ms)
{
	const uint64_t period = now_ms / TLS_TICKETS_PERIOD_MS;

	while (t->period < period) {
		if (!step(t))
			return -EIO;
	}
	return 0;
}

static bool derive_keys(struct tls_ticket_keys *k)
{
	k->now.usable = derive(&k->chain, "restante ticket: name", k->now.name) &&
			derive(&k->chain, "restante ticket: cipher", k->now.cipher) &&
			derive(&k->chain, "restante ticket: mac", k->now.mac);
	return k->now.usable;
}

int tls_ticket_keys_advance(struct tls_ticket_keys *k, uint64_t now_ms)
{
	const uint64_t period = now_ms / TLS_TICKETS_PERIOD_MS;

	while (k->chain.period < period || !k->now.usable) {
		if (k->now.usable) {
			secret_wipe(&k->before, sizeof(k->before));
			k->before = k->now;
			secret_wipe(&k->now, sizeof(k->now));
			if (!step(&k->chain))
				return -EIO;
		}
		if (!derive_keys(k))
			return -EIO;
	}
	return 0;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct keys *keys)
{
	char digest[] = "SHA256";
	uint8_t key[sizeof(keys->mac)];
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof(key)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool set;

	memcpy(key, keys->mac, sizeof(key));
	set = EVP_MAC_CTX_set_params(mac, params) == 1;
	secret_wipe(key, sizeof(key));
	return set;
}

static int seal(struct tls_ticket_keys *k, unsigned char *name, unsigned char *iv,
		EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	if (RAND_bytes(iv, IV_OCTETS) != 1)
		return -1;
	memcpy(name, k->now.name, NAME_OCTETS);
	return EVP_EncryptInit_ex2(cipher, k->cipher, k->now.cipher, iv, NULL) == 1 &&
			       set_mac(mac, &k->now)
		       ? 1
		       : -1;
}

/*
 * 0: not one of ours, or too old, so there is a full handshake. 1: good. 2: good, and
 * to be replaced, which in TLS 1.3 each one is, for a client uses none twice.
 */
static int unseal(struct tls_ticket_keys *k, bool once, const unsigned char *name,
		  const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct keys *keys;

	if (memcmp(name, k->now.name, NAME_OCTETS) == 0)
		keys = &k->now;
	else if (k->before.usable && memcmp(name, k->before.name, NAME_OCTETS) == 0)
		keys = &k->before;
	else
		return 0;
	if (EVP_DecryptInit_ex2(cipher, k->cipher, keys->cipher, iv, NULL) != 1 ||
	    !set_mac(mac, keys))
		return -1;
	return keys == &k->now && !once ? 1 : 2;
}

/* OpenSSL asks for this once for each ticket; what it does with the answer is RFC 5077's. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int sealing)
{
	struct tls_ticket_keys *const k = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (tls_ticket_keys_advance(k, clock_mono_ms()) < 0)
		return -1;
	return sealing ? seal(k, name, iv, cipher, mac)
		       : unseal(k, SSL_version(ssl) >= TLS1_3_VERSION, name, iv, cipher, mac);
}

int tls_tickets_use(struct tls_server *server, struct tls_tickets *t,
		    struct tls_ticket_keys **ret_keys)
{
	struct tls_ticket_keys *const k = calloc(1, sizeof(*k));

	if (k == NULL)
		return -ENOMEM;
	k->chain = *t;
	secret_wipe(t, sizeof(*t));
	k->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (k->cipher == NULL || tls_ticket_keys_advance(k, clock_mono_ms()) < 0) {
		tls_ticket_keys_free(k);
		return -EIO;
	}
	for (size_t i = 0; i < server->n_identities; i++) {
		SSL_CTX *const ctx = server->identities[i].ctx;

		SSL_CTX_set_app_data(ctx, k);
		(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
		/* What a ticket says of its life: longer, and its key is gone. */
		(void)SSL_CTX_set_timeout(ctx, TLS_TICKETS_PERIOD_MS / 1000);
	}
	*ret_keys = k;
	return 0;
}

void tls_ticket_keys_free(struct tls_ticket_keys *k)
{
	if (k == NULL)
		return;
	EVP_CIPHER_free(k->cipher);
	secret_wipe(k, sizeof(*k));
	free(k);
}
