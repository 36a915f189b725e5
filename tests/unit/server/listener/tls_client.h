/* SPDX-License-Identifier: MIT */
/*
 * tls_client.h - a client that speaks TLS over a descriptor, waiting for each step.
 */
#pragma once

#include <openssl/ssl.h>

#include "listener_peers.h"

static SSL_CTX *tls_client_ctx;

static inline SSL *tls_client_begin(int fd)
{
	if (tls_client_ctx == NULL)
		tls_client_ctx = SSL_CTX_new(TLS_client_method());

	SSL *const ssl = SSL_new(tls_client_ctx);

	assert_non_null(ssl);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	assert_int_equal(SSL_connect(ssl), 1);
	return ssl;
}

static inline void tls_say(SSL *ssl, const char *text)
{
	assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

static inline void tls_hear(SSL *ssl, const char *wanted)
{
	char line[512];
	size_t n = 0;

	do {
		assert_true(n < sizeof(line));
		assert_int_equal(SSL_read(ssl, line + n, 1), 1);
	} while (line[n++] != '\n');
	assert_true(n >= 2 && line[n - 2] == '\r');
	line[n - 2] = '\0';
	assert_string_equal(line, wanted);
}

/* The server has said close_notify, and nothing before it. */
static inline void tls_hear_end(SSL *ssl, int fd)
{
	char c;

	assert_int_equal(SSL_read(ssl, &c, 1), 0);
	assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
	SSL_free(ssl);
	hear_nothing_more(fd);
}

static inline void tls_client_done(void)
{
	SSL_CTX_free(tls_client_ctx);
	tls_client_ctx = NULL;
}
