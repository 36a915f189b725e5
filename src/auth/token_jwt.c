/* SPDX-License-Identifier: MIT */
/* JWTs and the keys they are signed with. The cryptography is libjose's. */
#include <errno.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text_file.h"
#include "auth/token_priv.h"

struct token_keys {
	char *path; /* Owned */
	token_notice *notice;
	void *notice_arg;
	char trouble[ERR_TEXT_MAX]; /* what was said last; "" when all is well */
	struct text_file_seen seen;
	jose_cfg_t *jose; /* Owned */
	json_t *keys;     /* Owned: an array of JWKs; NULL: none were ever read */
};

/*
 * The algorithms that count, and the type that a key for them has. The token says by which it is
 * signed; that it can't choose one for which the key isn't meant is our matter (RFC 8725
 * section 3.1).
 */
static const struct {
	const char *alg;
	const char *kty;
	const char *crv; /* NULL: any */
} algorithms[] = {
	{"RS256", "RSA", NULL},   {"RS384", "RSA", NULL},   {"RS512", "RSA", NULL},
	{"PS256", "RSA", NULL},   {"PS384", "RSA", NULL},   {"PS512", "RSA", NULL},
	{"ES256", "EC", "P-256"}, {"ES384", "EC", "P-384"}, {"ES512", "EC", "P-521"},
};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

/* libjose says on standard error what it doesn't like, unless somebody else listens. */
static void say_nothing(void *misc, const char *file, int line, uint64_t error, const char *fmt,
			va_list ap)
{
	(void)misc;
	(void)file;
	(void)line;
	(void)error;
	(void)fmt;
	(void)ap;
}

struct token_keys *token_keys_new(const char *path, token_notice *notice, void *arg)
{
	struct token_keys *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->path = strdup(path);
	k->jose = jose_cfg();
	if (k->path == NULL || k->jose == NULL) {
		token_keys_free(k);
		return NULL;
	}
	jose_cfg_set_err_func(k->jose, say_nothing, NULL);
	k->notice = notice;
	k->notice_arg = arg;
	return k;
}

void token_keys_free(struct token_keys *k)
{
	if (k == NULL)
		return;
	json_decref(k->keys);
	if (k->jose != NULL)
		jose_cfg_decref(k->jose);
	free(k->path);
	free(k);
}

/* ---- the file ---- */

/* The array of keys in what was read, or NULL. */
static json_t *keys_of(json_t *root)
{
	json_t *keys = json_object_get(root, "keys");

	if (json_is_array(keys))
		return json_incref(keys);
	return json_is_string(json_object_get(root, "kty")) ? json_pack("[O]", root) : NULL;
}

static int take(struct token_keys *k, struct text_file *file, struct err *err)
{
	json_error_t where;
	json_t *root = json_loadb(file->text, file->n, JSON_REJECT_DUPLICATES, &where);
	json_t *keys = root != NULL ? keys_of(root) : NULL;

	/* Somebody may have put private keys there. */
	secret_wipe(file->text, file->n);
	free(file->text);
	json_decref(root);
	if (keys == NULL) {
		if (root == NULL)
			return err_set(err, EINVAL, "%.300s:%d: not JSON: %s", k->path, where.line,
				       where.text);
		return err_set(err, EINVAL, "%.300s: neither a JWK set nor a JWK", k->path);
	}
	json_decref(k->keys);
	k->keys = keys;
	return 0;
}

int token_keys_refresh(struct token_keys *k, struct err *err)
{
	struct text_file file;
	struct err why = {""};
	int r = text_file_reread(&k->seen, k->path, TOKEN_KEYS_MAX_BYTES, &file, &why);

	if (r == 0)
		return 0;
	if (r == 1)
		r = take(k, &file, &why);
	/* What is wrong in it is said once, not at each login. */
	if (strcmp(k->trouble, why.text) != 0) {
		(void)snprintf(k->trouble, sizeof(k->trouble), "%s", why.text);
		if (r < 0 && k->notice != NULL)
			k->notice(k->notice_arg, why.text);
	}
	if (r < 0 && err != NULL)
		*err = why;
	return r;
}

/* ---- a token ---- */

/* The parts of it, in base64url. */
struct parts {
	struct span header;
	struct span payload;
	struct span signature;
};

