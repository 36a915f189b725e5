/* SPDX-License-Identifier: MIT */
/* Responses of every kind, made as an authority does, and what a server staples of them. */
#include "net/tls_ocsp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/tls_server.h"
#include "certificates.h"

#define HOUR 3600

static char dir[] = "/tmp/restante-ocsp-XXXXXX";
static char pem[64];
static char file[80];
static struct certificate authority;
static struct certificate stranger; /* another authority */
static struct certificate server;
static struct certificate other; /* of the same authority */
static STACK_OF(X509) * chain;
static char notice[ERR_TEXT_MAX];
static unsigned notices;

/* What a response is to be like. */
struct wish {
	const struct certificate *about;
	const struct certificate *signer;
	int status;
	long from_s; /* from now */
	long until_s;
	bool no_end;
};

static void write_octets(const void *octets, size_t n)
{
	FILE *const f = fopen(file, "w");

	assert_true(f != NULL && fwrite(octets, 1, n, f) == n);
	assert_int_equal(fclose(f), 0);
}

static ASN1_TIME *in(long seconds)
{
	return X509_gmtime_adj(NULL, seconds);
}

static void write_response(const struct wish *w)
{
	OCSP_BASICRESP *const basic = OCSP_BASICRESP_new();
	OCSP_CERTID *const id = OCSP_cert_to_id(EVP_sha1(), w->about->x509, authority.x509);
	ASN1_TIME *const from = in(w->from_s);
	ASN1_TIME *const until = w->no_end ? NULL : in(w->until_s);
	ASN1_TIME *const revoked = in(-HOUR);
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	int n;

	assert_non_null(OCSP_basic_add1_status(basic, id, w->status, 0, revoked, from, until));
	assert_int_equal(
		OCSP_basic_sign(basic, w->signer->x509, w->signer->key, EVP_sha256(), NULL, 0), 1);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	n = i2d_OCSP_RESPONSE(response, &der);
	assert_true(n > 0);
	write_octets(der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	ASN1_TIME_free(revoked);
}

static void is_taken(void)
{
	struct tls_ocsp o;
	struct err err;

	assert_int_equal(tls_ocsp_load(file, server.x509, chain, time(NULL), &o, &err), 0);
	assert_non_null(o.der);
	assert_true(tls_ocsp_is_current(&o, time(NULL)));
	tls_ocsp_done(&o);
}

static void is_refused(const char *why)
{
	struct tls_ocsp o;
	struct err err;

	assert_int_equal(tls_ocsp_load(file, server.x509, chain, time(NULL), &o, &err), -EINVAL);
	assert_non_null(strstr(err.text, file));
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' and not '%s'", err.text, why);
	assert_null(o.der);
	tls_ocsp_done(&o);
}

static void good_ones_are_taken(void **state)
{
	(void)state;
	write_response(&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	is_taken();
	write_response(&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, 60, HOUR, 0});
	is_taken();
	write_response(
		&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_REVOKED, -HOUR, HOUR, 0});
	is_taken();
}

