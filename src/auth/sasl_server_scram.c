/* SPDX-License-Identifier: MIT */
/*
 * SCRAM's server (RFC 5802 section 5, RFC 7677), over OpenSSL's HMAC. GNU SASL has one too,
 * which can't bind to the server's certificate (tls-server-end-point).
 *
 *	C: n,,n=user,r=ABC			first: flag, binding, names, nonce
 *	S: r=ABCxyz,s=salt,i=4096		nonce, longer; salt; iterations
 *	C: c=biws,r=ABCxyz,p=proof		c: what was bound to; over all of it, a proof
 *	S: v=proof				and ours
 *
 * AuthMessage, which both prove that they have seen, is the first three without the flag,
 * the binding and the proof, with commas between.
 */
#include "auth/sasl_server_priv.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/out.h"
#include "base/rand.h"
#include "base/secret.h"
#include "codec/sasl/base64.h"
#include "codec/utf8.h"

/* Octets of our part of the nonce, before base64. */
#define NONCE 18

/* A first message of the server's, with a client's nonce as long as can be. */
#define SERVER_FIRST_MAX (SCRAM_FIRST_MAX + 256)

/* gs2 header and binding, before base64. */
#define BOUND_MAX (SCRAM_FIRST_MAX + SASL_BINDING_MAX)

static const struct {
	const char *name;
	enum sasl_binding binding;
} bindings[] = {
	{"tls-exporter", SASL_BINDING_TLS_EXPORTER},
	{"tls-unique", SASL_BINDING_TLS_UNIQUE},
	{"tls-server-end-point", SASL_BINDING_TLS_SERVER_END_POINT},
};

#define BINDINGS (sizeof(bindings) / sizeof(bindings[0]))

void sasl_session_bind(struct sasl_session *s, enum sasl_binding binding, struct span octets)
{
	assert(octets.n <= SASL_BINDING_MAX && binding < SASL_BINDINGS);
	if (octets.n > 0)
		memcpy(s->bindings[binding].octets, octets.p, octets.n);
	s->bindings[binding].n = octets.n;
}

static bool can_bind(const struct sasl_session *s)
{
	for (size_t i = 0; i < SASL_BINDINGS; i++) {
		if (s->bindings[i].n > 0)
			return true;
	}
	return false;
}

/* RFC 5802 section 6: with one of those that this connection has. */
static bool choose_binding(struct sasl_session *s, const struct scram_first *first)
{
	for (size_t i = 0; i < BINDINGS && first->flag == 'p'; i++) {
		if (span_eq(first->binding, span_str(bindings[i].name))) {
			s->bound = bindings[i].binding;
			return s->bindings[s->bound].n > 0;
		}
	}
	return false;
}

/* ---- the first message ---- */

static struct span take_field(struct span *text)
{
	const size_t n = span_find(*text, ',');
	const struct span field = span_of(text->p, n);

	span_skip(text, n < text->n ? n + 1 : n);
	return field;
}

/* What stands before "n=": flag and other identity, with their two commas. */
static struct span header_of(struct span first)
{
	struct span rest = first;

	(void)take_field(&rest);
	(void)take_field(&rest);
	return span_of(first.p, first.n - rest.n);
}

/*
 * RFC 5802 section 7: printable, and no comma. What is behind it may be an extension. All that
 * is before it, scram_first_parse() has seen.
 */
static bool read_nonce(struct span first, struct span *ret_nonce)
{
	span_skip(&first, header_of(first).n);
	(void)take_field(&first);
	*ret_nonce = take_field(&first);
	if (ret_nonce->n < 3)
		return false;
	span_skip(ret_nonce, 2);
	for (size_t i = 0; i < ret_nonce->n; i++) {
		if (ret_nonce->p[i] <= ' ' || ret_nonce->p[i] > '~')
			return false;
	}
	return true;
}

static enum sasl_status take_first(struct sasl_session *s, struct span message)
{
	struct scram_first first;
	struct span nonce;

