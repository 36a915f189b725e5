/* SPDX-License-Identifier: MIT */
/*
 * cache.h - passwords that were verified a while ago, so that a poll every minute
 * costs no Argon2. It keeps neither passwords nor anything that could be tried
 * against a list of them elsewhere: only HMAC-SHA256 under a random key of this
 * process, over the user, the stored hash and the password. A user whose stored
 * hash changes is therefore not in it any more.
 *
 * One thread. Times are clock_mono_ms().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Entries at most; the oldest of four neighbours makes room. 2.6 MB when full. */
#define AUTH_CACHE_ENTRIES 65536

struct auth_cache;

/* One (user, stored hash, password), as the cache knows it. Not secret. */
struct auth_cache_key {
	uint8_t tag[32];
};

/* NULL when there is no memory. */
struct auth_cache *auth_cache_new(void);
void auth_cache_free(struct auth_cache *c);

/* False when OpenSSL can't; *ret_key is then not to be used. */
bool auth_cache_key(struct auth_cache *c, const char *user, const char *stored,
		    const char *password, struct auth_cache_key *ret_key);

bool auth_cache_has(const struct auth_cache *c, const struct auth_cache_key *key, uint64_t now_ms);

/* Remembers it until then. */
void auth_cache_put(struct auth_cache *c, const struct auth_cache_key *key, uint64_t now_ms,
		    uint64_t until_ms);

/* Forgets all. */
void auth_cache_clear(struct auth_cache *c);
