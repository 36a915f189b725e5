/* SPDX-License-Identifier: MIT */
/*
 * Session tickets between servers that share a chain of keys: both ends of each
 * handshake are OpenSSL's, over memory.
 */
#include "net/tls_tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tls_server.h"
#include "certificates.h"

#define PERIOD ((uint64_t)TLS_TICKETS_PERIOD_MS)

static char pem[] = "/tmp/restante-tickets-XXXXXX";
static SSL_CTX *client_ctx;
static SSL_SESSION *kept; /* the client's newest ticket */

struct server {
	struct tls_server *tls;
	struct tls_ticket_keys *keys;
};

static struct server server_new(const struct tls_tickets *chain)
{
	const struct tls_pair pair = {.certificate = pem, .key = pem};
	const struct tls_server_options options = {
		.pairs = &pair, .n_pairs = 1, .min_version = 12, .ciphers = ""};
	struct tls_tickets copy = *chain;
	static const struct tls_tickets wiped;
	struct server s = {0};
	struct err err;

	assert_int_equal(tls_server_new(&options, &s.tls, &err), 0);
	assert_int_equal(tls_tickets_use(s.tls, &copy, &s.keys), 0);
	assert_memory_equal(&copy, &wiped, sizeof(copy));
	return s;
}

static void server_done(struct server *s)
{
	tls_server_free(s->tls);
	tls_ticket_keys_free(s->keys);
}

static int keep(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static void forget(void)
{
	SSL_SESSION_free(kept);
	kept = NULL;
}

/* One connection, with the ticket if there is one. True: it was resumed. */
static bool connects(const struct server *s, int version)
{
	SSL *const client = SSL_new(client_ctx);
	SSL *const server = SSL_new(tls_server_context(s->tls));
	BIO *one;
	BIO *other;
	char byte;

	assert_int_equal(BIO_new_bio_pair(&one, 0, &other, 0), 1);
	SSL_set_bio(client, one, one);
	SSL_set_bio(server, other, other);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	assert_int_equal(SSL_set_max_proto_version(client, version), 1);
	if (kept != NULL)
		assert_int_equal(SSL_set_session(client, kept), 1);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
	assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
	/* In TLS 1.3 the ticket comes behind the handshake; in 1.2 a renewed one isn't told of. */
	(void)SSL_read(client, &byte, 1);
	if (version == TLS1_2_VERSION)
		(void)keep(client, SSL_get1_session(client));

	const bool resumed = SSL_session_reused(server) == 1;

	assert_true(resumed == (SSL_session_reused(client) == 1));
	(void)SSL_shutdown(client);
	(void)SSL_shutdown(server);
	SSL_free(client);
	SSL_free(server);
	return resumed;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void one_resumes_what_the_other_began(void **state)
{
	struct tls_tickets chain;

	(void)state;
	tls_tickets_init(&chain, clock_mono_ms());
	for (size_t i = 0; i < 2; i++) {
		struct server a = server_new(&chain);
		struct server b = server_new(&chain);

		forget();
		assert_false(connects(&a, versions[i]));
		assert_non_null(kept);
		assert_true(connects(&b, versions[i]));
		assert_true(connects(&a, versions[i]));
		server_done(&a);
		server_done(&b);
	}
}

static void another_chain_knows_nothing(void **state)
{
	struct tls_tickets chain;
	struct tls_tickets other;

	(void)state;
	tls_tickets_init(&chain, clock_mono_ms());
	tls_tickets_init(&other, clock_mono_ms());
	for (size_t i = 0; i < 2; i++) {
		struct server a = server_new(&chain);
		struct server b = server_new(&other);

		forget();
		assert_false(connects(&a, versions[i]));
		/* No error: a full handshake. */
		assert_false(connects(&b, versions[i]));
		server_done(&a);
		server_done(&b);
	}
}

static void tickets_live_for_one_more_period(void **state)
{
	struct tls_tickets chain;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const uint64_t now = clock_mono_ms();

		tls_tickets_init(&chain, now);

		struct server a = server_new(&chain);
		struct server b = server_new(&chain);

		forget();
		assert_false(connects(&a, versions[i]));
		assert_int_equal(tls_ticket_keys_advance(b.keys, now + PERIOD), 0);
		assert_true(connects(&b, versions[i]));
		/* It was replaced by one of the new period, which the next one still takes. */
		assert_int_equal(tls_ticket_keys_advance(b.keys, now + 2 * PERIOD), 0);
		assert_true(connects(&b, versions[i]));

		forget();
		assert_false(connects(&a, versions[i]));
		assert_false(connects(&b, versions[i]));
		server_done(&a);
		server_done(&b);
	}
}

/* A listener that is started later gets the chain as it is then. */
static void the_chain_is_the_same_wherever_it_moves_on(void **state)
{
	const uint64_t now = clock_mono_ms();
	struct tls_tickets early;
	struct tls_tickets late;
	struct tls_tickets jumps;

	(void)state;
	tls_tickets_init(&early, now);
	late = jumps = early;
	assert_int_equal(tls_tickets_advance(&late, now), 0);
	assert_memory_equal(&late, &early, sizeof(late));
	for (uint64_t n = 1; n <= 5; n++) {
		assert_int_equal(tls_tickets_advance(&late, now + n * PERIOD), 0);
		assert_memory_not_equal(late.secret, early.secret, sizeof(late.secret));
	}
	assert_int_equal(tls_tickets_advance(&jumps, now + 5 * PERIOD), 0);
	assert_memory_equal(&late, &jumps, sizeof(late));
	/* Never back: what is wiped can't be had again. */
	assert_int_equal(tls_tickets_advance(&jumps, now), 0);
	assert_memory_equal(&late, &jumps, sizeof(late));

	struct server a = server_new(&early);
	struct server b = server_new(&late);

	forget();
	assert_int_equal(tls_ticket_keys_advance(a.keys, now + 5 * PERIOD), 0);
	assert_false(connects(&a, TLS1_3_VERSION));
	assert_true(connects(&b, TLS1_3_VERSION));
	server_done(&a);
	server_done(&b);
}

static int set_up(void **state)
{
	const int fd = mkstemp(pem);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	certificate_write_server(pem, "localhost");
	client_ctx = SSL_CTX_new(TLS_client_method());
	(void)SSL_CTX_set_session_cache_mode(client_ctx,
					     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client_ctx, keep);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	forget();
	SSL_CTX_free(client_ctx);
	return unlink(pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_resumes_what_the_other_began),
		cmocka_unit_test(another_chain_knows_nothing),
		cmocka_unit_test(tickets_live_for_one_more_period),
		cmocka_unit_test(the_chain_is_the_same_wherever_it_moves_on),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
