/* SPDX-License-Identifier: MIT */
/*
 * scram_client.h - SCRAM's other side (RFC 5802), made of OpenSSL alone, so that it shares
 * no mistake with what it talks to. Include cmocka.h before it.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/span.h"

struct scram_client {
	bool sha256;
	const char *gs2;   /* "n,,", or another */
	const char *nonce; /* ours */
	/* What the channel is bound to: behind gs2 in c=. */
	struct span binding;
	char bare[300];   /* client-first-message-bare */
	char proved[260]; /* what the server must say at the end */
};

/* user is as the wire has it. The whole message into ret. */
static inline size_t scram_client_first(struct scram_client *c, const char *user, char *ret,
					size_t size)
{
	if (c->gs2 == NULL)
		c->gs2 = "n,,";
	if (c->nonce == NULL)
		c->nonce = "rOprNGfwEbeRWgbNEkqO";
	(void)snprintf(c->bare, sizeof(c->bare), "n=%s,r=%s", user, c->nonce);
	return (size_t)snprintf(ret, size, "%s%s", c->gs2, c->bare);
}

static inline void scram_client_hmac(const struct scram_client *c, const unsigned char *key,
				     const char *text, unsigned char ret[32])
{
	assert_non_null(HMAC(c->sha256 ? EVP_sha256() : EVP_sha1(), key, c->sha256 ? 32 : 20,
			     (const unsigned char *)text, strlen(text), ret, NULL));
}

/* The salt and the iterations of a server's first message. */
static inline int scram_client_salt(const char *server_first, unsigned char ret_salt[128],
				    unsigned *ret_iterations)
{
	const char *const s = strstr(server_first, ",s=");
	char text[256];
	int n;

	assert_non_null(s);
	assert_int_equal(sscanf(s, ",s=%255[^,],i=%u", text, ret_iterations), 2);
	n = EVP_DecodeBlock(ret_salt, (unsigned char *)text, (int)strlen(text));
	assert_true(n > 0);
	for (size_t i = strlen(text); text[i - 1] == '='; i--)
		n--;
	return n;
}

/* The answer to the server's first message, into ret. */
static inline size_t scram_client_final(struct scram_client *c, const char *password,
					struct span challenge, char *ret, size_t size)
{
	const EVP_MD *const md = c->sha256 ? EVP_sha256() : EVP_sha1();
	const int n = c->sha256 ? 32 : 20;
	unsigned char salt[128], salted[32], key[32], stored[32], signature[32], text[256];
	char first[1200], header[512], all[4096];
	unsigned iterations;

	(void)snprintf(first, sizeof(first), "%.*s", (int)challenge.n, challenge.p);
	assert_memory_equal(first, "r=", 2);
	assert_memory_equal(first + 2, c->nonce, strlen(c->nonce));

	const int n_salt = scram_client_salt(first, salt, &iterations);
	int at = snprintf(header, sizeof(header), "%s", c->gs2);

	assert_true((size_t)at + c->binding.n < sizeof(header));
	if (c->binding.n > 0)
		memcpy(header + at, c->binding.p, c->binding.n);
	(void)EVP_EncodeBlock(text, (unsigned char *)header, at + (int)c->binding.n);
	at = snprintf(ret, size, "c=%s,%.*s", text, (int)strcspn(first, ","), first);
	(void)snprintf(all, sizeof(all), "%s,%s,%s", c->bare, first, ret);

	assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, n_salt,
					   (int)iterations, md, n, salted),
			 1);
	scram_client_hmac(c, salted, "Client Key", key);
	assert_int_equal(EVP_Digest(key, (size_t)n, stored, NULL, md, NULL), 1);
	scram_client_hmac(c, stored, all, signature);
	for (int i = 0; i < n; i++)
		key[i] ^= signature[i];
	(void)EVP_EncodeBlock(text, key, n);
	at += snprintf(ret + at, size - (size_t)at, ",p=%s", text);

	scram_client_hmac(c, salted, "Server Key", key);
	scram_client_hmac(c, key, all, signature);
	(void)EVP_EncodeBlock(text, signature, n);
	(void)snprintf(c->proved, sizeof(c->proved), "v=%s", text);
	return (size_t)at;
}
