/* SPDX-License-Identifier: MIT */
#include "net/tls_material.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/tls_remote.h"
#include "net/tls_server_priv.h"
#include "net/tls_signature.h"

/* Takes OpenSSL's first word on what went wrong, which is nearest to the cause. */
int tls_error(struct err *err, const char *what, const char *name)
{
	const unsigned long code = ERR_get_error();
	const char *const reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set(err, EINVAL, "%s '%s': %s", what, name,
		       reason != NULL ? reason : "no reason given");
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

/* OpenSSL says little about a file that can't be opened at all. */
static int open_file(const char *file, BIO **ret_bio, struct err *err)
{
	FILE *const f = fopen(file, "re");
	BIO *bio;

	if (f == NULL)
		return err_sys(err, errno, "cannot open '%s'", file);
	bio = BIO_new_fp(f, BIO_CLOSE);
	if (bio == NULL) {
		(void)fclose(f);
		return err_sys(err, ENOMEM, "cannot read '%s'", file);
	}
	*ret_bio = bio;
	return 0;
}

/* The end of the file is no error; anything else that isn't a certificate is one. */
static bool read_chain(BIO *bio, STACK_OF(X509) * chain)
{
	X509 *x509;

	while ((x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
		if (sk_X509_push(chain, x509) == 0) {
			X509_free(x509);
			return false;
		}
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}

static int read_certificate(const char *file, struct tls_material *m, struct err *err)
{
	BIO *bio;
	int r = open_file(file, &bio, err);

	if (r < 0)
		return r;
	ERR_clear_error();
	m->chain = sk_X509_new_null();
	m->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
	if (m->chain == NULL || m->leaf == NULL || !read_chain(bio, m->chain))
		r = tls_error(err, "cannot use the certificate", file);
	BIO_free(bio);
	return r;
}

static int read_key(const char *file, struct tls_material *m, struct err *err)
{
	BIO *bio;
	int r = open_file(file, &bio, err);

	if (r < 0)
		return r;
	ERR_clear_error();
	m->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (m->key == NULL)
		r = tls_error(err, "cannot use the key", file);
	BIO_free(bio);
	return r;
}

static int find_kind(const char *file, struct tls_material *m, struct err *err)
{
	static const char *const names[TLS_KEY_KINDS] = {
		[TLS_KEY_RSA] = "RSA",
		[TLS_KEY_EC] = "EC",
		[TLS_KEY_ED25519] = "ED25519",
	};

	if (EVP_PKEY_get_size(m->key) > TLS_SIGNATURE_OCTETS_MAX)
		return err_set(err, EINVAL, "cannot use the key '%s': it is longer than 8192 bits",
			       file);
	for (unsigned i = 0; i < TLS_KEY_KINDS; i++) {
		if (EVP_PKEY_is_a(m->key, names[i])) {
			m->kind = (enum tls_key_kind)i;
			return 0;
		}
	}
	return err_set(err, EINVAL, "cannot use the key '%s': it is neither RSA, EC nor Ed25519",
		       file);
}

/* It is shown all the same: the client decides, and no other one is there. */
static void check_dates(const char *file, const struct tls_material *m, tls_on_notice *on_notice,
			void *arg)
{
	const bool expired = X509_cmp_current_time(X509_get0_notAfter(m->leaf)) < 0;
	const bool early = X509_cmp_current_time(X509_get0_notBefore(m->leaf)) > 0;
	char text[ERR_TEXT_MAX];

	if (!expired && !early)
		return;
	(void)snprintf(text, sizeof(text), "the certificate '%.400s' %s", file,
		       expired ? "has expired" : "is not valid yet");
	on_notice(arg, text);
}

/* What the operator should know of the response, or of there being none; NULL: nothing. */
static const char *judge(const struct tls_material *m, int64_t now)
{
	if (m->ocsp.der != NULL && m->ocsp.revoked)
		return "is revoked, its OCSP response says";
	if (tls_ocsp_is_current(&m->ocsp, now))
		return NULL;
	if (tls_ocsp_is_required(m->leaf))
		return "needs an OCSP response, or clients refuse it, and has none";
	return m->ocsp.der != NULL ? "has an OCSP response that is not valid yet" : NULL;
}

/* A response that is of no use is left out: the certificate is as good as without one. */
static void read_ocsp(struct tls_material *m, tls_on_notice *on_notice, void *arg)
{
	const int64_t now = (int64_t)time(NULL);
	char text[ERR_TEXT_MAX];
	char file[PATH_MAX];
	const char *what;
	struct err err;

	if ((size_t)snprintf(file, sizeof(file), "%s" TLS_OCSP_SUFFIX, m->file) >= sizeof(file))
		return;
	if (tls_ocsp_load(file, m->leaf, m->chain, now, &m->ocsp, &err) < 0)
		on_notice(arg, err.text);
	what = judge(m, now);
	if (what != NULL) {
		(void)snprintf(text, sizeof(text), "the certificate '%.400s' %s", m->file, what);
		on_notice(arg, text);
	}
}

int tls_material_load(const struct tls_pair *pair, tls_on_notice *on_notice, void *arg,
		      struct tls_material *ret_material, struct err *err)
{
	struct tls_material m = {.file = strdup(pair->certificate)};
	int r = m.file != NULL ? 0 : err_sys(err, ENOMEM, "cannot read '%s'", pair->certificate);

	if (r == 0)
		r = read_certificate(pair->certificate, &m, err);
	if (r == 0)
		r = pair->key != NULL ? read_key(pair->key, &m, err)
				      : tls_remote_key(X509_get0_pubkey(m.leaf), &m.key, err);
	if (r == 0)
		r = find_kind(pair->key != NULL ? pair->key : pair->certificate, &m, err);
	if (r == 0 && X509_check_private_key(m.leaf, m.key) != 1)
		r = tls_error(err, "the key doesn't belong to the certificate:", pair->key);
	if (r < 0) {
		tls_material_done(&m);
		return r;
	}
	check_dates(pair->certificate, &m, on_notice, arg);
	read_ocsp(&m, on_notice, arg);
	*ret_material = m;
	return 0;
}

void tls_material_done(struct tls_material *m)
{
	free(m->file);
	X509_free(m->leaf);
	sk_X509_pop_free(m->chain, X509_free);
	EVP_PKEY_free(m->key);
	tls_ocsp_done(&m->ocsp);
	memset(m, 0, sizeof(*m));
}