static void bad_ones_are_refused(void **state)
{
	(void)state;
	write_response(&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, -1, 0});
	is_refused("it is stale");
	write_response(&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, 0, 1});
	is_refused("until when");
	write_response(
		&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_UNKNOWN, -HOUR, HOUR, 0});
	is_refused("unknown");
	write_response(&(struct wish){&other, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	is_refused("about another certificate");
	write_response(&(struct wish){&server, &stranger, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	is_refused("isn't signed by");
	/* One that the authority has issued, but not appointed for this. */
	write_response(&(struct wish){&server, &other, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	is_refused("isn't signed by");
	write_octets("", 0);
	is_refused("no OCSP response");
	write_octets("0\3\n\1\3", 5); /* tryLater */
	is_refused("no answer but an error");
	write_octets("-----BEGIN", 10);
	is_refused("no OCSP response");
}

static void without_its_issuer_none_can_be_checked(void **state)
{
	STACK_OF(X509) *const empty = sk_X509_new_null();
	struct tls_ocsp o;
	struct err err;

	(void)state;
	write_response(&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	assert_int_equal(tls_ocsp_load(file, server.x509, empty, time(NULL), &o, &err), -EINVAL);
	assert_non_null(strstr(err.text, "doesn't have the issuer's"));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(tls_ocsp_load(file, server.x509, chain, time(NULL), &o, &err), 0);
	assert_null(o.der);
	sk_X509_free(empty);
}

static void not_yet_is_kept_for_later(void **state)
{
	const int64_t now = time(NULL);
	struct tls_ocsp o;
	struct err err;

	(void)state;
	write_response(
		&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, HOUR, 2 * HOUR, 0});
	assert_int_equal(tls_ocsp_load(file, server.x509, chain, now, &o, &err), 0);
	assert_false(tls_ocsp_is_current(&o, now));
	assert_false(tls_ocsp_is_current(&o, now + HOUR - TLS_OCSP_SKEW_S - 5));
	assert_true(tls_ocsp_is_current(&o, now + HOUR));
	assert_true(tls_ocsp_is_current(&o, now + 2 * HOUR - 5));
	assert_false(tls_ocsp_is_current(&o, now + 2 * HOUR + 5));
	tls_ocsp_done(&o);
}

/* ---- in a handshake ---- */

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	(void)snprintf(notice, sizeof(notice), "%s", text);
	notices++;
}

static struct tls_server *serve(void)
{
	const struct tls_pair pair = {.certificate = pem, .key = pem};
	const struct tls_server_options options = {.pairs = &pair,
						   .n_pairs = 1,
						   .min_version = 12,
						   .ciphers = "",
						   .on_notice = on_notice};
	struct tls_server *s;
	struct err err;

	notices = 0;
	assert_int_equal(tls_server_new(&options, &s, &err), 0);
	return s;
}

/* Octets that are stapled, or -1 for none. */
static long stapled(const struct tls_server *s, bool asks, int version)
{
	SSL_CTX *const ctx = SSL_CTX_new(TLS_client_method());
	SSL *const client = SSL_new(ctx);
	SSL *const peer = SSL_new(tls_server_context(s));
	const unsigned char *response;
	BIO *one;
	BIO *two;
	long n;

	assert_int_equal(BIO_new_bio_pair(&one, 0, &two, 0), 1);
	SSL_set_bio(client, one, one);
	SSL_set_bio(peer, two, two);
	SSL_set_connect_state(client);
	SSL_set_accept_state(peer);
	assert_int_equal(SSL_set_max_proto_version(client, version), 1);
	if (asks)
		assert_int_equal(SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp), 1);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(peer);
	}
	assert_true(SSL_is_init_finished(client));
	n = SSL_get_tlsext_status_ocsp_resp(client, &response);
	SSL_free(client);
	SSL_free(peer);
	SSL_CTX_free(ctx);
	return n;
}

static void who_asks_is_told(void **state)
{
	struct tls_server *s;

	(void)state;
	write_response(&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	s = serve();
	assert_int_equal(notices, 0);
	assert_true(stapled(s, true, TLS1_3_VERSION) > 100);
	assert_true(stapled(s, true, TLS1_2_VERSION) > 100);
	assert_int_equal(stapled(s, false, TLS1_3_VERSION), -1);
	tls_server_free(s);
}

static void what_is_no_good_is_told_once_and_not_stapled(void **state)
{
	struct tls_server *s;

	(void)state;
	write_response(&(struct wish){&other, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, 0});
	s = serve();
	assert_int_equal(notices, 1);
	assert_non_null(strstr(notice, "about another"));
	assert_int_equal(stapled(s, true, TLS1_3_VERSION), -1);
	tls_server_free(s);
	write_response(
		&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, HOUR, 2 * HOUR, 0});
	s = serve();
	assert_int_equal(notices, 1);
	assert_non_null(strstr(notice, "not valid yet"));
	assert_int_equal(stapled(s, true, TLS1_3_VERSION), -1);
	tls_server_free(s);
}

static void one_that_becomes_stale_is_stapled_no_more(void **state)
{
	struct tls_server *s;
	time_t end;

	(void)state;
	do {
		write_response(
			&(struct wish){&server, &authority, V_OCSP_CERTSTATUS_GOOD, -HOUR, 2, 0});
		end = time(NULL) + 3;
		s = serve();
		tls_server_notify(s, on_notice, NULL);
		/* On a machine that is slow, it may be stale before it is read. */
		if (notices != 0)
			tls_server_free(s);
	} while (notices != 0);
	while (time(NULL) < end)
		(void)usleep(100000);
	assert_int_equal(stapled(s, true, TLS1_3_VERSION), -1);
	assert_int_equal(notices, 1);
	assert_non_null(strstr(notice, file));
	assert_int_equal(stapled(s, true, TLS1_3_VERSION), -1);
	assert_int_equal(notices, 1);
	tls_server_free(s);
}

static int set_up(void **state)
{
	FILE *f;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(pem, sizeof(pem), "%s/server.pem", dir);
	(void)snprintf(file, sizeof(file), "%s" TLS_OCSP_SUFFIX, pem);
	authority = certificate_make(&(struct certificate_wish){
		.name = "authority", .constraints = "CA:TRUE", .from_s = -HOUR, .until_s = HOUR});
	stranger = certificate_make(&(struct certificate_wish){
		.name = "stranger", .constraints = "CA:TRUE", .from_s = -HOUR, .until_s = HOUR});
	server = certificate_make(&(struct certificate_wish){
		.name = "server", .issuer = &authority, .from_s = -HOUR, .until_s = HOUR});
	other = certificate_make(&(struct certificate_wish){
		.name = "other", .issuer = &authority, .from_s = -HOUR, .until_s = HOUR});
	chain = sk_X509_new_null();
	(void)sk_X509_push(chain, authority.x509);
	f = fopen(pem, "w");
	if (f == NULL || PEM_write_X509(f, server.x509) != 1 ||
	    PEM_write_X509(f, authority.x509) != 1 ||
	    PEM_write_PrivateKey(f, server.key, NULL, NULL, 0, NULL, NULL) != 1)
		return -1;
	return fclose(f);
}

static int tear_down(void **state)
{
	(void)state;
	sk_X509_free(chain);
	certificate_done(&authority);
	certificate_done(&stranger);
	certificate_done(&server);
	certificate_done(&other);
	(void)unlink(file);
	(void)unlink(pem);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken),
		cmocka_unit_test(bad_ones_are_refused),
		cmocka_unit_test(without_its_issuer_none_can_be_checked),
		cmocka_unit_test(not_yet_is_kept_for_later),
		cmocka_unit_test(who_asks_is_told),
		cmocka_unit_test(what_is_no_good_is_told_once_and_not_stapled),
		cmocka_unit_test(one_that_becomes_stale_is_stapled_no_more),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
