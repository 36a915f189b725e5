/* SPDX-License-Identifier: MIT */
/*
 * GNU SASL asks its questions in the middle of a step, by a callback that must
 * know the answer. Passwords take a while to verify and users to look up, so for
 * mechanisms that send the password the callback only notes it and says yes, and
 * for the others the user's name is read out of the message before GNU SASL sees it.
 */
#include "auth/sasl_server.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/secret.h"
#include "auth/sasl_server_priv.h"

static const struct sasl_mechanism mechanisms[] = {
	{.name = "PLAIN", .sends_plain = true},
	{.name = "LOGIN", .sends_plain = true, .server_first = true},
	{.name = "CRAM-MD5", .needs_secret = true, .server_first = true},
	{.name = "SCRAM-SHA-256-PLUS", .needs_keys = true, .hash = SCRAM_SHA_256, .binds = true},
	{.name = "SCRAM-SHA-1-PLUS", .needs_keys = true, .hash = SCRAM_SHA_1, .binds = true},
	{.name = "SCRAM-SHA-256", .needs_keys = true, .hash = SCRAM_SHA_256},
	{.name = "SCRAM-SHA-1", .needs_keys = true, .hash = SCRAM_SHA_1},
	{.name = "OAUTHBEARER", .takes_token = true},
	{.name = "XOAUTH2", .takes_token = true, .xoauth2 = true},
};

#define MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

const struct sasl_mechanism *sasl_mechanism_at(unsigned i)
{
	return i < MECHANISMS ? &mechanisms[i] : NULL;
}

