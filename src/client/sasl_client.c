/* SPDX-License-Identifier: MIT */
#include "client/sasl_client.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

struct sasl_client {
	const struct sasl_way *way;
	Gsasl *gsasl;           /* Owned */
	Gsasl_session *session; /* Owned */
	char *response;         /* GNU SASL's. Owned */
	size_t response_n;
	bool done;
};

/* What sends no password comes before what does; the stronger digest before the weaker. */
static const struct sasl_way ways[] = {
	{.option = "scram-sha-256",
	 .mechanism = "SCRAM-SHA-256",
	 .client_first = true,
	 .proves_server = true},
	{.option = "scram-sha-1",
	 .mechanism = "SCRAM-SHA-1",
	 .client_first = true,
	 .proves_server = true},
	{.option = "cram-md5", .mechanism = "CRAM-MD5"},
	{.option = "plain", .mechanism = "PLAIN", .sends_password = true, .client_first = true},
	{.option = "login", .mechanism = "LOGIN", .sends_password = true},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

const struct sasl_way *sasl_way_at(unsigned i)
{
	return i < WAYS ? &ways[i] : NULL;
}

struct sasl_client *sasl_client_new(const struct sasl_way *way, const char *user,
				    const char *password, const char *host)
{
	struct sasl_client *const c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->way = way;
	if (gsasl_init(&c->gsasl) != GSASL_OK ||
	    gsasl_client_start(c->gsasl, way->mechanism, &c->session) != GSASL_OK ||
	    gsasl_property_set(c->session, GSASL_AUTHID, user) != GSASL_OK ||
	    gsasl_property_set(c->session, GSASL_PASSWORD, password) != GSASL_OK ||
	    gsasl_property_set(c->session, GSASL_SERVICE, "pop") != GSASL_OK ||
	    gsasl_property_set(c->session, GSASL_HOSTNAME, host) != GSASL_OK) {
		sasl_client_free(c);
		return NULL;
	}
	return c;
}

/* gsasl frees it as it is. The memory is the session's, only its pointer is const. */
static void wipe_property(struct sasl_client *c, Gsasl_property property)
{
	const char *const value = gsasl_property_fast(c->session, property);

	if (value != NULL)
		secret_wipe((void *)(uintptr_t)value, strlen(value));
}

static void free_response(struct sasl_client *c)
{
	if (c->response != NULL)
		secret_wipe(c->response, c->response_n);
	gsasl_free(c->response);
	c->response = NULL;
	c->response_n = 0;
}

void sasl_client_free(struct sasl_client *c)
{
	if (c == NULL)
		return;
	free_response(c);
	if (c->session != NULL) {
		wipe_property(c, GSASL_PASSWORD);
		gsasl_finish(c->session);
	}
	if (c->gsasl != NULL)
		gsasl_done(c->gsasl);
	free(c);
}

bool sasl_client_step(struct sasl_client *c, struct span challenge, struct span *ret_response)
{
	int r;

	free_response(c);
	/* Some servers go on asking when all was said. */
	if (c->done)
		return false;
	r = gsasl_step(c->session, challenge.n == 0 ? "" : challenge.p, challenge.n, &c->response,
		       &c->response_n);
	c->done = r == GSASL_OK;
	if (r != GSASL_OK && r != GSASL_NEEDS_MORE)
		return false;
	*ret_response = span_of(c->response, c->response_n);
	return true;
}

bool sasl_client_done(const struct sasl_client *c)
{
	return c->done || !c->way->proves_server;
}

bool sasl_apop_digest(struct span timestamp, const char *password,
		      char ret_digest[static APOP_DIGEST_MAX])
{
	unsigned char md5[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *const ctx = EVP_MD_CTX_new();
	EVP_MD *const md = EVP_MD_fetch(NULL, "MD5", NULL);
	const bool ok = ctx != NULL && md != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
			EVP_DigestUpdate(ctx, timestamp.p, timestamp.n) == 1 &&
			EVP_DigestUpdate(ctx, password, strlen(password)) == 1 &&
			EVP_DigestFinal_ex(ctx, md5, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	for (size_t i = 0; i < 16 && ok; i++)
		(void)snprintf(ret_digest + 2 * i, 3, "%02x", md5[i]);
	return ok;
}
