/* SPDX-License-Identifier: MIT */
/*
 * What makes a JWT good: every rule with a token that keeps it, one that breaks it, and both
 * sides of each limit. The tokens are signed here, by libjose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/token.h"

#define NOW 1000000

enum key { RSA, P256, P384, P521, OTHER_RSA, SHARED, KEYS };

static const char *const templates[KEYS] = {
	[RSA] = "{\"kty\":\"RSA\",\"bits\":2048}",
	[P256] = "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
	[P384] = "{\"kty\":\"EC\",\"crv\":\"P-384\"}",
	[P521] = "{\"kty\":\"EC\",\"crv\":\"P-521\"}",
	[OTHER_RSA] = "{\"kty\":\"RSA\",\"bits\":2048}",
	[SHARED] = "{\"kty\":\"oct\",\"bytes\":32}",
};

static json_t *private_keys[KEYS];
static json_t *public_keys[KEYS];
static char path[] = "/tmp/restante-token-XXXXXX";
static char token[64 << 10];

static json_t *parse(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

static int make_keys(void **state)
{
	(void)state;
	(void)close(mkstemp(path));
	for (size_t i = 0; i < KEYS; i++) {
		private_keys[i] = parse(templates[i]);
		assert_true(jose_jwk_gen(NULL, private_keys[i]));
		/* What it says that it is for, each test says anew. */
		(void)json_object_del(private_keys[i], "key_ops");
		public_keys[i] = json_deep_copy(private_keys[i]);
		if (i != SHARED)
			assert_true(jose_jwk_pub(NULL, public_keys[i]));
		(void)json_object_del(public_keys[i], "key_ops");
	}
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		json_decref(private_keys[i]);
		json_decref(public_keys[i]);
	}
	return unlink(path);
}

/* The set of one public key, with more members (JSON, or NULL). */
static struct token_keys *open_keys(enum key which, const char *more)
{
	json_t *key = json_deep_copy(public_keys[which]);
	json_t *members = more != NULL ? parse(more) : NULL;
	json_t *set = json_pack("{s:[O]}", "keys", key);
	struct token_keys *k;

	if (members != NULL)
		assert_int_equal(json_object_update(key, members), 0);
	assert_int_equal(json_dump_file(set, path, 0), 0);
	json_decref(members);
	json_decref(key);
	json_decref(set);
	k = token_keys_new(path, NULL, NULL);
	assert_non_null(k);
	assert_int_equal(token_keys_refresh(k, NULL), 0);
	return k;
}

static const char *member(const json_t *jws, const char *name)
{
	const char *text = json_string_value(json_object_get(jws, name));

	assert_non_null(text);
	return text;
}

/* Into token: header and payload as they are given, signed with this JWK. */
static void sign(const char *header, const char *payload, const json_t *key)
{
	json_t *jws = json_pack("{s:o}", "payload", jose_b64_enc(payload, strlen(payload)));
	json_t *sig = json_pack("{s:o}", "protected", parse(header));
	int n;

	assert_true(jose_jws_sig(NULL, jws, sig, key));
	n = snprintf(token, sizeof(token), "%s.%s.%s", member(jws, "protected"),
		     member(jws, "payload"), member(jws, "signature"));
	assert_in_range(n, 1, sizeof(token) - 1);
	json_decref(sig);
	json_decref(jws);
}

/* The same with a signature that is given, in base64url. */
static void put_together(const char *header, const char *payload, const char *signature)
{
	json_t *h = jose_b64_enc(header, strlen(header));
	json_t *p = jose_b64_enc(payload, strlen(payload));

	(void)snprintf(token, sizeof(token), "%s.%s.%s", json_string_value(h), json_string_value(p),
		       signature);
	json_decref(h);
	json_decref(p);
}

static struct token_rules rules(void)
{
	return (struct token_rules){
		.issuer = "i", .audience = "a", .scope = "", .user_claim = "sub", .now = NOW};
}

static void expect(const char *name, struct token_keys *k, const struct token_rules *r,
		   const char *why)
{
	const struct token_verdict v = token_verify_jwt(k, span_str(token), r);

	if (why == NULL && v.status != TOKEN_GOOD)
		fail_msg("%s: refused: %s", name, v.why);
	if (why != NULL && (v.status == TOKEN_GOOD || strcmp(v.why, why) != 0))
		fail_msg("%s: %s, not %s", name, v.why != NULL ? v.why : "good", why);
	if (why == NULL)
		assert_string_equal(v.user, "ada");
}

#define GOOD "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100}"

/* ---- signatures ---- */