static bool split(struct span token, struct parts *ret)
{
	const size_t first = span_find(token, '.');

	if (first == token.n)
		return false;
	ret->header = span_of(token.p, first);
	span_skip(&token, first + 1);

	const size_t second = span_find(token, '.');

	if (second == token.n)
		return false;
	ret->payload = span_of(token.p, second);
	span_skip(&token, second + 1);
	ret->signature = token;
	return span_find(token, '.') == token.n;
}

bool token_is_jwt(struct span token)
{
	struct parts parts;

	return split(token, &parts);
}

static json_t *load_part(const json_t *jws, const char *name)
{
	return jose_b64_dec_load(json_object_get(jws, name));
}

/* The row of an algorithm, or ALGORITHMS. */
static size_t find_algorithm(const char *alg)
{
	size_t i = 0;

	while (i < ALGORITHMS && strcmp(algorithms[i].alg, alg) != 0)
		i++;
	return i;
}

/* True when the key says this of itself, or is silent about it. */
static bool may_be(const json_t *key, const char *member, const char *text)
{
	const json_t *value = json_object_get(key, member);

	return value == NULL ||
	       (json_is_string(value) && strcmp(json_string_value(value), text) == 0);
}

static bool is(const json_t *key, const char *member, const char *text)
{
	return json_object_get(key, member) != NULL && may_be(key, member, text);
}

/* True when the key is there for signatures by this algorithm, and is the one that is meant. */
static bool is_for(const json_t *key, size_t algorithm, const json_t *kid)
{
	const json_t *const key_id = json_object_get(key, "kid");

	return is(key, "kty", algorithms[algorithm].kty) &&
	       (algorithms[algorithm].crv == NULL || is(key, "crv", algorithms[algorithm].crv)) &&
	       may_be(key, "alg", algorithms[algorithm].alg) && may_be(key, "use", "sig") &&
	       (kid == NULL || key_id == NULL || json_equal(kid, key_id));
}

/* NULL when one of the keys has signed it. */
static const char *wrong_signature(const struct token_keys *k, const json_t *jws)
{
	json_t *header = load_part(jws, "protected");
	const char *alg = json_string_value(json_object_get(header, "alg"));
	const json_t *kid = json_object_get(header, "kid");
	const size_t algorithm = alg != NULL ? find_algorithm(alg) : ALGORITHMS;
	const char *why = "token-key-unknown";
	const json_t *key;
	size_t i;

	if (alg == NULL) {
		why = "token-malformed";
	} else if (algorithm == ALGORITHMS) {
		why = "token-algorithm-refused";
	} else if (json_object_get(header, "crit") != NULL) {
		/* RFC 7515 section 4.1.11: what we don't understand must be refused. */
		why = "token-extension-refused";
	} else {
		json_array_foreach(k->keys, i, key)
		{
			if (!is_for(key, algorithm, kid))
				continue;
			why = "token-signature-wrong";
			if (jose_jws_ver(k->jose, jws, NULL, key, true)) {
				why = NULL;
				break;
			}
		}
	}
	json_decref(header);
	return why;
}

struct token_verdict token_verify_jwt(struct token_keys *k, struct span token,
				      const struct token_rules *rules)
{
	struct parts parts;
	struct token_verdict v;

	(void)token_keys_refresh(k, NULL);
	if (k->keys == NULL)
		return token_refused(TOKEN_UNDECIDED, "token-keys-unreadable");
	if (!split(token, &parts))
		return token_refused(TOKEN_INVALID, "token-malformed");

	json_t *jws = json_pack("{s:s%,s:s%,s:s%}", "protected", parts.header.p, parts.header.n,
				"payload", parts.payload.p, parts.payload.n, "signature",
				parts.signature.p, parts.signature.n);

	if (jws == NULL)
		return token_refused(TOKEN_INVALID, "token-malformed");

	const char *why = wrong_signature(k, jws);

	if (why != NULL) {
		v = token_refused(TOKEN_INVALID, why);
	} else {
		json_t *claims = load_part(jws, "payload");

		v = token_check_claims(claims, rules, true);
		json_decref(claims);
	}
	json_decref(jws);
	return v;
}