	if (!scram_first_parse(message, &first) || !read_nonce(message, &nonce))
		return SASL_MALFORMED;
	memcpy(s->user, first.user, sizeof(s->user));
	if (first.other[0] != '\0' && strcmp(first.other, first.user) != 0)
		return SASL_FAILED;
	if (s->mechanism->binds ? !choose_binding(s, &first) : first.flag == 'p')
		return SASL_MALFORMED;
	/* The client could bind, but has not heard that we can: who took that out of our list? */
	if (first.flag == 'y' && can_bind(s))
		return SASL_FAILED;
	return buf_put(&s->held, message) < 0 ? SASL_NO_MEMORY : SASL_WANT_KEYS;
}

static bool put_nonce(struct out *out, struct span theirs)
{
	char ours[NONCE];

	rand_fill(ours, sizeof(ours));
	return out_put(out, theirs) && base64_encode(out, span_of(ours, sizeof(ours)));
}

enum sasl_status sasl_session_keys(struct sasl_session *s, const struct scram_keys *keys)
{
	char text[SERVER_FIRST_MAX];
	struct out out = {.p = text, .cap = sizeof(text)};
	struct span nonce;
	const bool has_nonce = read_nonce(buf_span(&s->held), &nonce);

	assert(s->held.n > 0 && has_nonce && keys->n_salt <= SCRAM_SALT_MAX);
	(void)has_nonce;
	/* What isn't UTF-8 is nobody's name (RFC 5802 section 5.1). */
	if (!utf8_valid(span_str(s->user)))
		return SASL_FAILED;
	s->keys = *keys;

	const bool fits = out_put(&out, SPAN_LIT("r=")) && put_nonce(&out, nonce) &&
			  out_put(&out, SPAN_LIT(",s=")) &&
			  base64_encode(&out, span_of((const char *)keys->salt, keys->n_salt)) &&
			  out_put(&out, SPAN_LIT(",i=")) && out_u64(&out, keys->iterations);

	assert(fits);
	(void)fits;
	s->challenge.n = 0;
	s->answered = true;
	return buf_put(&s->challenge, out_span(&out)) < 0 ? SASL_NO_MEMORY : SASL_CHALLENGE;
}

/* ---- the last message ---- */

struct final {
	struct span bound; /* c=, in base64 */
	struct span nonce;
	struct span without_proof;
	uint8_t proof[SCRAM_KEY_MAX];
};

static bool take_value(struct span *text, struct span key, struct span *ret_value)
{
	const size_t n = span_find(*text, ',');

	if (n == text->n || n < key.n || !span_eq(span_of(text->p, key.n), key))
		return false;
	*ret_value = span_of(text->p + key.n, n - key.n);
	span_skip(text, n + 1);
	return true;
}

static bool parse_final(const struct sasl_session *s, struct span message, struct final *ret)
{
	const size_t octets = scram_octets(s->mechanism->hash);
	struct out proof = {.p = (char *)ret->proof, .cap = sizeof(ret->proof)};
	struct span text = message;

	if (span_find(message, '\0') < message.n ||
	    !take_value(&text, SPAN_LIT("c="), &ret->bound) ||
	    !take_value(&text, SPAN_LIT("r="), &ret->nonce))
		return false;
	/* Extensions may stand before the proof, which is the last. */
	while (span_find(text, ',') < text.n)
		(void)take_field(&text);
	if (text.n < 2 || text.p[0] != 'p' || text.p[1] != '=')
		return false;
	ret->without_proof = span_of(message.p, (size_t)(text.p - message.p) - 1);
	span_skip(&text, 2);
	return base64_decode(&proof, text) == BASE64_OK && proof.n == octets;
}

/* MALFORMED when it is no base64; FAILED when the client is at the end of another connection. */
static enum sasl_status check_bound(const struct sasl_session *s, struct span bound)
{
	const struct span header = header_of(buf_span(&s->held));
	char text[BOUND_MAX];
	struct out out = {.p = text, .cap = sizeof(text)};
	const enum base64_status status = base64_decode(&out, bound);
	struct span said = out_span(&out);

	if (status == BASE64_BAD)
		return SASL_MALFORMED;
	if (status != BASE64_OK || said.n < header.n || !span_eq(span_of(said.p, header.n), header))
		return SASL_FAILED;
	span_skip(&said, header.n);
	if (!s->mechanism->binds)
		return said.n == 0 ? SASL_PROVED : SASL_FAILED;
	return span_eq(said,
		       span_of((const char *)s->bindings[s->bound].octets, s->bindings[s->bound].n))
		       ? SASL_PROVED
		       : SASL_FAILED;
}

