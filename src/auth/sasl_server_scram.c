/* SPDX-License-Identifier: MIT */
/*
 * SCRAM (RFC 5802, RFC 7677). GNU SASL gets the keys before its first step, so that it asks
 * for nothing.
 */
#include "auth/sasl_server_priv.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/secret.h"

/* RFC 5802 section 6: with the one binding that this connection has. */
static bool is_bound(const struct sasl_session *s, const struct scram_first *first)
{
	const struct span name = s->binding == SASL_BINDING_TLS_EXPORTER ? SPAN_LIT("tls-exporter")
									 : SPAN_LIT("tls-unique");

	return s->binding != SASL_BINDING_NONE && first->flag == 'p' &&
	       span_eq(first->binding, name);
}

/* SCRAM: who it is, and that they want to be nobody else. */
static enum sasl_status take_first(struct sasl_session *s, struct span message)
{
	struct scram_first first;

	if (!scram_first_parse(message, &first))
		return SASL_MALFORMED;
	memcpy(s->user, first.user, sizeof(s->user));
	if (first.other[0] != '\0' && strcmp(first.other, first.user) != 0)
		return SASL_FAILED;
	if (s->mechanism->binds ? !is_bound(s, &first) : first.flag == 'p')
		return SASL_MALFORMED;
	/* The client could bind, but has not heard that we can: who took that out of our list? */
	if (first.flag == 'y' && s->binding != SASL_BINDING_NONE)
		return SASL_FAILED;
	return buf_put(&s->held, message) < 0 ? SASL_NO_MEMORY : SASL_WANT_KEYS;
}

enum sasl_status sasl_take_scram(struct sasl_session *s, struct span message)
{
	return s->held.n == 0 ? take_first(s, message) : sasl_feed(s, message);
}

static bool set_octets(struct sasl_session *s, Gsasl_property property, const uint8_t *octets,
		       size_t n)
{
	unsigned char text[SCRAM_SALT_MAX / 3 * 4 + 8];

	(void)EVP_EncodeBlock(text, octets, (int)n);

	const bool ok = gsasl_property_set(s->gsasl, property, (const char *)text) == GSASL_OK;

	secret_wipe(text, sizeof(text));
	return ok;
}

bool sasl_session_bind(struct sasl_session *s, enum sasl_binding binding, struct span octets)
{
	assert(octets.n <= SCRAM_SALT_MAX);
	s->binding = binding;
	if (binding == SASL_BINDING_NONE)
		return true;
	return set_octets(s,
			  binding == SASL_BINDING_TLS_EXPORTER ? GSASL_CB_TLS_EXPORTER
							       : GSASL_CB_TLS_UNIQUE,
			  (const uint8_t *)octets.p, octets.n);
}

enum sasl_status sasl_session_keys(struct sasl_session *s, const struct scram_keys *keys)
{
	const size_t n = scram_octets(s->mechanism->hash);
	char iterations[16];

	assert(s->held.n > 0 && keys->n_salt <= SCRAM_SALT_MAX);
	(void)snprintf(iterations, sizeof(iterations), "%u", keys->iterations);
	if (gsasl_property_set(s->gsasl, GSASL_SCRAM_ITER, iterations) != GSASL_OK ||
	    !set_octets(s, GSASL_SCRAM_SALT, keys->salt, keys->n_salt) ||
	    !set_octets(s, GSASL_SCRAM_STOREDKEY, keys->stored, n) ||
	    !set_octets(s, GSASL_SCRAM_SERVERKEY, keys->server, n))
		return SASL_NO_MEMORY;
	return sasl_feed(s, buf_span(&s->held));
}
