/* SPDX-License-Identifier: MIT */
/*
 * scram.h - what SCRAM (RFC 5802, RFC 7677) is made of besides the exchange: the
 * keys that a server keeps instead of a password, and the client's first message.
 *
 * Keys are written as Dovecot writes them behind {SCRAM-SHA-256}:
 *
 *	iterations,salt,StoredKey,ServerKey		the last three in base64
 *
 * Whoever steals StoredKey can try passwords against it, and ServerKey plays the
 * server to that user: they are as secret as any hash. Everything may be called from
 * several threads at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"

enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256, SCRAM_HASHES };

#define SCRAM_SALT_MAX 64
#define SCRAM_KEY_MAX 32

/* Keys as text, with NUL: a salt of SCRAM_SALT_MAX octets fits. */
#define SCRAM_TEXT_MAX 256

/* RFC 7677 section 4 asks for 4096 at least. It is the client that pays at each login. */
#define SCRAM_ITERATIONS 32768U
#define SCRAM_ITERATIONS_MAX 10000000U

/* What we make: as long as the salts of everybody else. */
#define SCRAM_SALT 16

struct scram_keys {
	uint32_t iterations;
	size_t n_salt;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored[SCRAM_KEY_MAX]; /* StoredKey: scram_octets() of it */
	uint8_t server[SCRAM_KEY_MAX]; /* ServerKey */
};

/* "SCRAM-SHA-256", and the word that stands before its keys in a file of users. */
const char *scram_name(enum scram_hash hash);
const char *scram_word(enum scram_hash hash);

/* Of a key: 20 or 32. */
size_t scram_octets(enum scram_hash hash);

/* False when text is not what scram_keys_put() writes; *ret_keys is then undefined. */
bool scram_keys_parse(enum scram_hash hash, struct span text, struct scram_keys *ret_keys);

/* False when there is no room. */
bool scram_keys_put(struct out *out, enum scram_hash hash, const struct scram_keys *keys);

/*
 * Makes both keys of a password (prepared by SASLprep) with the iterations and the salt
 * that are there. Slow on purpose: call it from the pool. False when OpenSSL can't.
 */
bool scram_keys_derive(enum scram_hash hash, const char *password, struct scram_keys *keys);

/* The same with our iterations and a fresh salt. */
bool scram_keys_make(enum scram_hash hash, const char *password, struct scram_keys *ret_keys);

/* ---- salts for who has none ---- */

#define SCRAM_SALT_KEY 32

/*
 * What salts are made up by: HMAC-SHA-256 under the machine's id (machine-id(5)), which is
 * no stranger's to know, so that a restart changes none of them: users' salts don't change
 * either. Random where there is no such id. Reads a small file. False when OpenSSL can't.
 */
bool scram_salt_key(const char *hostname, uint8_t ret_key[SCRAM_SALT_KEY]);

/*
 * Fills keys->salt, of keys->n_salt octets (32 at most), always the same for a name of up
 * to LIMIT_USER octets. False when OpenSSL can't.
 */
bool scram_salt_make_up(const uint8_t key[SCRAM_SALT_KEY], enum scram_hash hash, struct span name,
			struct scram_keys *keys);

/* ---- the client's first message ---- */

/* Longer than a name, another one and a nonce have a reason to be. */
#define SCRAM_FIRST_MAX 2048

struct scram_first {
	/*
	 * 'n': the client can't bind to the channel; 'y': it could, but thinks that the
	 * server can't; 'p': it does, with the binding of this name.
	 */
	char flag;
	struct span binding; /* borrowed from the message; empty but for 'p' */
	char user[LIMIT_USER + 1];
	char other[LIMIT_USER + 1]; /* the identity to act as, or "" */
};

/*
 * Reads flag and names; what comes behind them is the mechanism's. False when it is
 * malformed, or has an extension that must be understood (RFC 5802 section 5.1: m=).
 */
bool scram_first_parse(struct span message, struct scram_first *ret_first);
