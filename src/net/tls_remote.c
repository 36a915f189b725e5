/* SPDX-License-Identifier: MIT */
#include "net/tls_remote.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME "restante"
#define OURS "provider=" NAME
#define NOT_OURS "provider!=" NAME

/* Whom this process asks: OpenSSL gives what it has been told at the start to nobody. */
static struct {
	tls_sign *sign;
	void *arg;
} signer;

/* A function pointer of whatever type, as a dispatch table wants it. */
#define FUNCTION(id, f)                   \
	{                                 \
		(id), (void (*)(void))(f) \
	}

/* ---- keys ---- */

struct key {
	const char *type;
	EVP_PKEY *public_key; /* of another provider. Owned; NULL until it is imported */
	uint8_t id[TLS_KEY_ID_OCTETS];
};

static void *key_new(const char *type)
{
	struct key *const k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->type = type;
	return k;
}

static void *key_new_rsa(void *provider)
{
	(void)provider;
	return key_new("RSA");
}

static void *key_new_ec(void *provider)
{
	(void)provider;
	return key_new("EC");
}

static void *key_new_ed25519(void *provider)
{
	(void)provider;
	return key_new("ED25519");
}

static void key_free(void *data)
{
	struct key *const k = data;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public_key);
	free(k);
}

/* Who signs by asking has the private half, as far as anybody needs to know. */
static int key_has(const void *data, int selection)
{
	const struct key *const k = data;

	(void)selection;
	return k != NULL && k->public_key != NULL;
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct key *const one = a;
	const struct key *const other = b;

	(void)selection;
	return one->public_key != NULL && other->public_key != NULL &&
	       EVP_PKEY_eq(one->public_key, other->public_key) == 1;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct key *const k = data;
	EVP_PKEY_CTX *const ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, NOT_OURS);
	int ok;

	(void)selection;
	ok = ctx != NULL && k->public_key == NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	     EVP_PKEY_fromdata(ctx, &k->public_key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) ==
		     1 &&
	     tls_key_id(k->public_key, k->id);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static int key_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg)
{
	const struct key *const k = data;
	OSSL_PARAM *params;
	int r;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    EVP_PKEY_todata(k->public_key, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	r = callback(params, arg);
	OSSL_PARAM_free(params);
	return r;
}

/* What may be in a public half of any of the three kinds. */
static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)selection;
	return types;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
	const struct key *const k = data;

	return EVP_PKEY_get_params(k->public_key, params);
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return gettable;
}

static const char *key_operation_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define KEY_FUNCTIONS(new_key)                                                                \
	FUNCTION(OSSL_FUNC_KEYMGMT_NEW, new_key), FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free), \
		FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has),                                     \
		FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),                                 \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                               \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                          \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                               \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                          \
		FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                       \
		FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable)

static const OSSL_DISPATCH rsa_keys[] = {KEY_FUNCTIONS(key_new_rsa), {0, NULL}};
static const OSSL_DISPATCH ed25519_keys[] = {KEY_FUNCTIONS(key_new_ed25519), {0, NULL}};
static const OSSL_DISPATCH ec_keys[] = {
	KEY_FUNCTIONS(key_new_ec),
	FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation_ec),
	{0, NULL},
};

/* ---- signatures ---- */

struct signature {
	EVP_PKEY *public_key; /* Owned */
	uint8_t key_id[TLS_KEY_ID_OCTETS];
	unsigned bits; /* of the digest: 256, 384, 512; 0 without one */
	int padding;
	bool salted; /* as long a salt as the digest: the only one in TLS */
};

static void *signature_new(void *provider, const char *properties)
{
	struct signature *const s = calloc(1, sizeof(*s));

	(void)provider;
	(void)properties;
	if (s != NULL)
		s->padding = RSA_PKCS1_PADDING;
	return s;
}

