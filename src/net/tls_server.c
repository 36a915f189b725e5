/* SPDX-License-Identifier: MIT */
#include "net/tls_server.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/conn.h"
#include "net/tls_clients.h"
#include "net/tls_server_priv.h"

/*
 * What tls_signature.c can be asked for; and two that only a client's certificate has. Or
 * OpenSSL would choose what whoever has the keys doesn't make, where it is all that the client
 * understands.
 */
#define SIGNATURES                                                             \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:"                \
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"         \
	"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:" \
	"RSA+SHA384:RSA+SHA512"

/*
 * Without those in which the client encrypts to an RSA key: they aren't forward secret, and
 * whoever has the keys signs and decrypts nothing.
 */
static int set_ciphers(SSL_CTX *ctx, const char *ciphers, struct err *err)
{
	static const char none_of[] = ":!kRSA";
	const char *const list = ciphers[0] != '\0' ? ciphers : "DEFAULT";
	const size_t cap = strlen(list) + sizeof(none_of);
	char *const text = malloc(cap);
	int r = 0;

	if (text == NULL)
		return err_sys(err, ENOMEM, "cannot make a TLS context");
	(void)snprintf(text, cap, "%s%s", list, none_of);
	if (SSL_CTX_set_cipher_list(ctx, text) != 1)
		r = tls_error(err, "cannot use the ciphers", ciphers);
	free(text);
	return r;
}

static int set_protocol(SSL_CTX *ctx, const struct tls_server_options *o, struct err *err)
{
	const int version = o->min_version >= 13 ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (SSL_CTX_set_min_proto_version(ctx, version) != 1)
		return tls_error(err, "cannot set the oldest TLS version", "tls_min_version");
	if (SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) != 1)
		return tls_error(err, "cannot use the signatures", SIGNATURES);
	/* A weak group or signature would be the weakest link; these are RFC 9325's, fastest first.
	 */
	if (SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1)
		return tls_error(err, "cannot use the groups", "X25519:P-256:P-384");
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_ENABLE_KTLS |
					 SSL_OP_CLEANSE_PLAINTEXT);
	return set_ciphers(ctx, o->ciphers, err);
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

/* Everything about a context but its certificates. */
static int new_context(const struct tls_server_options *o, SSL_CTX **ret_ctx, struct err *err)
{
	static const unsigned char session_id_context[] = "restante";
	SSL_CTX *const ctx = SSL_CTX_new(TLS_server_method());
	int r;

	if (ctx == NULL)
		return err_sys(err, ENOMEM, "cannot make a TLS context");
	r = set_protocol(ctx, o, err);
	if (r == 0 && o->client_ca != NULL && o->client_ca[0] != '\0')
		r = tls_clients_ask(ctx, o->client_ca, err);
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

static bool is_same(const struct tls_choice *a, const struct tls_choice *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct tls_identity *identity_of(const struct tls_server *s, const struct tls_choice *choice)
{
	for (size_t i = 0; i < s->n_identities; i++) {
		if (is_same(&s->identities[i].choice, choice))
			return &s->identities[i];
	}
	return NULL;
}

/*
 * The name that the client asks for, if it does. A session's protocol settings were
 * taken from the first context and stay; only the certificates are changed here.
 */
static int on_server_name(SSL *ssl, int *ret_alert, void *arg)
{
	const struct tls_server *const s = arg;
	const char *const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_choice *const choice = name != NULL ? tls_names_find(s->names, name)
							     : NULL;

	(void)ret_alert;
	if (choice == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	(void)SSL_set_SSL_CTX(ssl, identity_of(s, choice)->ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* The one that on_server_name() and OpenSSL have chosen, by the time that this is called. */
static struct tls_material *shown_by(const struct tls_server *s, SSL *ssl)
{
	const X509 *const leaf = SSL_get_certificate(ssl);

	for (size_t i = 0; i < s->n_materials; i++) {
		if (s->materials[i].leaf == leaf)
			return &s->materials[i];
	}
	return NULL;
}

/* It was current when it was read, and nobody has put a new one in its place. */
static void drop_stale(const struct tls_server *s, struct tls_material *m)
{
	char text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text),
		       "the OCSP response '%.400s" TLS_OCSP_SUFFIX "' has become stale", m->file);
	if (s->on_notice != NULL)
		s->on_notice(s->notice_arg, text);
	tls_ocsp_done(&m->ocsp);
}

/* Called for a client that wants a response stapled (RFC 6066 section 8). */
static int on_status(SSL *ssl, void *arg)
{
	const struct tls_server *const s = arg;
	struct tls_material *const m = shown_by(s, ssl);
	const int64_t now = (int64_t)time(NULL);
	unsigned char *copy;

	if (m != NULL && m->ocsp.der != NULL && now >= m->ocsp.until)
		drop_stale(s, m);
	if (m == NULL || !tls_ocsp_is_current(&m->ocsp, now))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(m->ocsp.der, m->ocsp.n);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)m->ocsp.n) != 1) {
		OPENSSL_free(copy);
		return SSL_TLSEXT_ERR_NOACK;
	}
	return SSL_TLSEXT_ERR_OK;
}

