/* SPDX-License-Identifier: MIT */
/*
 * OAuth's messages: the token is within the message and made of what tokens are made of, and no
 * message is both mechanisms'.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/sasl/sasl_oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int true_always)
{
	if (!true_always)
		abort();
}

static void check(const struct sasl_oauth *it, struct span message)
{
	need(it->token.n > 0 && it->token.p >= message.p && it->token.n <= message.n &&
	     (size_t)(it->token.p - message.p) <= message.n - it->token.n);
	for (size_t i = 0; i < it->token.n; i++)
		need(it->token.p[i] > ' ' && it->token.p[i] < 0x7f);
	need(memchr(it->user, '\0', sizeof(it->user)) != NULL);
	/* A name gets into logs. */
	for (const char *c = it->user; *c != '\0'; c++)
		need((unsigned char)*c >= ' ' && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span message = span_of((const char *)data, size);
	struct sasl_oauth it;
	const bool bearer = sasl_oauth_parse_bearer(message, &it);

	if (bearer)
		check(&it, message);
	if (sasl_oauth_parse_xoauth2(message, &it)) {
		check(&it, message);
		need(!bearer && it.user[0] != '\0');
	}
	return 0;
}