static void signature_free(void *data)
{
	struct signature *const s = data;

	if (s == NULL)
		return;
	EVP_PKEY_free(s->public_key);
	free(s);
}

static void *signature_dup(void *data)
{
	const struct signature *const s = data;
	struct signature *const copy = malloc(sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *s;
	if (copy->public_key != NULL)
		(void)EVP_PKEY_up_ref(copy->public_key);
	return copy;
}

static int set_padding(struct signature *s, const OSSL_PARAM *p)
{
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		s->padding = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0
				     ? RSA_PKCS1_PSS_PADDING
				     : RSA_PKCS1_PADDING;
	else if (OSSL_PARAM_get_int(p, &s->padding) != 1)
		return 0;
	return s->padding == RSA_PKCS1_PADDING || s->padding == RSA_PKCS1_PSS_PADDING;
}

static int set_salt(struct signature *s, const OSSL_PARAM *p)
{
	int n;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		s->salted = strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	else
		s->salted = OSSL_PARAM_get_int(p, &n) == 1 && n == RSA_PSS_SALTLEN_DIGEST;
	return s->salted;
}

static int signature_set_params(void *data, const OSSL_PARAM params[])
{
	struct signature *const s = data;
	const OSSL_PARAM *const padding = OSSL_PARAM_locate_const(params,
								  OSSL_SIGNATURE_PARAM_PAD_MODE);
	const OSSL_PARAM *const salt = OSSL_PARAM_locate_const(params,
							       OSSL_SIGNATURE_PARAM_PSS_SALTLEN);

	return (padding == NULL || set_padding(s, padding)) && (salt == NULL || set_salt(s, salt));
}

static const OSSL_PARAM *signature_settable(void *data, void *provider)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)data;
	(void)provider;
	return settable;
}

/* By OpenSSL's names. */
static bool find_bits(const char *digest, unsigned *ret_bits)
{
	static const struct {
		const char *name;
		unsigned bits;
	} digests[] = {
		{"", 0},           {"SHA256", 256},   {"SHA384", 384},   {"SHA512", 512},
		{"SHA2-256", 256}, {"SHA2-384", 384}, {"SHA2-512", 512},
	};

	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		if (strcasecmp(digest != NULL ? digest : "", digests[i].name) == 0) {
			*ret_bits = digests[i].bits;
			return true;
		}
	}
	return false;
}

static int signature_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signature *const s = data;
	const struct key *const k = key;

	if (k != NULL) {
		(void)EVP_PKEY_up_ref(k->public_key);
		EVP_PKEY_free(s->public_key);
		s->public_key = k->public_key;
		memcpy(s->key_id, k->id, sizeof(s->key_id));
	}
	return s->public_key != NULL && find_bits(digest, &s->bits) &&
	       (params == NULL || signature_set_params(s, params));
}

/* 0 for what TLS doesn't do. */
static uint32_t scheme_of(const struct signature *s)
{
	/* Of SHA-256, SHA-384, SHA-512: 4, 5 and 6 in TLS 1.2's numbers. */
	const uint32_t hash = s->bits / 128 + 2;

	if (EVP_PKEY_is_a(s->public_key, "ED25519"))
		return s->bits == 0 ? TLS_ED25519 : 0;
	if (s->bits == 0)
		return 0;
	if (EVP_PKEY_is_a(s->public_key, "EC"))
		return s->bits == 256   ? TLS_ECDSA_SHA256
		       : s->bits == 384 ? TLS_ECDSA_SHA384
					: TLS_ECDSA_SHA512;
	if (s->padding == RSA_PKCS1_PADDING)
		return hash << 8 | 1;
	return s->salted ? 0x0800 | hash : 0;
}

