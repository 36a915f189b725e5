/* SPDX-License-Identifier: MIT */
#include "net/tls_keys.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct one {
	EVP_PKEY *key; /* Owned */
	uint8_t id[TLS_KEY_ID_OCTETS];
};

struct tls_keys {
	size_t n;
	struct one keys[];
};

/* What is to be said of certificates, the master's check has said. */
static void ignore_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static int load(const struct tls_pair *pair, struct one *ret, struct err *err)
{
	struct tls_material m;
	const int r = tls_material_load(pair, ignore_notice, NULL, &m, err);

	if (r < 0)
		return r;
	ret->key = m.key;
	m.key = NULL;
	tls_material_done(&m);
	return tls_key_id(ret->key, ret->id) ? 0 : err_sys(err, ENOMEM, "cannot keep a key");
}

int tls_keys_load(const struct tls_pair *pairs, size_t n, struct tls_keys **ret_keys,
		  struct err *err)
{
	struct tls_keys *const k = calloc(1, sizeof(*k) + n * sizeof(k->keys[0]));
	int r = k != NULL ? 0 : err_sys(err, ENOMEM, "cannot keep keys");

	for (size_t i = 0; r == 0 && i < n; i++) {
		k->n = i + 1;
		r = load(&pairs[i], &k->keys[i], err);
	}
	if (r < 0)
		tls_keys_free(k);
	else
		*ret_keys = k;
	return r;
}

void tls_keys_free(struct tls_keys *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++)
		EVP_PKEY_free(k->keys[i].key);
	free(k);
}

EVP_PKEY *tls_keys_find(const struct tls_keys *k, const uint8_t id[TLS_KEY_ID_OCTETS])
{
	for (size_t i = 0; i < k->n; i++) {
		if (memcmp(k->keys[i].id, id, TLS_KEY_ID_OCTETS) == 0)
			return k->keys[i].key;
	}
	return NULL;
}