static void signatures(void **state)
{
	static const struct {
		const char *header;
		enum key signs;
		enum key in_file;
		const char *more; /* of the key in the file */
		const char *why;
	} cases[] = {
		{"{\"alg\":\"RS256\"}", RSA, RSA, NULL, NULL},
		{"{\"alg\":\"RS384\"}", RSA, RSA, NULL, NULL},
		{"{\"alg\":\"RS512\"}", RSA, RSA, NULL, NULL},
		{"{\"alg\":\"PS256\"}", RSA, RSA, NULL, NULL},
		{"{\"alg\":\"PS384\"}", RSA, RSA, NULL, NULL},
		{"{\"alg\":\"PS512\"}", RSA, RSA, NULL, NULL},
		{"{\"alg\":\"ES256\"}", P256, P256, NULL, NULL},
		{"{\"alg\":\"ES384\"}", P384, P384, NULL, NULL},
		{"{\"alg\":\"ES512\"}", P521, P521, NULL, NULL},
		/* another key of the same type, or of another one */
		{"{\"alg\":\"RS256\"}", OTHER_RSA, RSA, NULL, "token-signature-wrong"},
		{"{\"alg\":\"RS256\"}", RSA, P256, NULL, "token-key-unknown"},
		{"{\"alg\":\"ES256\"}", P256, P384, NULL, "token-key-unknown"},
		{"{\"alg\":\"ES256\"}", P256, RSA, NULL, "token-key-unknown"},
		/* an HMAC proves nothing, also with a key that is for HMACs */
		{"{\"alg\":\"HS256\"}", SHARED, RSA, NULL, "token-algorithm-refused"},
		{"{\"alg\":\"HS256\"}", SHARED, SHARED, NULL, "token-algorithm-refused"},
		/* what the key says of itself */
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"alg\":\"RS256\"}", NULL},
		{"{\"alg\":\"PS256\"}", RSA, RSA, "{\"alg\":\"RS256\"}", "token-key-unknown"},
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"alg\":5}", "token-key-unknown"},
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"use\":\"sig\"}", NULL},
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"use\":\"enc\"}", "token-key-unknown"},
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"key_ops\":[\"verify\"]}", NULL},
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"key_ops\":[\"encrypt\"]}",
		 "token-signature-wrong"},
		/* which key is meant */
		{"{\"alg\":\"RS256\",\"kid\":\"1\"}", RSA, RSA, "{\"kid\":\"1\"}", NULL},
		{"{\"alg\":\"RS256\",\"kid\":\"2\"}", RSA, RSA, "{\"kid\":\"1\"}",
		 "token-key-unknown"},
		{"{\"alg\":\"RS256\",\"kid\":1}", RSA, RSA, "{\"kid\":\"1\"}", "token-key-unknown"},
		{"{\"alg\":\"RS256\"}", RSA, RSA, "{\"kid\":\"1\"}", NULL},
		{"{\"alg\":\"RS256\",\"kid\":\"1\"}", RSA, RSA, NULL, NULL},
		/* what we would have to understand */
		{"{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":5}", RSA, RSA, NULL,
		 "token-extension-refused"},
		{"{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"jku\":\"https://evil.example\"}", RSA,
		 RSA, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct token_rules r = rules();
		struct token_keys *k = open_keys(cases[i].in_file, cases[i].more);

		sign(cases[i].header, GOOD, private_keys[cases[i].signs]);
		expect(cases[i].header, k, &r, cases[i].why);
		token_keys_free(k);
	}
}

/* The public key is no secret: whoever signs with it as if it were one signs nothing. */
static void an_hmac_with_the_public_key(void **state)
{
	static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"HS512\"}"};
	const struct token_rules r = rules();
	struct token_keys *k = open_keys(RSA, NULL);
	char *text = json_dumps(public_keys[RSA], JSON_COMPACT | JSON_SORT_KEYS);
	json_t *secret = json_pack("{s:s,s:o}", "kty", "oct", "k",
				   jose_b64_enc(text, strlen(text)));

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sign(headers[i], GOOD, secret);
		expect(headers[i], k, &r, "token-algorithm-refused");
	}
	json_decref(secret);
	free(text);
	token_keys_free(k);
}

/* No algorithm, none that we know, and no JSON where it should be. */
static void headers(void **state)
{
	static const struct {
		const char *header;
		const char *why;
	} cases[] = {
		{"{\"alg\":\"none\"}", "token-algorithm-refused"},
		{"{\"alg\":\"None\"}", "token-algorithm-refused"},
		{"{\"alg\":\"\"}", "token-algorithm-refused"},
		{"{\"alg\":\"EdDSA\"}", "token-algorithm-refused"},
		{"{\"alg\":\"ES256K\"}", "token-algorithm-refused"},
		{"{\"alg\":\"rs256\"}", "token-algorithm-refused"},
		{"{\"alg\":\"RS256\\u0000\"}", "token-malformed"},
		{"{\"alg\":[\"RS256\"]}", "token-malformed"},
		{"{}", "token-malformed"},
		{"[]", "token-malformed"},
		{"", "token-malformed"},
		{"{\"alg\":\"RS256\"", "token-malformed"},
		{"{\"alg\":\"RS256\"}", "token-signature-wrong"},
	};
	static const char *const signatures[] = {"", "AAAA", "!", "AAAA=="};
	const struct token_rules r = rules();
	struct token_keys *k = open_keys(RSA, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t s = 0; s < sizeof(signatures) / sizeof(signatures[0]); s++) {
			put_together(cases[i].header, GOOD, signatures[s]);
			expect(cases[i].header, k, &r, cases[i].why);
		}
	}
	token_keys_free(k);
}