static int signature_make(void *data, unsigned char *signature, size_t *n, size_t cap,
			  const unsigned char *octets, size_t n_octets)
{
	const struct signature *const s = data;
	const struct tls_signing what = {
		.key_id = s->key_id,
		.scheme = scheme_of(s),
		.octets = octets,
		.n = n_octets,
	};
	uint8_t made[TLS_SIGNATURE_OCTETS_MAX];

	if (signature == NULL) {
		*n = (size_t)EVP_PKEY_get_size(s->public_key);
		return 1;
	}
	if (what.scheme == 0 || n_octets > TLS_SIGNED_OCTETS_MAX)
		return 0;

	const size_t n_made = signer.sign(signer.arg, &what, made);

	if (n_made == 0 || n_made > cap)
		return 0;
	memcpy(signature, made, n_made);
	*n = n_made;
	return 1;
}

static const OSSL_DISPATCH signatures[] = {
	FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
	FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
	FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, signature_dup),
	FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set_params),
	FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_init),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_make),
	{0, NULL},
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *ret_no_cache)
{
	/* OpenSSL's own names, for it is these kinds of keys. */
	static const OSSL_ALGORITHM keys[] = {
		{"RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, rsa_keys, NULL},
		{"EC:id-ecPublicKey:1.2.840.10045.2.1", OURS, ec_keys, NULL},
		{"ED25519:1.3.101.112", OURS, ed25519_keys, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const OSSL_ALGORITHM algorithms[] = {
		{"RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, signatures, NULL},
		{"ECDSA", OURS, signatures, NULL},
		{"ED25519:1.3.101.112", OURS, signatures, NULL},
		{NULL, NULL, NULL, NULL},
	};

	(void)provider;
	*ret_no_cache = 0;
	return operation == OSSL_OP_KEYMGMT     ? keys
	       : operation == OSSL_OP_SIGNATURE ? algorithms
						: NULL;
}

static int init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
		const OSSL_DISPATCH **ret_out, void **ret_provider)
{
	static const OSSL_DISPATCH out[] = {
		FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		{0, NULL},
	};

	(void)in;
	*ret_out = out;
	/* Any pointer but NULL. */
	*ret_provider = (void *)core;
	return 1;
}

static OSSL_PROVIDER *theirs;
static OSSL_PROVIDER *ours;

/* OpenSSL, which ends after this, frees nothing that is still loaded. */
static void unload_providers(void)
{
	(void)OSSL_PROVIDER_unload(ours);
	(void)OSSL_PROVIDER_unload(theirs);
}

/*
 * Once in a process. Loading one provider by hand ends that the default one is there by
 * itself; and everybody who asks for RSA without saying whose is to get another one's.
 */
static bool load_provider(void)
{
	static bool loaded;

	loaded = loaded || (OSSL_PROVIDER_add_builtin(NULL, NAME, init) == 1 &&
			    (theirs = OSSL_PROVIDER_load(NULL, "default")) != NULL &&
			    (ours = OSSL_PROVIDER_load(NULL, NAME)) != NULL &&
			    EVP_set_default_properties(NULL, "?" NOT_OURS) == 1 &&
			    atexit(unload_providers) == 0);
	return loaded;
}

void tls_remote_init(tls_sign *sign, void *arg)
{
	signer.sign = sign;
	signer.arg = arg;
}

int tls_remote_key(EVP_PKEY *public_key, EVP_PKEY **ret_key, struct err *err)
{
	const char *const type = EVP_PKEY_get0_type_name(public_key);
	EVP_PKEY_CTX *ctx = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	bool ok;

	assert(signer.sign != NULL);
	ok = load_provider() && (ctx = EVP_PKEY_CTX_new_from_name(NULL, type, OURS)) != NULL &&
	     EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &params) == 1 &&
	     EVP_PKEY_fromdata_init(ctx) == 1 &&
	     EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	if (!ok) {
		const char *const reason = ERR_reason_error_string(ERR_get_error());

		ERR_clear_error();
		return err_set(err, EIO, "cannot make a key that another process signs with: %s",
			       reason != NULL ? reason : "no reason given");
	}
	*ret_key = key;
	return 0;
}