const struct sasl_mechanism *sasl_mechanism_find(const char *name)
{
	for (size_t i = 0; i < MECHANISMS; i++) {
		if (strcmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	}
	return NULL;
}

static bool copy(char *to, size_t cap, const char *from)
{
	const size_t n = strlen(from);

	if (n >= cap)
		return false;
	memcpy(to, from, n + 1);
	return true;
}

/* PLAIN and LOGIN: who, and with which password. Nothing is decided here. */
static int note(struct sasl_session *s)
{
	const char *user = gsasl_property_fast(s->gsasl, GSASL_AUTHID);
	const char *other = gsasl_property_fast(s->gsasl, GSASL_AUTHZID);
	const char *password = gsasl_property_fast(s->gsasl, GSASL_PASSWORD);

	if (user == NULL || password == NULL)
		return GSASL_MECHANISM_PARSE_ERROR;
	if (!copy(s->user, sizeof(s->user), user)) {
		s->refused = true;
		return GSASL_AUTHENTICATION_ERROR;
	}
	/* Nobody may act for another user: there is nothing here that could allow it. */
	if (other != NULL && other[0] != '\0' && strcmp(other, user) != 0) {
		s->refused = true;
		return GSASL_AUTHENTICATION_ERROR;
	}
	/* PLAIN's was read from the message, as it was sent; GNU SASL's copy is prepared. */
	if (s->password[0] == '\0' && !copy(s->password, sizeof(s->password), password)) {
		s->refused = true;
		return GSASL_AUTHENTICATION_ERROR;
	}
	s->noted = true;
	return GSASL_OK;
}

static int on_callback(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
	struct sasl_session *s = gsasl_session_hook_get(session);

	(void)gsasl;
	if (s == NULL)
		return GSASL_NO_CALLBACK;
	switch (property) {
	case GSASL_VALIDATE_SIMPLE:
		return note(s);
	case GSASL_SERVICE:
		return gsasl_property_set(session, property, "pop");
	case GSASL_HOSTNAME:
		return gsasl_property_set(session, property, s->context->hostname);
	default:
		return GSASL_NO_CALLBACK;
	}
}

struct sasl_context *sasl_context_new(const char *hostname)
{
	struct sasl_context *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (gsasl_init(&c->gsasl) != GSASL_OK) {
		free(c);
		return NULL;
	}
	(void)snprintf(c->hostname, sizeof(c->hostname), "%s", hostname);
	gsasl_callback_set(c->gsasl, on_callback);
	return c;
}

void sasl_context_free(struct sasl_context *c)
{
	if (c == NULL)
		return;
	gsasl_done(c->gsasl);
	free(c);
}

struct sasl_session *sasl_session_new(struct sasl_context *c, const struct sasl_mechanism *m)
{
	struct sasl_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	if (!m->takes_token && !m->needs_keys &&
	    gsasl_server_start(c->gsasl, m->name, &s->gsasl) != GSASL_OK) {
		free(s);
		return NULL;
	}
	s->context = c;
	s->mechanism = m;
	buf_init(&s->challenge, LIMIT_SASL_OCTETS);
	buf_init(&s->held, LIMIT_SASL_OCTETS);
	if (s->gsasl != NULL)
		gsasl_session_hook_set(s->gsasl, s);
	return s;
}

/* gsasl_finish() frees it as it is. The memory is the session's, only its pointer is const. */
static void wipe_property(struct sasl_session *s, Gsasl_property property)
{
	const char *value = gsasl_property_fast(s->gsasl, property);

	if (value != NULL)
		secret_wipe((void *)(uintptr_t)value, strlen(value));
}

void sasl_session_free(struct sasl_session *s)
{
	if (s == NULL)
		return;
	if (s->gsasl != NULL) {
		wipe_property(s, GSASL_PASSWORD);
		gsasl_finish(s->gsasl);
	}
	buf_done(&s->challenge);
	buf_done_secret(&s->held);
	secret_wipe(s, sizeof(*s));
	free(s);
}

static enum sasl_status meaning_of(const struct sasl_session *s, int r)
{
	switch (r) {
	case GSASL_OK:
		return s->noted ? SASL_PASSWORD : SASL_PROVED;
	case GSASL_NEEDS_MORE:
		return SASL_CHALLENGE;
	case GSASL_MALLOC_ERROR:
		return SASL_NO_MEMORY;
	case GSASL_AUTHENTICATION_ERROR:
		return SASL_FAILED;
	default:
		return s->refused ? SASL_FAILED : SASL_MALFORMED;
	}
}

enum sasl_status sasl_feed(struct sasl_session *s, struct span message)
{
	char *out = NULL;
	size_t n = 0;
	const int r = gsasl_step(s->gsasl, message.p, message.n, &out, &n);
	enum sasl_status status = meaning_of(s, r);

	s->challenge.n = 0;
	if (out != NULL && n > 0 && buf_put(&s->challenge, span_of(out, n)) < 0)
		status = SASL_NO_MEMORY;
	gsasl_free(out);
	return status;
}

/* PLAIN: authzid NUL authcid NUL password. The password as it was sent, if it is one. */
static bool keep_plain_password(struct sasl_session *s, struct span message)
{
	for (int i = 0; i < 2; i++) {
		const size_t n = span_find(message, '\0');

		if (n == message.n)
			return true;
		span_skip(&message, n + 1);
	}
	if (message.n > LIMIT_PASSWORD)
		return false;
	/* With a NUL in it, GNU SASL refuses the message. */
	if (message.n > 0)
		memcpy(s->password, message.p, message.n);
	return true;
}

/* CRAM-MD5: user SP digest, and the digest has no space. */
static bool keep_cram_user(struct sasl_session *s, struct span message)
{
	size_t n = message.n;

	while (n > 0 && message.p[n - 1] != ' ')
		n--;
	if (n < 2 || n - 1 > LIMIT_USER || span_find(message, '\0') != message.n)
		return false;
	memcpy(s->user, message.p, n - 1);
	s->user[n - 1] = '\0';
	return true;
}

static enum sasl_status take(struct sasl_session *s, struct span message)
{
	if (s->mechanism->takes_token)
		return sasl_take_token(s, message);
	/* The proof was the end. RFC 5034 section 4: an empty answer to our last word. */
	if (s->proved)
		return message.n == 0 ? SASL_PROVED : SASL_MALFORMED;
	/* To GNU SASL an empty message means "begin"; none of the mechanisms has one. */
	if (message.n == 0 || message.n > LIMIT_SASL_OCTETS)
		return SASL_MALFORMED;
	if (s->mechanism->needs_keys)
		return sasl_take_scram(s, message);
	if (s->mechanism->needs_secret) {
		if (!keep_cram_user(s, message))
			return SASL_MALFORMED;
		return buf_put(&s->held, message) < 0 ? SASL_NO_MEMORY : SASL_WANT_SECRET;
	}
	if (!s->mechanism->server_first && !keep_plain_password(s, message))
		return SASL_FAILED;
	return sasl_feed(s, message);
}

enum sasl_status sasl_session_start(struct sasl_session *s, bool has_initial, struct span initial)
{
	if (!has_initial)
		return s->gsasl != NULL ? sasl_feed(s, span_of("", 0)) : SASL_CHALLENGE;
	if (!s->mechanism->server_first)
		return take(s, initial);
	/* CRAM-MD5 can't answer what wasn't asked yet. LOGIN's clients send the name at once. */
	if (s->mechanism->needs_secret)
		return SASL_MALFORMED;

	const enum sasl_status status = sasl_feed(s, span_of("", 0));

	return status == SASL_CHALLENGE ? take(s, initial) : status;
}

enum sasl_status sasl_session_step(struct sasl_session *s, struct span answer)
{
	return take(s, answer);
}

enum sasl_status sasl_session_secret(struct sasl_session *s, const char *password)
{
	assert(s->held.n > 0);
	if (password == NULL)
		return SASL_FAILED;
	if (gsasl_property_set(s->gsasl, GSASL_PASSWORD, password) != GSASL_OK)
		return SASL_NO_MEMORY;

	const enum sasl_status status = sasl_feed(s, buf_span(&s->held));

	return status == SASL_PROVED || status == SASL_NO_MEMORY ? status : SASL_FAILED;
}

struct span sasl_session_challenge(const struct sasl_session *s)
{
	return buf_span(&s->challenge);
}

const char *sasl_session_user(const struct sasl_session *s)
{
	return s->user;
}

const char *sasl_session_password(const struct sasl_session *s)
{
	return s->password;
}

bool sasl_prepare_password(const char *password, char *ret_password, size_t cap)
{
	char *prepared = NULL;
	bool ok = true;

	/* ASCII without control characters stays what it is, and nearly all passwords are that. */
	for (const char *c = password; *c != '\0' && ok; c++)
		ok = *c >= ' ' && *c < 0x7f;
	if (ok || gsasl_saslprep(password, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		return false;
	ok = prepared[0] != '\0' && strcmp(prepared, password) != 0 &&
	     copy(ret_password, cap, prepared);
	secret_wipe(prepared, strlen(prepared));
	gsasl_free(prepared);
	return ok;
}

bool sasl_apop_matches(const char *timestamp, const char *password, const char *digest)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md5[EVP_MAX_MD_SIZE];
	char hex[33];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_MD *md = EVP_MD_fetch(NULL, "MD5", NULL);
	bool ok = ctx != NULL && md != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
		  EVP_DigestUpdate(ctx, timestamp, strlen(timestamp)) == 1 &&
		  EVP_DigestUpdate(ctx, password, strlen(password)) == 1 &&
		  EVP_DigestFinal_ex(ctx, md5, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	if (ok) {
		for (size_t i = 0; i < 16; i++) {
			hex[2 * i] = digits[md5[i] >> 4];
			hex[2 * i + 1] = digits[md5[i] & 15];
		}
		ok = strlen(digest) == 32 && secret_equal(hex, digest, 32);
	}
	return ok;
}