/* Every octet of it is signed, and its parts are three. */
static void changed_tokens(void **state)
{
	const struct token_rules r = rules();
	struct token_keys *k = open_keys(P256, NULL);
	char whole[4096];
	size_t n;

	(void)state;
	sign("{\"alg\":\"ES256\"}", GOOD, private_keys[P256]);
	expect("whole", k, &r, NULL);
	n = strlen(token);
	memcpy(whole, token, n + 1);
	for (size_t i = 0; i < n; i++) {
		/* Of the last one two bits count, in which these differ from it. */
		token[i] = whole[i] == 'Q' ? 'x' : 'Q';
		assert_int_not_equal(token_verify_jwt(k, span_str(token), &r).status, TOKEN_GOOD);
		token[i] = whole[i];
	}
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(token_verify_jwt(k, span_of(whole, i), &r).status, TOKEN_GOOD);
	(void)snprintf(token, sizeof(token), "%s.", whole);
	expect("a fourth part", k, &r, "token-malformed");
	(void)snprintf(token, sizeof(token), ".%s", whole);
	expect("a part in front", k, &r, "token-malformed");
	token_keys_free(k);
}

/* ---- claims ---- */

static void claims(void **state)
{
	static const struct {
		const char *payload;
		const char *why;
	} cases[] = {
		{GOOD, NULL},
		/* the end: now is 1000000, and clocks differ by 30 s */
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\"}", "token-without-end"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000000}", NULL},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":999971}", NULL},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":999970}", "token-expired"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":0}", "token-expired"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":-1}",
		 "token-date-malformed"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":\"1000100\"}",
		 "token-date-malformed"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":null}",
		 "token-date-malformed"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1e300}",
		 "token-date-malformed"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000000.5}", NULL},
		/* the beginning */
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100,\"nbf\":1000030}",
		 NULL},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100,\"nbf\":1000031}",
		 "token-not-yet-valid"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100,\"nbf\":true}",
		 "token-date-malformed"},
		/* when it was issued decides nothing (RFC 7519 section 4.1.6) */
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100,\"iat\":9000000}",
		 NULL},
		/* the issuer is one string */
		{"{\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100}", "token-of-another-issuer"},
		{"{\"iss\":\"I\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100}",
		 "token-of-another-issuer"},
		{"{\"iss\":\"i/\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100}",
		 "token-of-another-issuer"},
		{"{\"iss\":[\"i\"],\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100}",
		 "token-of-another-issuer"},
		{"{\"iss\":\"i\\u0000\",\"aud\":\"a\",\"sub\":\"ada\",\"exp\":1000100}",
		 "token-has-no-claims"},
		/* the audience is one string, or several */
		{"{\"iss\":\"i\",\"sub\":\"ada\",\"exp\":1000100}", "token-for-another-audience"},
		{"{\"iss\":\"i\",\"aud\":\"A\",\"sub\":\"ada\",\"exp\":1000100}",
		 "token-for-another-audience"},
		{"{\"iss\":\"i\",\"aud\":[\"b\",\"a\"],\"sub\":\"ada\",\"exp\":1000100}", NULL},
		{"{\"iss\":\"i\",\"aud\":[\"b\"],\"sub\":\"ada\",\"exp\":1000100}",
		 "token-for-another-audience"},
		{"{\"iss\":\"i\",\"aud\":[],\"sub\":\"ada\",\"exp\":1000100}",
		 "token-for-another-audience"},
		{"{\"iss\":\"i\",\"aud\":[[\"a\"]],\"sub\":\"ada\",\"exp\":1000100}",
		 "token-for-another-audience"},
		{"{\"iss\":\"i\",\"aud\":\"a b\",\"sub\":\"ada\",\"exp\":1000100}",
		 "token-for-another-audience"},
		{"{\"iss\":\"i\",\"aud\":{\"a\":1},\"sub\":\"ada\",\"exp\":1000100}",
		 "token-for-another-audience"},
		/* the user */
		{"{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1000100}", "token-names-no-user"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"\",\"exp\":1000100}",
		 "token-names-no-user"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":7,\"exp\":1000100}", "token-names-no-user"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":[\"ada\"],\"exp\":1000100}",
		 "token-names-no-user"},
		{"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"ada\\u0000x\",\"exp\":1000100}",
		 "token-has-no-claims"},
		/* no claims at all */
		{"[]", "token-has-no-claims"},
		{"\"ada\"", "token-has-no-claims"},
		{"ada", "token-has-no-claims"},
		{"", "token-has-no-claims"},
	};
	const struct token_rules r = rules();
	struct token_keys *k = open_keys(P256, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sign("{\"alg\":\"ES256\"}", cases[i].payload, private_keys[P256]);
		expect(cases[i].payload, k, &r, cases[i].why);
	}
	token_keys_free(k);
}