static bool has_our_nonce(const struct sasl_session *s, struct span nonce)
{
	struct span text = buf_span(&s->challenge);
	struct span ours = take_field(&text);

	span_skip(&ours, 2);
	return span_eq(ours, nonce);
}

static bool sign(const struct sasl_session *s, const uint8_t *key, struct span auth,
		 uint8_t ret_signature[EVP_MAX_MD_SIZE])
{
	const EVP_MD *const md = s->mechanism->hash == SCRAM_SHA_1 ? EVP_sha1() : EVP_sha256();

	return HMAC(md, key, (int)scram_octets(s->mechanism->hash), (const unsigned char *)auth.p,
		    auth.n, ret_signature, NULL) != NULL;
}

/* The proof is ClientKey XOR ClientSignature, and H(ClientKey) is what we keep. */
static bool is_proved(const struct sasl_session *s, struct span auth,
		      const uint8_t proof[SCRAM_KEY_MAX])
{
	const EVP_MD *const md = s->mechanism->hash == SCRAM_SHA_1 ? EVP_sha1() : EVP_sha256();
	const size_t n = scram_octets(s->mechanism->hash);
	uint8_t key[EVP_MAX_MD_SIZE];
	uint8_t stored[EVP_MAX_MD_SIZE];
	bool ok = sign(s, s->keys.stored, auth, key);

	for (size_t i = 0; i < n; i++)
		key[i] ^= proof[i];
	ok = ok && EVP_Digest(key, n, stored, NULL, md, NULL) == 1 &&
	     secret_equal(stored, s->keys.stored, n);
	secret_wipe(key, sizeof(key));
	return ok;
}

static enum sasl_status say_our_proof(struct sasl_session *s, struct span auth)
{
	uint8_t signature[EVP_MAX_MD_SIZE];
	char text[2 + BASE64_ENCODED(SCRAM_KEY_MAX)];
	struct out out = {.p = text, .cap = sizeof(text)};
	const size_t n = scram_octets(s->mechanism->hash);

	if (!sign(s, s->keys.server, auth, signature))
		return SASL_NO_MEMORY;

	const bool fits = out_put(&out, SPAN_LIT("v=")) &&
			  base64_encode(&out, span_of((const char *)signature, n));

	assert(fits);
	(void)fits;
	s->challenge.n = 0;
	s->proved = true;
	/* POP3 has no place for it but one more challenge. */
	return buf_put(&s->challenge, out_span(&out)) < 0 ? SASL_NO_MEMORY : SASL_CHALLENGE;
}

static enum sasl_status take_final(struct sasl_session *s, struct span message)
{
	struct span bare = buf_span(&s->held);
	struct buf auth;
	struct final f;
	enum sasl_status status;

	if (!parse_final(s, message, &f))
		return SASL_MALFORMED;
	status = check_bound(s, f.bound);
	if (status != SASL_PROVED)
		return status;
	if (!has_our_nonce(s, f.nonce))
		return SASL_FAILED;

	span_skip(&bare, header_of(bare).n);
	buf_init(&auth, 2 * LIMIT_SASL_OCTETS);
	if (buf_put(&auth, bare) < 0 || buf_put(&auth, SPAN_LIT(",")) < 0 ||
	    buf_put(&auth, buf_span(&s->challenge)) < 0 || buf_put(&auth, SPAN_LIT(",")) < 0 ||
	    buf_put(&auth, f.without_proof) < 0)
		status = SASL_NO_MEMORY;
	else if (is_proved(s, buf_span(&auth), f.proof))
		status = say_our_proof(s, buf_span(&auth));
	else
		status = SASL_FAILED;
	buf_done(&auth);
	return status;
}

enum sasl_status sasl_take_scram(struct sasl_session *s, struct span message)
{
	if (s->held.n == 0)
		return take_first(s, message);
	/* Nobody has asked for an answer before there were keys. */
	return s->answered ? take_final(s, message) : SASL_MALFORMED;
}
