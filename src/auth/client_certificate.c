/* SPDX-License-Identifier: MIT */
#include "auth/client_certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct client_authority {
	X509_STORE *store; /* Owned */
};

static bool has_crl(X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *const objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL)
			return true;
	}
	return false;
}

int client_authority_new(const char *file, struct client_authority **ret_authority, struct err *err)
{
	struct client_authority *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->store = X509_STORE_new();
	if (a == NULL || a->store == NULL) {
		client_authority_free(a);
		return err_sys(err, ENOMEM, "cannot read '%s'", file);
	}
	ERR_clear_error();
	if (X509_STORE_load_file(a->store, file) != 1) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());
		const int r = err_set(err, EINVAL, "cannot use the CA certificates '%s': %s", file,
				      reason != NULL ? reason : "unknown");

		ERR_clear_error();
		client_authority_free(a);
		return r;
	}
	(void)X509_STORE_set_flags(a->store,
				   X509_V_FLAG_PARTIAL_CHAIN |
					   (has_crl(a->store) ? X509_V_FLAG_CRL_CHECK : 0));
	*ret_authority = a;
	return 0;
}

void client_authority_free(struct client_authority *a)
{
	if (a == NULL)
		return;
	X509_STORE_free(a->store);
	free(a);
}

/* NULL when somebody vouches for it. */
static const char *wrong_chain(const struct client_authority *a, X509 *cert)
{
	X509_STORE_CTX *const ctx = X509_STORE_CTX_new();
	const char *why = "no-memory";

	if (ctx != NULL && X509_STORE_CTX_init(ctx, a->store, cert, NULL) == 1 &&
	    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1) {
		(void)X509_verify_cert(ctx);
		switch (X509_STORE_CTX_get_error(ctx)) {
		case X509_V_OK:
			why = NULL;
			break;
		case X509_V_ERR_CERT_HAS_EXPIRED:
		case X509_V_ERR_CERT_NOT_YET_VALID:
			why = "certificate-not-current";
			break;
		case X509_V_ERR_CERT_REVOKED:
			why = "certificate-revoked";
			break;
		case X509_V_ERR_UNABLE_TO_GET_CRL:
		case X509_V_ERR_CRL_HAS_EXPIRED:
			why = "no-current-crl";
			break;
		default:
			why = "certificate-not-trusted";
			break;
		}
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return why;
}

/* What can't be a user's name is none: with a NUL in it, somebody would be taken for another. */
static void add_name(struct client_names *names, const unsigned char *octets, int n)
{
	const struct span name = span_of((const char *)octets, n > 0 ? (size_t)n : 0);

	if (names->n == CLIENT_NAMES_MAX || name.n == 0 || name.n > LIMIT_USER ||
	    span_find(name, '\0') < name.n)
		return;
	memcpy(names->name[names->n], name.p, name.n);
	names->name[names->n++][name.n] = '\0';
}

static void add_emails(const X509 *cert, struct client_names *names)
{
	GENERAL_NAMES *const all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *const one = sk_GENERAL_NAME_value(all, i);

		if (one->type == GEN_EMAIL)
			add_name(names, ASN1_STRING_get0_data(one->d.rfc822Name),
				 ASN1_STRING_length(one->d.rfc822Name));
	}
	GENERAL_NAMES_free(all);
}

/* The only one: of two, nobody knows which the CA has looked at. */
static void add_common_name(const X509 *cert, struct client_names *names)
{
	const X509_NAME *const subject = X509_get_subject_name(cert);
	const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return;

	const int n = ASN1_STRING_to_UTF8(
		&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));

	if (n > 0)
		add_name(names, text, n);
	OPENSSL_free(text);
}

const char *client_certificate_names(const struct client_authority *a, struct span der,
				     enum client_name_field field, struct client_names *ret_names)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *const cert = d2i_X509(NULL, &p, (long)der.n);
	const char *why = "certificate-malformed";

	*ret_names = (struct client_names){.n = 0};
	if (cert != NULL && (const char *)p == der.p + der.n)
		why = wrong_chain(a, cert);
	if (why == NULL) {
		if (field == CLIENT_NAME_EMAIL)
			add_emails(cert, ret_names);
		else
			add_common_name(cert, ret_names);
		if (ret_names->n == 0)
			why = "certificate-names-no-user";
	}
	X509_free(cert);
	ERR_clear_error();
	return why;
}
