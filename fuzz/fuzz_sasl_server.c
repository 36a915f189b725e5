/* SPDX-License-Identifier: MIT */
/*
 * A SASL exchange: the first octet chooses the mechanism, and lines are the client's messages.
 * Whatever is said, nobody proves to know a key that nobody knows.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/sasl_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int true_always)
{
	if (!true_always)
		abort();
}

static struct span take_line(struct span *text)
{
	const size_t n = span_find(*text, '\n');
	const struct span line = span_of(text->p, n);

	span_skip(text, n < text->n ? n + 1 : n);
	return line;
}

/* What the caller would do next. False: the exchange is over. */
static bool go_on(struct sasl_session *s, enum sasl_status *status)
{
	static const struct scram_keys keys = {.iterations = 4096,
					       .n_salt = 4,
					       .salt = "salt",
					       .stored = "nobody's",
					       .server = "x"};

	switch (*status) {
	case SASL_WANT_KEYS:
		*status = sasl_session_keys(s, &keys);
		return *status == SASL_CHALLENGE;
	case SASL_WANT_SECRET:
		*status = sasl_session_secret(s, "a secret of 128 bits, or more");
		return *status == SASL_CHALLENGE;
	case SASL_TOKEN:
		need(sasl_session_token(s)[0] != '\0');
		*status = sasl_session_refuse_token(s, "invalid_token", "mail");
		return *status == SASL_CHALLENGE;
	case SASL_CHALLENGE:
		return true;
	default:
		return false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sasl_context *context;
	struct span text = span_of((const char *)data, size);
	enum sasl_status status;
	unsigned n = 0;

	if (context == NULL)
		context = sasl_context_new("mail.example.org");
	need(context != NULL);
	if (size == 0)
		return 0;
	while (sasl_mechanism_at(n) != NULL)
		n++;

	const struct sasl_mechanism *m = sasl_mechanism_at(data[0] % n);
	struct sasl_session *s = sasl_session_new(context, m);

	need(s != NULL);
	span_skip(&text, 1);
	if (m->binds)
		sasl_session_bind(s, SASL_BINDING_TLS_SERVER_END_POINT,
				  SPAN_LIT("a certificate's"));
	status = sasl_session_start(s, true, take_line(&text));
	for (unsigned i = 0; i < 8 && go_on(s, &status); i++)
		status = sasl_session_step(s, take_line(&text));
	need(status != SASL_PROVED);
	sasl_session_free(s);
	return 0;
}
