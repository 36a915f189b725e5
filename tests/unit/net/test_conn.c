/* SPDX-License-Identifier: MIT */
/*
 * A server's connection, in clear and in TLS, whose peer is OpenSSL's client with
 * its octets in memory: so that they can be cut anywhere.
 */
#include "net/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls_server.h"
#include "certificates.h"

static char pem[] = "/tmp/restante-conn-XXXXXX";
static uv_loop_t loop;
static struct tls_server *tls;
static SSL_CTX *client_ctx;

/* How clients are. */
static int highest_version; /* 0: as OpenSSL likes it */
static uint64_t client_options;
static SSL_SESSION *client_session; /* to resume; Owned */

/* The two ends of one connection. */
static struct conn conn;
static int peer;
static SSL *ssl; /* the peer's, over memory */
static unsigned ready_calls;
static bool closed;

static void on_ready(struct conn *c)
{
	assert_ptr_equal(c, &conn);
	ready_calls++;
}

static void on_closed(struct conn *c)
{
	assert_ptr_equal(c, &conn);
	closed = true;
}

static void connect_two(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	peer = pair[0];
	closed = false;
	ready_calls = 0;
	assert_int_equal(conn_open(&conn, &loop, pair[1], on_ready, on_closed), 0);
}

static void disconnect_two(void)
{
	conn_close(&conn);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(closed);
	SSL_free(ssl);
	ssl = NULL;
	if (peer >= 0)
		(void)close(peer);
}

/* One turn of the loop in which the connection can be read. */
static void wait_readable(void)
{
	conn_watch(&conn, true, false);
	ready_calls = 0;
	while (ready_calls == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
}

static void send_octets(const char *p, size_t n)
{
	assert_int_equal(send(peer, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* What the client wants to send, taken out of its memory. */
static size_t take_from_client(char *to, size_t cap)
{
	const int n = BIO_read(SSL_get_wbio(ssl), to, (int)cap);

	return n > 0 ? (size_t)n : 0;
}

/* What the server has sent, put into the client's memory. */
static void give_to_client(void)
{
	char block[4096];
	ssize_t n;

	while ((n = recv(peer, block, sizeof(block), 0)) > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(ssl), block, (int)n), (int)n);
}

static void begin_client(void)
{
	ssl = SSL_new(client_ctx);
	assert_non_null(ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_set_max_proto_version(ssl, highest_version), 1);
	(void)SSL_set_options(ssl, client_options);
	if (client_session != NULL)
		assert_int_equal(SSL_set_session(ssl, client_session), 1);
}

/*
 * Shakes hands; each flight of the client comes in pieces of so many octets, and
 * what more is given behind the last one.
 */
static void shake_hands(size_t piece, const char *more)
{
	char flight[4096];
	int server = -EAGAIN;
	int client;

	begin_client();
	assert_int_equal(conn_start_tls(&conn, tls, NULL), 0);
	do {
		client = SSL_do_handshake(ssl);
		if (client == 1 && more != NULL)
			assert_int_equal(SSL_write(ssl, more, (int)strlen(more)),
					 (int)strlen(more));

		const size_t n = take_from_client(flight, sizeof(flight));

		for (size_t at = 0; at < n; at += piece) {
			send_octets(flight + at, n - at < piece ? n - at : piece);
			wait_readable();
			if (server == -EAGAIN)
				server = conn_handshake(&conn);
		}
		give_to_client();
	} while (client != 1);
	assert_int_equal(server, 0);
	ERR_clear_error();
}

static void hear(const char *text)
{
	char got[256];
	size_t n = 0;

	while (n < strlen(text)) {
		const ssize_t r = conn_read(&conn, got + n, sizeof(got) - n);

		if (r == -EAGAIN) {
			wait_readable();
			continue;
		}
		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, n);
}

static void speaks_in_clear(void **state)
{
	char block[16];

	(void)state;
	connect_two();
	assert_false(conn_is_tls(&conn));
	assert_null(conn_tls_version(&conn));
	send_octets("hello", 5);
	wait_readable();
	hear("hello");
	assert_int_equal(conn_write(&conn, "you", 3, false), 3);
	assert_int_equal(recv(peer, block, sizeof(block), 0), 3);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	wait_readable();
	assert_true(conn_may_read(&conn));
	assert_int_equal(conn_read(&conn, block, sizeof(block)), 0);
	disconnect_two();
}

static void a_lost_peer_is_noticed(void **state)
{
	char block[16];

	(void)state;
	connect_two();
	(void)close(peer);
	peer = -1;
	wait_readable();
	assert_true(conn_read(&conn, block, sizeof(block)) <= 0);
	assert_int_equal(conn_write(&conn, "you", 3, false), -EPIPE);
	assert_int_equal(conn_write(&conn, "you", 3, false), -EPIPE);
	assert_false(conn_may_read(&conn));
	disconnect_two();
}

static void shakes_hands_in_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 600; piece += piece < 8 ? 1 : 97) {
		char block[64];

		connect_two();
		shake_hands(piece, "USER alice\r\n");
		assert_true(conn_is_tls(&conn));
		hear("USER alice\r\n");
		assert_int_equal(conn_write(&conn, "+OK\r\n", 5, false), 5);
		give_to_client();
		assert_int_equal(SSL_read(ssl, block, sizeof(block)), 5);
		disconnect_two();
	}
}

static void goodbye_is_an_end(void **state)
{
	char flight[256];
	char block[16];

	(void)state;
	connect_two();
	shake_hands(4096, NULL);
	(void)SSL_shutdown(ssl);
	send_octets(flight, take_from_client(flight, sizeof(flight)));
	wait_readable();
	assert_int_equal(conn_read(&conn, block, sizeof(block)), 0);
	disconnect_two();
}

static void nonsense_is_no_handshake(void **state)
{
	(void)state;
	connect_two();
	assert_int_equal(conn_start_tls(&conn, tls, NULL), 0);
	send_octets("USER alice\r\nPASS secret\r\n", 25);
	wait_readable();
	assert_int_equal(conn_handshake(&conn), -EPROTO);
	assert_true(strlen(conn_tls_reason()) > 0);
	disconnect_two();
}

/*
 * Records that carry nothing can be sent without end, and cost more to read than to
 * send. One call may not read them all: there are others to be served.
 */
static void a_flood_of_key_updates_is_read_in_pieces(void **state)
{
	static char flood[100000];
	char block[16];
	size_t n = 0;
	int left = 0;
	unsigned calls = 0;

	(void)state;
	connect_two();
	shake_hands(4096, NULL);
	while (n < sizeof(flood) - 100) {
		assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(ssl), 1);
		n += take_from_client(flood + n, sizeof(flood) - n);
	}
	assert_int_equal(SSL_write(ssl, "NOOP\r\n", 6), 6);
	n += take_from_client(flood + n, sizeof(flood) - n);
	send_octets(flood, n);

	wait_readable();
	assert_int_equal(conn_read(&conn, block, sizeof(block)), -EAGAIN);
	assert_int_equal(ioctl(conn_fd(&conn), FIONREAD, &left), 0);
	assert_true(left > 50000);
	/* And what comes behind it arrives all the same. */
	do {
		wait_readable();
		calls++;
	} while (conn_read(&conn, block, sizeof(block)) == -EAGAIN);
	assert_memory_equal(block, "NOOP\r\n", 6);
	assert_true(calls > 2);
	disconnect_two();
}

