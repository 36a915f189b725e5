/* SPDX-License-Identifier: MIT */
#include "net/tls_server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "net/conn.h"

/* Takes OpenSSL's first word on what went wrong, which is nearest to the cause. */
static int tls_error(struct err *err, const char *what, const char *name)
{
	const unsigned long code = ERR_get_error();
	const char *const reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set(err, EINVAL, "%s '%s': %s", what, name,
		       reason != NULL ? reason : "no reason given");
}

/* OpenSSL says little about a file that can't be opened at all. */
static int check_readable(const char *file, struct err *err)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", file);
	(void)close(fd);
	return 0;
}

/* A key that needs a password: say that it can't be used, ask no terminal. */
static int no_password(char *p, int size, int writing, void *arg)
{
	(void)p;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int load_files(SSL_CTX *ctx, const struct tls_server_options *o, struct err *err)
{
	const char *const key = o->key[0] != '\0' ? o->key : o->certificate;
	int r = check_readable(o->certificate, err);

	if (r == 0)
		r = check_readable(key, err);
	if (r < 0)
		return r;
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1)
		return tls_error(err, "cannot use the certificate", o->certificate);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return tls_error(err, "cannot use the key", key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_error(err, "the key doesn't belong to the certificate:", key);
	return 0;
}

static int set_protocol(SSL_CTX *ctx, const struct tls_server_options *o, struct err *err)
{
	const int version = o->min_version >= 13 ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (SSL_CTX_set_min_proto_version(ctx, version) != 1)
		return tls_error(err, "cannot set the oldest TLS version", "tls_min_version");
	if (o->ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1)
		return tls_error(err, "cannot use the ciphers", o->ciphers);
	/* A weak group or signature would be the weakest link; these are RFC 9325's, fastest first.
	 */
	if (SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1)
		return tls_error(err, "cannot use the groups", "X25519:P-256:P-384");
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_ENABLE_KTLS |
					 SSL_OP_CLEANSE_PLAINTEXT);
	return 0;
}

/*
 * RFC 7301 section 3.2: among what the client offers, the protocol that is spoken on
 * this connection, or no connection: who offers HTTP only was sent here by somebody
 * who wants our answers taken for another server's (ALPACA).
 */
static int on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_n,
		   const unsigned char *offered, unsigned n, void *arg)
{
	const struct conn *const c = SSL_get_app_data(ssl);
	const char *const ours = c != NULL ? c->_alpn : NULL;

	(void)arg;
	if (ours == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	/* OpenSSL has looked: names of one octet at least, and none beyond the end. */
	for (unsigned at = 0; at < n; at += 1U + offered[at]) {
		if (offered[at] == strlen(ours) &&
		    memcmp(offered + at + 1, ours, offered[at]) == 0) {
			*ret_name = offered + at + 1;
			*ret_n = offered[at];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int tls_server_new(const struct tls_server_options *o, SSL_CTX **ret_ctx, struct err *err)
{
	static const unsigned char session_id_context[] = "restante";
	SSL_CTX *const ctx = SSL_CTX_new(TLS_server_method());
	int r;

	assert(o->min_version == 12 || o->min_version == 13);
	if (ctx == NULL)
		return err_sys(err, ENOMEM, "cannot make a TLS context");
	r = set_protocol(ctx, o, err);
	if (r == 0)
		r = load_files(ctx, o, err);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	/* Ten thousand idle connections: buffers of 34 KiB each are had only while in use. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/*
	 * Or one call would go on reading as long as a peer sends records that carry
	 * nothing, such as key updates: they cost it less than us. Now it comes back
	 * after a buffer of them.
	 */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	/* Resumption by ticket only: a cache would grow with strangers' connections. */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_session_id_context(ctx, session_id_context,
					     sizeof(session_id_context) - 1);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	/* One ticket: a mail client makes one connection at a time. */
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	*ret_ctx = ctx;
	return 0;
}

void tls_server_free(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}
