/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/conn.h"
#include "net/conn_priv.h"
#include "net/tls_server.h"

static const char *last_reason = "";

/*
 * What a TLS call that gave r means, as negative errno; 0 for the peer's
 * close_notify. *ret_other is set when the call waits for the other direction.
 */
static int outcome(struct conn *c, int r, int other, bool *ret_other)
{
	const int sys_errno = errno;
	const int error = SSL_get_error(c->_ssl, r);

	*ret_other = error == other;
	switch (error) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		break;
	}

	const unsigned long code = ERR_peek_error();
	const char *const reason = ERR_reason_error_string(code);

	c->_failed = true;
	ERR_clear_error();
	/* Many peers never say close_notify: for them it is the line that broke. */
	if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return sys_errno > 0 && error == SSL_ERROR_SYSCALL ? -sys_errno : -ECONNRESET;
	last_reason = reason != NULL ? reason : "unknown";
	return -EPROTO;
}

static int start_tls(struct conn *c, SSL *ssl)
{
	assert(c->_ssl == NULL);
	if (ssl == NULL || SSL_set_fd(ssl, c->_fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return -ENOMEM;
	}
	/* Head and body of a record in one system call. */
	SSL_set_read_ahead(ssl, 1);
	c->_ssl = ssl;
	c->_handshaking = true;
	return 0;
}

int conn_start_tls(struct conn *c, const struct tls_server *server, const char *protocol)
{
	SSL *const ssl = SSL_new(tls_server_context(server));

	c->_alpn = protocol;
	if (ssl != NULL) {
		SSL_set_app_data(ssl, c);
		SSL_set_accept_state(ssl);
	}
	return start_tls(c, ssl);
}

int conn_start_tls_client(struct conn *c, SSL_CTX *ctx, SSL_SESSION *session)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl != NULL)
		SSL_set_connect_state(ssl);
	if (ssl != NULL && session != NULL && SSL_set_session(ssl, session) != 1) {
		SSL_free(ssl);
		ssl = NULL;
	}
	return start_tls(c, ssl);
}

int conn_handshake(struct conn *c)
{
	bool wants_write;

	assert(c->_handshaking);
	if (c->_failed)
		return -ECONNRESET;
	ERR_clear_error();

	const int r = SSL_do_handshake(c->_ssl);

	if (r == 1) {
		c->_handshaking = false;
		c->_read_wants_write = false;
		/* The first command may have come with the handshake's last flight. */
		c->_may_read = true;
		c->_ktls = BIO_get_ktls_send(SSL_get_wbio(c->_ssl)) != 0;
		return 0;
	}

	const int e = outcome(c, r, SSL_ERROR_WANT_WRITE, &wants_write);

	c->_read_wants_write = wants_write;
	c->_may_read = false;
	if (e == 0) {
		c->_failed = true;
		return -ECONNRESET;
	}
	return e;
}

ssize_t conn_tls_read(struct conn *c, void *p, size_t n)
{
	bool wants_write = false;
	size_t got;

	ERR_clear_error();

	const int r = SSL_read_ex(c->_ssl, p, n, &got);

	if (r == 1) {
		c->_read_wants_write = false;
		c->received += got;
		if (got < n && !SSL_has_pending(c->_ssl))
			c->_may_read = false;
		return (ssize_t)got;
	}

	const int e = outcome(c, r, SSL_ERROR_WANT_WRITE, &wants_write);

	c->_read_wants_write = wants_write;
	c->_may_read = false;
	return e;
}

ssize_t conn_tls_write(struct conn *c, const void *p, size_t n)
{
	bool wants_read = false;
	size_t put;

	ERR_clear_error();

	const int r = SSL_write_ex(c->_ssl, p, n, &put);

	if (r == 1) {
		c->_write_wants_read = false;
		c->sent += put;
		return (ssize_t)put;
	}

	const int e = outcome(c, r, SSL_ERROR_WANT_READ, &wants_read);

	c->_write_wants_read = wants_read;
	return e == 0 ? -EPIPE : e;
}

ssize_t conn_tls_sendfile(struct conn *c, int file, uint64_t offset, size_t n)
{
	bool wants_read = false;

	ERR_clear_error();

	const ossl_ssize_t put = SSL_sendfile(c->_ssl, file, (off_t)offset, n, 0);

	if (put >= 0) {
		c->_write_wants_read = false;
		c->sent += (uint64_t)put;
		return put;
	}

	const int e = outcome(c, (int)put, SSL_ERROR_WANT_READ, &wants_read);

	c->_write_wants_read = wants_read;
	return e == 0 ? -EPIPE : e;
}

void conn_tls_shutdown(struct conn *c)
{
	if (c->_failed || c->_handshaking)
		return;
	/* One alert; if the socket has no room for it, the peer does without. */
	ERR_clear_error();
	if ((SSL_get_shutdown(c->_ssl) & SSL_SENT_SHUTDOWN) == 0)
		(void)SSL_shutdown(c->_ssl);
	ERR_clear_error();
}

bool conn_tls_resumed(const struct conn *c)
{
	return c->_ssl != NULL && SSL_session_reused(c->_ssl) == 1;
}

const char *conn_tls_version(const struct conn *c)
{
	return c->_ssl != NULL ? SSL_get_version(c->_ssl) : NULL;
}

const char *conn_tls_cipher(const struct conn *c)
{
	return c->_ssl != NULL ? SSL_get_cipher_name(c->_ssl) : NULL;
}

/* The first Finished of the handshake: the client's, or the server's when it resumed. */
static size_t first_finished(const SSL *ssl, uint8_t *octets, size_t cap)
{
	const bool ours = (SSL_is_server(ssl) == 1) == (SSL_session_reused(ssl) == 1);

	return ours ? SSL_get_finished(ssl, octets, cap) : SSL_get_peer_finished(ssl, octets, cap);
}

enum conn_binding conn_tls_binding(const struct conn *c, uint8_t ret_octets[CONN_BINDING_MAX],
				   size_t *ret_n)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (c->_ssl == NULL || c->_handshaking)
		return CONN_BINDING_NONE;
	if (SSL_version(c->_ssl) >= TLS1_3_VERSION) {
		ERR_clear_error();
		if (SSL_export_keying_material(c->_ssl, ret_octets, CONN_BINDING_MAX, label,
					       sizeof(label) - 1, NULL, 0, 1) != 1)
			return CONN_BINDING_NONE;
		*ret_n = CONN_BINDING_MAX;
		return CONN_BINDING_TLS_EXPORTER;
	}
	if (SSL_get_extms_support(c->_ssl) != 1)
		return CONN_BINDING_NONE;
	*ret_n = first_finished(c->_ssl, ret_octets, CONN_BINDING_MAX);
	return *ret_n > 0 && *ret_n <= CONN_BINDING_MAX ? CONN_BINDING_TLS_UNIQUE
							: CONN_BINDING_NONE;
}

const char *conn_tls_reason(void)
{
	return last_reason;
}
