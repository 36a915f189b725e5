/* SPDX-License-Identifier: MIT */
#include "auth/cache.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/secret.h"

/*
 * A tag is as good as random, so its first octets choose a set, and the set's
 * four entries are all that is looked at: no list, no pointers, no growth.
 */
enum { WAYS = 4, SETS = AUTH_CACHE_ENTRIES / WAYS };

struct entry {
	struct auth_cache_key key;
	uint64_t until_ms; /* 0: free */
};

struct auth_cache {
	EVP_MAC_CTX *mac; /* Owned: with the key in it */
	struct entry entries[SETS][WAYS];
};

static EVP_MAC_CTX *new_mac(void)
{
	uint8_t key[32];
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac);
	rand_fill(key, sizeof(key));
	if (ctx != NULL && EVP_MAC_init(ctx, key, sizeof(key), params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	secret_wipe(key, sizeof(key));
	return ctx;
}

struct auth_cache *auth_cache_new(void)
{
	/* Pages of it that are never used are never there. */
	struct auth_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->mac = new_mac();
	if (c->mac == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void auth_cache_free(struct auth_cache *c)
{
	if (c == NULL)
		return;
	EVP_MAC_CTX_free(c->mac);
	free(c);
}

/* The NUL behind each part is hashed too, so that no two triples are the same octets. */
static bool update(EVP_MAC_CTX *ctx, const char *s)
{
	return EVP_MAC_update(ctx, (const unsigned char *)s, strlen(s) + 1) == 1;
}

bool auth_cache_key(struct auth_cache *c, const char *user, const char *stored,
		    const char *password, struct auth_cache_key *ret_key)
{
	size_t n;

	return EVP_MAC_init(c->mac, NULL, 0, NULL) == 1 && update(c->mac, user) &&
	       update(c->mac, stored) && update(c->mac, password) &&
	       EVP_MAC_final(c->mac, ret_key->tag, &n, sizeof(ret_key->tag)) == 1 &&
	       n == sizeof(ret_key->tag);
}

static size_t set_of(const struct auth_cache_key *key)
{
	return ((size_t)key->tag[0] << 8 | key->tag[1]) % SETS;
}

bool auth_cache_has(const struct auth_cache *c, const struct auth_cache_key *key, uint64_t now_ms)
{
	const struct entry *set = c->entries[set_of(key)];
	bool has = false;

	for (size_t i = 0; i < WAYS; i++) {
		if (secret_equal(set[i].key.tag, key->tag, sizeof(key->tag)))
			has = set[i].until_ms > now_ms;
	}
	return has;
}

void auth_cache_put(struct auth_cache *c, const struct auth_cache_key *key, uint64_t now_ms,
		    uint64_t until_ms)
{
	struct entry *set = c->entries[set_of(key)];
	struct entry *to = &set[0];

	if (until_ms <= now_ms)
		return;
	/* Its own place if it has one, else the one that ends first: free ones ended at 0. */
	for (size_t i = 0; i < WAYS; i++) {
		if (secret_equal(set[i].key.tag, key->tag, sizeof(key->tag))) {
			to = &set[i];
			break;
		}
		if (set[i].until_ms < to->until_ms)
			to = &set[i];
	}
	*to = (struct entry){.key = *key, .until_ms = until_ms};
}

void auth_cache_clear(struct auth_cache *c)
{
	memset(c->entries, 0, sizeof(c->entries));
}
