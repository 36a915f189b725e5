/* SPDX-License-Identifier: MIT */
#include "net/tls_clients.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "net/conn.h"
#include "net/tls_server_priv.h"

/*
 * OpenSSL keeps what it has found, for SSL_get_verify_result(). A mail program that shows
 * whatever certificate it happens to have can still log in by password.
 */
static int accept_any(int good, X509_STORE_CTX *ctx)
{
	(void)good;
	(void)ctx;
	return 1;
}

int tls_clients_ask(SSL_CTX *ctx, const char *ca_file, struct err *err)
{
	X509_STORE *const store = X509_STORE_new();

	ERR_clear_error();
	if (store == NULL)
		return err_sys(err, ENOMEM, "cannot make TLS");
	if (X509_STORE_load_file(store, ca_file) != 1 ||
	    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
	    SSL_CTX_set1_verify_cert_store(ctx, store) != 1) {
		X509_STORE_free(store);
		return tls_error(err, "cannot use the CA certificates", ca_file);
	}
	X509_STORE_free(store);

	/* So that a client with several knows which one to show. */
	STACK_OF(X509_NAME) *const names = SSL_load_client_CA_file(ca_file);

	if (names == NULL)
		return tls_error(err, "cannot use the CA certificates", ca_file);
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
	return 0;
}

size_t conn_tls_client_certificate(const struct conn *c, uint8_t *ret_der, size_t cap)
{
	if (c->_ssl == NULL || c->_handshaking || SSL_get_verify_result(c->_ssl) != X509_V_OK)
		return 0;

	X509 *const cert = SSL_get0_peer_certificate(c->_ssl);
	const int n = cert != NULL ? i2d_X509(cert, NULL) : 0;

	if (n <= 0 || (size_t)n > cap)
		return 0;
	return i2d_X509(cert, &ret_der) == n ? (size_t)n : 0;
}
