/* SPDX-License-Identifier: MIT */
#include "net/tls_ocsp.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* RFC 7633: the number of the extension that must be in the handshake. */
#define FEATURE_STATUS_REQUEST 5

static int64_t seconds_of(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MIN;
}

/* Signed by the authority itself, or by somebody whom it has appointed for that. */
static bool is_signed(OCSP_BASICRESP *basic, STACK_OF(X509) * chain, X509 *issuer)
{
	X509_STORE *const store = X509_STORE_new();
	bool ok;

	if (store == NULL)
		return false;
	/* The issuer is most often no root, and there is no need to look further up. */
	ok = X509_STORE_add_cert(store, issuer) == 1 &&
	     X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
	     OCSP_basic_verify(basic, chain, store, 0) == 1;
	X509_STORE_free(store);
	ERR_clear_error();
	return ok;
}

static bool is_about(const OCSP_SINGLERESP *single, const X509 *leaf, const X509 *issuer)
{
	OCSP_CERTID *const theirs = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *digest;
	OCSP_CERTID *ours;
	bool same;

	if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, theirs) != 1 ||
	    EVP_get_digestbyobj(digest) == NULL)
		return false;
	ours = OCSP_cert_to_id(EVP_get_digestbyobj(digest), leaf, issuer);
	same = ours != NULL && OCSP_id_cmp(ours, theirs) == 0;
	OCSP_CERTID_free(ours);
	return same;
}

/* NULL, or what is wrong with it. */
static const char *take_dates(OCSP_SINGLERESP *single, int64_t now, struct tls_ocsp *o)
{
	ASN1_GENERALIZEDTIME *from;
	ASN1_GENERALIZEDTIME *until;
	const int status = OCSP_single_get0_status(single, NULL, NULL, &from, &until);

	if (status == V_OCSP_CERTSTATUS_UNKNOWN)
		return "it says that the certificate is unknown";
	o->revoked = status == V_OCSP_CERTSTATUS_REVOKED;
	/* Without an end nobody can tell whether it is still true. */
	if (until == NULL)
		return "it doesn't say until when it is good";
	o->from = seconds_of(from);
	o->until = seconds_of(until);
	if (o->from == INT64_MIN || o->until == INT64_MIN)
		return "its dates can't be read";
	return now >= o->until ? "it is stale" : NULL;
}

static const char *check(OCSP_RESPONSE *response, const X509 *leaf, STACK_OF(X509) * chain,
			 int64_t now, struct tls_ocsp *o)
{
	X509 *const issuer = sk_X509_value(chain, 0);
	OCSP_BASICRESP *basic;
	const char *wrong = "it is about another certificate";

	if (issuer == NULL)
		return "the certificate's file doesn't have the issuer's behind it";
	if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return "it is no answer but an error";
	basic = OCSP_response_get1_basic(response);
	if (basic == NULL)
		return "it is no basic response";
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		if (is_about(OCSP_resp_get0(basic, i), leaf, issuer)) {
			wrong = take_dates(OCSP_resp_get0(basic, i), now, o);
			break;
		}
	}
	if (wrong == NULL && !is_signed(basic, chain, issuer))
		wrong = "it isn't signed by the certificate's issuer";
	OCSP_BASICRESP_free(basic);
	return wrong;
}

/* NULL with errno set when it can't be opened; empty when it holds no response. */
static OCSP_RESPONSE *read_response(FILE *f)
{
	BIO *const bio = BIO_new_fp(f, BIO_NOCLOSE);
	OCSP_RESPONSE *const response = bio == NULL ? NULL : d2i_OCSP_RESPONSE_bio(bio, NULL);

	BIO_free(bio);
	ERR_clear_error();
	return response;
}

int tls_ocsp_load(const char *file, X509 *leaf, STACK_OF(X509) * chain, int64_t now,
		  struct tls_ocsp *ret_ocsp, struct err *err)
{
	FILE *const f = fopen(file, "re");
	OCSP_RESPONSE *response;
	struct tls_ocsp o = {.der = NULL};
	const char *wrong;

	*ret_ocsp = o;
	if (f == NULL)
		return errno == ENOENT ? 0 : err_sys(err, errno, "cannot open '%s'", file);
	response = read_response(f);
	(void)fclose(f);
	wrong = response == NULL ? "it is no OCSP response in DER"
				 : check(response, leaf, chain, now, &o);
	if (wrong == NULL) {
		const int n = i2d_OCSP_RESPONSE(response, &o.der);

		o.n = n > 0 ? (size_t)n : 0;
		wrong = n > 0 ? NULL : "it can't be written again";
	}
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	if (wrong != NULL)
		return err_set(err, EINVAL, "the OCSP response '%s' can't be used: %s", file,
			       wrong);
	*ret_ocsp = o;
	return 0;
}

void tls_ocsp_done(struct tls_ocsp *o)
{
	OPENSSL_free(o->der);
	memset(o, 0, sizeof(*o));
}

bool tls_ocsp_is_required(const X509 *leaf)
{
	TLS_FEATURE *const features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool required = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		required |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
			    FEATURE_STATUS_REQUEST;
	TLS_FEATURE_free(features);
	return required;
}
