/* SPDX-License-Identifier: MIT */
/*
 * OAUTHBEARER (RFC 7628) and XOAUTH2: one message with a token, and where the token is no good
 * one more exchange, in which the client hears why. What the client says to that is nothing
 * that matters: the exchange has failed.
 */
#include "auth/sasl_server_priv.h"

#include <assert.h>
#include <string.h>

#include "codec/sasl/sasl_oauth.h"

enum sasl_status sasl_take_token(struct sasl_session *s, struct span message)
{
	struct sasl_oauth it;

	if (s->refused)
		return SASL_FAILED;
	if (message.n > LIMIT_SASL_OCTETS ||
	    !(s->mechanism->xoauth2 ? sasl_oauth_parse_xoauth2(message, &it)
				    : sasl_oauth_parse_bearer(message, &it)))
		return SASL_MALFORMED;
	memcpy(s->user, it.user, sizeof(s->user));
	return buf_put(&s->held, it.token) < 0 || buf_str(&s->held) == NULL ? SASL_NO_MEMORY
									    : SASL_TOKEN;
}

const char *sasl_session_token(struct sasl_session *s)
{
	assert(s->held.n > 0);
	return buf_str(&s->held);
}

enum sasl_status sasl_session_refuse_token(struct sasl_session *s, const char *status,
					   const char *scope)
{
	char text[SASL_ERROR_MAX];
	struct out out = {.p = text, .cap = sizeof(text)};

	s->refused = true;
	s->challenge.n = 0;
	/* A scope that is too long to be told is no reason to let anybody in. */
	if (!sasl_oauth_put_error(&out, s->mechanism->xoauth2, span_str(status), span_str(scope)) &&
	    !sasl_oauth_put_error(&out, s->mechanism->xoauth2, span_str(status), span_str("")))
		return SASL_FAILED;
	return buf_put(&s->challenge, out_span(&out)) < 0 ? SASL_NO_MEMORY : SASL_CHALLENGE;
}
