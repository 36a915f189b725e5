/* SPDX-License-Identifier: MIT */
#include "server/tls_options.h"

#include <assert.h>

#include "base/log.h"

void tls_options_log(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_WARN, "tls", log_str("notice", text));
}

void tls_options_fill(const struct config *c, struct tls_options *ret)
{
	size_t n = 0;

	assert(config_has_tls(c));
	if (c->tls_certificate[0] != '\0')
		ret->pairs[n++] = (struct tls_pair){.certificate = c->tls_certificate,
						    .key = c->tls_key};
	for (uint32_t i = 0; i < c->n_tls_certificates; i++)
		ret->pairs[n++] = (struct tls_pair){
			.certificate = c->tls_certificates[i].certificate,
			.key = c->tls_certificates[i].key};
	ret->server = (struct tls_server_options){
		.pairs = ret->pairs,
		.n_pairs = n,
		.min_version = c->tls_min_version,
		.ciphers = c->tls_ciphers,
		.client_ca = c->tls_client_ca,
	};
}