static int set_up(void **state)
{
	const struct tls_pair pair = {.certificate = pem, .key = pem};
	const struct tls_server_options options = {
		.pairs = &pair, .n_pairs = 1, .min_version = 12, .ciphers = ""};
	const int fd = mkstemp(pem);
	struct err err;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || close(fd) < 0)
		return -1;
	certificate_write_server(pem, "localhost");
	if (tls_server_new(&options, &tls, &err) < 0)
		return -1;
	client_ctx = SSL_CTX_new(TLS_client_method());
	return client_ctx == NULL || uv_loop_init(&loop) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_server_free(tls);
	SSL_CTX_free(client_ctx);
	(void)unlink(pem);
	return uv_loop_close(&loop);
}

/* What the client has: by OpenSSL's own words for it. */
static size_t binding_of_client(uint8_t octets[CONN_BINDING_MAX])
{
	if (SSL_version(ssl) == TLS1_3_VERSION) {
		assert_int_equal(SSL_export_keying_material(ssl, octets, 32,
							    "EXPORTER-Channel-Binding", 24,
							    (const unsigned char *)"", 0, 1),
				 1);
		return 32;
	}
	/* Whose was the first? */
	return SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, octets, 32)
				       : SSL_get_finished(ssl, octets, 32);
}

static void expect_binding(enum conn_binding kind, size_t n)
{
	static uint8_t last[CONN_BINDING_MAX];
	uint8_t ours[CONN_BINDING_MAX], theirs[CONN_BINDING_MAX];
	size_t n_ours = 0;

	assert_int_equal(conn_tls_binding(&conn, ours, &n_ours), kind);
	assert_int_equal(n_ours, n);
	if (n == 0)
		return;
	assert_int_equal(binding_of_client(theirs), n);
	assert_memory_equal(ours, theirs, n);
	assert_memory_not_equal(ours, last, n);
	memcpy(last, ours, n);
}

static void both_ends_have_the_same_binding(void **state)
{
	(void)state;
	for (int version = 0; version < 2; version++) {
		const enum conn_binding kind = version == 0 ? CONN_BINDING_TLS_EXPORTER
							    : CONN_BINDING_TLS_UNIQUE;
		const size_t n = version == 0 ? 32 : 12;

		highest_version = version == 0 ? 0 : TLS1_2_VERSION;
		for (int again = 0; again < 2; again++) {
			connect_two();
			expect_binding(CONN_BINDING_NONE, 0);
			shake_hands(4096, "x");
			hear("x");
			expect_binding(kind, n);
			disconnect_two();
		}
	}
	/* Resumed: then the server's Finished is the first. */
	connect_two();
	shake_hands(4096, "x");
	hear("x");
	client_session = SSL_get1_session(ssl);
	/* A session that ended without a word isn't resumed by OpenSSL. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	disconnect_two();
	connect_two();
	shake_hands(4096, "x");
	hear("x");
	assert_true(conn_tls_resumed(&conn));
	expect_binding(CONN_BINDING_TLS_UNIQUE, 12);
	disconnect_two();
	SSL_SESSION_free(client_session);
	client_session = NULL;
	/* Without the extended master secret it could be another connection's, too. */
	client_options = SSL_OP_NO_EXTENDED_MASTER_SECRET;
	connect_two();
	shake_hands(4096, "x");
	hear("x");
	expect_binding(CONN_BINDING_NONE, 0);
	disconnect_two();
	client_options = 0;
	highest_version = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speaks_in_clear),
		cmocka_unit_test(a_lost_peer_is_noticed),
		cmocka_unit_test(shakes_hands_in_pieces),
		cmocka_unit_test(goodbye_is_an_end),
		cmocka_unit_test(both_ends_have_the_same_binding),
		cmocka_unit_test(nonsense_is_no_handshake),
		cmocka_unit_test(a_flood_of_key_updates_is_read_in_pieces),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
