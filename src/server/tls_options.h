/* SPDX-License-Identifier: MIT */
/*
 * tls_options.h - what the configuration says of TLS, in net's words.
 */
#pragma once

#include "net/tls_server.h"
#include "server/config.h"

struct tls_options {
	struct tls_server_options server;
	struct tls_pair pairs[1 + CONFIG_CERTIFICATES_MAX];
};

/*
 * Fills *ret_options from a configuration with a certificate, and points into both.
 * Nobody hears of notices until tls_options_log is put in.
 */
void tls_options_fill(const struct config *config, struct tls_options *ret_options);

/* A tls_on_notice: writes a line into the log. */
void tls_options_log(void *arg, const char *text);