static void scope_and_email(void **state)
{
	static const struct {
		const char *more; /* behind GOOD's claims */
		const char *why;
	} cases[] = {
		{"\"email\":\"ada\",\"scope\":\"mail\"", NULL},
		{"\"email\":\"ada\",\"scope\":\"x mail y\"", NULL},
		{"\"email\":\"ada\",\"scp\":[\"x\",\"mail\"]", NULL},
		{"\"email\":\"ada\",\"scp\":\"x mail\"", NULL},
		{"\"email\":\"ada\",\"scope\":\"mailbox\"", "token-without-scope"},
		{"\"email\":\"ada\",\"scope\":\"Mail\"", "token-without-scope"},
		{"\"email\":\"ada\",\"scope\":\"\"", "token-without-scope"},
		{"\"email\":\"ada\"", "token-without-scope"},
		{"\"email\":\"ada\",\"scope\":\"mail\",\"email_verified\":true", NULL},
		{"\"email\":\"ada\",\"scope\":\"mail\",\"email_verified\":\"true\"", NULL},
		{"\"email\":\"ada\",\"scope\":\"mail\",\"email_verified\":false",
		 "token-email-not-verified"},
		{"\"email\":\"ada\",\"scope\":\"mail\",\"email_verified\":\"false\"",
		 "token-email-not-verified"},
		{"\"email\":\"ada\",\"scope\":\"mail\",\"email_verified\":1",
		 "token-email-not-verified"},
		{"\"email\":\"ada\",\"scope\":\"mail\",\"email_verified\":null",
		 "token-email-not-verified"},
	};
	struct token_keys *k = open_keys(P256, NULL);
	char payload[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct token_rules r = rules();

		r.scope = "mail";
		r.user_claim = "email";
		(void)snprintf(payload, sizeof(payload),
			       "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1000100,%s}", cases[i].more);
		sign("{\"alg\":\"ES256\"}", payload, private_keys[P256]);
		expect(cases[i].more, k, &r, cases[i].why);
	}
	token_keys_free(k);
}

/* As long as a client can send one: thousands of claims and deep ones, and a long user. */
static void huge_tokens(void **state)
{
	static char payload[32 << 10];
	const struct token_rules r = rules();
	struct token_keys *k = open_keys(P256, NULL);
	size_t n;

	(void)state;
	n = (size_t)snprintf(payload, sizeof(payload), "%s", GOOD) - 1;
	for (unsigned i = 0; n < 12000; i++)
		n += (size_t)snprintf(payload + n, sizeof(payload) - n, ",\"c%u\":%u", i, i);
	(void)snprintf(payload + n, sizeof(payload) - n, "}");
	sign("{\"alg\":\"ES256\"}", payload, private_keys[P256]);
	assert_true(strlen(token) > 16000);
	expect("many claims", k, &r, NULL);

	memset(payload, '[', sizeof(payload) - 1);
	payload[sizeof(payload) - 1] = '\0';
	sign("{\"alg\":\"ES256\"}", payload, private_keys[P256]);
	expect("deep claims", k, &r, "token-has-no-claims");

	n = (size_t)snprintf(payload, sizeof(payload),
			     "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1000100,\"sub\":\"");
	memset(payload + n, 'u', LIMIT_USER + 1);
	(void)snprintf(payload + n + LIMIT_USER + 1, 3, "\"}");
	sign("{\"alg\":\"ES256\"}", payload, private_keys[P256]);
	expect("a long user", k, &r, "token-names-no-user");
	(void)snprintf(payload + n + LIMIT_USER, 3, "\"}");
	sign("{\"alg\":\"ES256\"}", payload, private_keys[P256]);
	assert_int_equal(token_verify_jwt(k, span_str(token), &r).status, TOKEN_GOOD);
	token_keys_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures),  cmocka_unit_test(an_hmac_with_the_public_key),
		cmocka_unit_test(headers),     cmocka_unit_test(changed_tokens),
		cmocka_unit_test(claims),      cmocka_unit_test(scope_and_email),
		cmocka_unit_test(huge_tokens),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
