/* SPDX-License-Identifier: MIT */
#include "net/stream_priv.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

/* RFC 1035 section 2.3.4, and a NUL. */
#define HOST_MAX 256

/* What a TLS call that gave r means: see stream_priv.h. */
static int outcome(struct stream *s, int r, short *ret_events)
{
	const int sys_errno = errno;
	const int error = SSL_get_error(s->_ssl, r);

	switch (error) {
	case SSL_ERROR_WANT_READ:
		*ret_events = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*ret_events = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		break;
	}

	/* The first is nearest to the cause, and the last says what was being done. */
	const unsigned long code = ERR_peek_error();
	const unsigned long last = ERR_peek_last_error();
	const char *const reason = ERR_reason_error_string(code);

	ERR_clear_error();
	if (code == 0)
		return error == SSL_ERROR_SYSCALL && sys_errno > 0 ? -sys_errno : -ECONNRESET;
	if (ERR_GET_LIB(last) == ERR_LIB_SSL &&
	    ERR_GET_REASON(last) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		/* Why it was refused says more than that it was. */
		s->_reason = X509_verify_cert_error_string(SSL_get_verify_result(s->_ssl));
		return -EKEYREJECTED;
	}
	s->_reason = reason != NULL ? reason : "no reason given";
	return ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? -ECONNRESET : -EPROTO;
}

ssize_t stream_tls_read(struct stream *s, void *p, size_t n, short *ret_events)
{
	size_t got;

	ERR_clear_error();

	const int r = SSL_read_ex(s->_ssl, p, n, &got);

	return r == 1 ? (ssize_t)got : outcome(s, r, ret_events);
}

ssize_t stream_tls_write(struct stream *s, const void *p, size_t n, short *ret_events)
{
	size_t put;

	ERR_clear_error();

	const int r = SSL_write_ex(s->_ssl, p, n, &put);

	if (r == 1)
		return (ssize_t)put;

	const int e = outcome(s, r, ret_events);

	return e == 0 ? -EPIPE : e;
}

void stream_tls_shutdown(struct stream *s)
{
	/* One alert; if the socket has no room for it, the peer does without. */
	ERR_clear_error();
	(void)SSL_shutdown(s->_ssl);
	ERR_clear_error();
}

/* Whom the certificate must name; a name is sent as SNI, too (RFC 6066 section 3). */
static bool set_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *const param = SSL_get0_param(ssl);
	char name[HOST_MAX];
	size_t n = strlen(host);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
		return true;
	/* "pop.example.org." is the same host, and no certificate writes it so. */
	if (n > 0 && host[n - 1] == '.')
		n--;
	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

static int handshake(struct stream *s)
{
	const uint64_t until_ms = stream_until_ms(s);
	int e = 0;

	while (e == 0) {
		short events;

		ERR_clear_error();

		const int r = SSL_connect(s->_ssl);

		if (r == 1)
			return 0;
		e = outcome(s, r, &events);
		if (e == -EAGAIN)
			e = stream_wait(s, events, until_ms);
		else if (e == 0) /* goodbye instead of hello */
			e = -ECONNRESET;
	}
	return e;
}

int stream_start_tls(struct stream *s, SSL_CTX *ctx, struct err *err)
{
	assert(s->_ssl == NULL);
	if (s->_failed != 0)
		return stream_fail(s, s->_failed, "cannot begin TLS with", err);

	SSL *const ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, s->_fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return stream_fail(s, -ENOMEM, "cannot begin TLS with", err);
	}
	if (!set_host(ssl, s->host)) {
		SSL_free(ssl);
		ERR_clear_error();
		return stream_fail(s, -EINVAL, "cannot begin TLS with", err);
	}
	/* Head and body of a record in one system call. */
	SSL_set_read_ahead(ssl, 1);
	s->_ssl = ssl;

	const int r = handshake(s);

	return r < 0 ? stream_fail(s, r, "cannot begin TLS with", err) : 0;
}

const char *stream_tls_version(const struct stream *s)
{
	return s->_ssl != NULL ? SSL_get_version(s->_ssl) : NULL;
}

const char *stream_tls_cipher(const struct stream *s)
{
	return s->_ssl != NULL ? SSL_get_cipher_name(s->_ssl) : NULL;
}

bool stream_tls_peer_key(const struct stream *s, uint8_t ret_digest[static 32])
{
	X509 *const peer = s->_ssl != NULL ? SSL_get0_peer_certificate(s->_ssl) : NULL;
	const X509_PUBKEY *const key = peer != NULL ? X509_get_X509_PUBKEY(peer) : NULL;
	unsigned char *octets = NULL;
	const int n = key != NULL ? i2d_X509_PUBKEY(key, &octets) : -1;
	const bool ok = n > 0 &&
			EVP_Digest(octets, (size_t)n, ret_digest, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(octets);
	return ok;
}