static int use_material(SSL_CTX *ctx, const struct tls_material *m, const char *name,
			struct err *err)
{
	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(ctx, m->leaf, m->key, m->chain, 1) != 1)
		return tls_error(err, "cannot use the certificate", name);
	return 0;
}

/* Makes a context for a choice, unless there is one. */
static int add_identity(struct tls_server *s, const struct tls_server_options *o,
			const struct tls_choice *choice, struct err *err)
{
	struct tls_identity fresh = {.choice = *choice};
	struct tls_identity *identities;
	int r;

	if (identity_of(s, choice) != NULL)
		return 0;
	r = new_context(o, &fresh.ctx, err);
	if (r < 0)
		return r;
	for (unsigned kind = 0; r == 0 && kind < TLS_KEY_KINDS; kind++) {
		const int i = choice->of[kind];

		if (i >= 0)
			r = use_material(fresh.ctx, &s->materials[i], o->pairs[i].certificate, err);
	}
	(void)SSL_CTX_set_tlsext_status_cb(fresh.ctx, on_status);
	(void)SSL_CTX_set_tlsext_status_arg(fresh.ctx, s);
	identities = r < 0 ? NULL
			   : realloc(s->identities, (s->n_identities + 1) * sizeof(*identities));
	if (identities == NULL) {
		SSL_CTX_free(fresh.ctx);
		return r < 0 ? r : err_sys(err, ENOMEM, "cannot make a TLS context");
	}
	s->identities = identities;
	s->identities[s->n_identities++] = fresh;
	return 0;
}

static int make_identities(struct tls_server *s, const struct tls_server_options *o,
			   struct err *err)
{
	const struct tls_choice first = tls_names_default(s->names);
	const struct tls_choice *choice;
	int r = add_identity(s, o, &first, err);

	for (size_t i = 0; r == 0 && (choice = tls_names_at(s->names, i)) != NULL; i++)
		r = add_identity(s, o, choice, err);
	if (r < 0)
		return r;
	(void)SSL_CTX_set_tlsext_servername_callback(s->identities[0].ctx, on_server_name);
	(void)SSL_CTX_set_tlsext_servername_arg(s->identities[0].ctx, s);
	return 0;
}

static void ignore_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static int load(struct tls_server *s, const struct tls_server_options *o, struct err *err)
{
	tls_on_notice *const on_notice = o->on_notice != NULL ? o->on_notice : ignore_notice;
	int r = 0;

	s->materials = calloc(o->n_pairs, sizeof(*s->materials));
	if (s->materials == NULL)
		return err_sys(err, ENOMEM, "cannot make TLS");
	s->n_materials = o->n_pairs;
	if (o->sign != NULL)
		tls_remote_init(o->sign, o->sign_arg);
	for (size_t i = 0; r == 0 && i < o->n_pairs; i++) {
		struct tls_pair pair = o->pairs[i];

		if (o->sign != NULL)
			pair.key = NULL;
		r = tls_material_load(&pair, on_notice, o->arg, &s->materials[i], err);
	}
	return r;
}

int tls_server_new(const struct tls_server_options *o, struct tls_server **ret_server,
		   struct err *err)
{
	struct tls_server *const s = calloc(1, sizeof(*s));
	int r = s != NULL ? 0 : err_sys(err, ENOMEM, "cannot make TLS");

	assert(o->n_pairs > 0 && (o->min_version == 12 || o->min_version == 13));
	if (r == 0)
		r = load(s, o, err);
	if (r == 0 && tls_names_new(s->materials, s->n_materials, &s->names) < 0)
		r = err_sys(err, ENOMEM, "cannot make TLS");
	if (r == 0)
		r = make_identities(s, o, err);
	if (r < 0)
		tls_server_free(s);
	else
		*ret_server = s;
	return r;
}

void tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_identities; i++)
		SSL_CTX_free(s->identities[i].ctx);
	free(s->identities);
	tls_names_free(s->names);
	for (size_t i = 0; i < s->n_materials; i++)
		tls_material_done(&s->materials[i]);
	free(s->materials);
	free(s);
}

void tls_server_notify(struct tls_server *s, tls_on_notice *on_notice, void *arg)
{
	s->on_notice = on_notice;
	s->notice_arg = arg;
}

SSL_CTX *tls_server_context(const struct tls_server *s)
{
	return s->identities[0].ctx;
}

uint64_t tls_server_expiry(const struct tls_server *server)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < server->n_materials; i++) {
		struct tm tm;

		/* A time that nobody can read is long ago. */
		if (ASN1_TIME_to_tm(X509_get0_notAfter(server->materials[i].leaf), &tm) != 1)
			return 1;

		const time_t t = timegm(&tm);

		if (t < 1)
			return 1;
		if ((uint64_t)t < first)
			first = (uint64_t)t;
	}
	return first;
}
