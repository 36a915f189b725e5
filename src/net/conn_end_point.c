/* SPDX-License-Identifier: MIT */
/* tls-server-end-point (RFC 5929 section 4): the hash of the certificate that we have shown. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/conn.h"

/* Section 4.1: that of its signature, but nothing as weak as MD5 and SHA-1. NULL: undefined. */
static const EVP_MD *hash_of(X509 *cert)
{
	int nid = NID_undef;

	if (X509_get_signature_info(cert, &nid, NULL, NULL, NULL) != 1)
		return NULL;
	if (nid == NID_md5 || nid == NID_sha1)
		return EVP_sha256();
	return nid != NID_undef ? EVP_get_digestbynid(nid) : NULL;
}

size_t conn_tls_end_point(const struct conn *c, uint8_t ret_octets[CONN_END_POINT_MAX])
{
	/* A session that goes on has the certificate of another connection, perhaps an older one.
	 */
	X509 *const cert = c->_ssl != NULL && !c->_handshaking && SSL_session_reused(c->_ssl) != 1
				   ? SSL_get_certificate(c->_ssl)
				   : NULL;
	const EVP_MD *const md = cert != NULL ? hash_of(cert) : NULL;
	unsigned n = 0;

	ERR_clear_error();
	if (md == NULL || EVP_MD_get_size(md) > CONN_END_POINT_MAX ||
	    X509_digest(cert, md, ret_octets, &n) != 1)
		return 0;
	return n;
}
