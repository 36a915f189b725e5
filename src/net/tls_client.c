/* SPDX-License-Identifier: MIT */
#include "net/tls_client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

static const char *last_reason(void)
{
	const char *const reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return reason != NULL ? reason : "no reason given";
}

static int load_cafile(SSL_CTX *ctx, const char *file, struct err *err)
{
	/* OpenSSL says little about a file that can't be opened at all. */
	const int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", file);
	(void)close(fd);
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(ctx, file) != 1)
		return err_set(err, EINVAL, "cannot read certificates from '%s': %s", file,
			       last_reason());
	return 0;
}

static bool is_there(const char *variable, const char *path)
{
	const char *const other = secure_getenv(variable);

	return access(other != NULL ? other : path, R_OK) == 0;
}

/* Without one, every certificate would be refused with words that don't say why. */
static int load_system_store(SSL_CTX *ctx, struct err *err)
{
	if (!is_there(X509_get_default_cert_file_env(), X509_get_default_cert_file()) &&
	    !is_there(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()))
		return err_set(err, ENOENT,
			       "this system has no store of trusted certificates at '%s'",
			       X509_get_default_cert_dir());
	ERR_clear_error();
	if (SSL_CTX_set_default_verify_paths(ctx) != 1)
		return err_set(err, EINVAL,
			       "cannot use the system's store of trusted certificates: %s",
			       last_reason());
	return 0;
}

static int set_trust(SSL_CTX *ctx, const struct tls_client_options *o, struct err *err)
{
	if (o->trust == TLS_CLIENT_ACCEPT_ANY_CERTIFICATE_EVEN_AN_ATTACKERS) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return o->cafile != NULL && o->cafile[0] != '\0' ? load_cafile(ctx, o->cafile, err)
							 : load_system_store(ctx, err);
}

static int set_protocol(SSL_CTX *ctx, const struct tls_client_options *o, struct err *err)
{
	static const unsigned char alpn[] = "\x04pop3";
	const int version = o->min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;

	ERR_clear_error();
	/* SSL_CTX_set_alpn_protos() is the one that says 0 when it went well. */
	if (SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    (o->alpn_pop3 && SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) != 0))
		return err_set(err, EINVAL, "cannot set up TLS: %s", last_reason());
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A server that sends records without data must not hold a call for ever: tls_server.c. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	return 0;
}

int tls_client_new(const struct tls_client_options *o, SSL_CTX **ret_ctx, struct err *err)
{
	SSL_CTX *const ctx = SSL_CTX_new(TLS_client_method());
	int r;

	assert(o->min_version == 0 || o->min_version == 12 || o->min_version == 13);
	if (ctx == NULL)
		return err_sys(err, ENOMEM, "cannot set up TLS");
	r = set_protocol(ctx, o, err);
	if (r == 0)
		r = set_trust(ctx, o, err);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret_ctx = ctx;
	return 0;
}

void tls_client_free(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}
