/* SPDX-License-Identifier: MIT */
/*
 * The client's TLS against OpenSSL's server, which runs in a thread: which certificates
 * are trusted and which aren't, and how connections end.
 */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "certificates.h"
#include "net/tls_client.h"

#define LONG_MS 60000
#define SHORT_MS 50
#define YEAR_S (365L * 24 * 3600)

/* The clock that streams go by; it can be made to go forward with each look at it. */
static unsigned ms_per_look;

uint64_t clock_mono_ms(void)
{
	static uint64_t skipped_ms;
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	skipped_ms += ms_per_look;
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + skipped_ms;
}

static struct certificate authority, stranger;
static char folder[] = "/tmp/restante-tls-XXXXXX";
static char cafile[64], empty_file[64];

static int make_authorities(void **state)
{
	const struct certificate_wish wish = {
		.name = "A test's authority",
		.constraints = "CA:TRUE",
		.from_s = -YEAR_S,
		.until_s = YEAR_S,
	};

	(void)state;
	/* A thread's SSL_write() to a peer that has gone. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL)
		return -1;
	authority = certificate_make(&wish);
	stranger = certificate_make(&wish);
	(void)snprintf(cafile, sizeof(cafile), "%s/ca.pem", folder);
	(void)snprintf(empty_file, sizeof(empty_file), "%s/empty.pem", folder);
	certificate_write(&authority, cafile);
	(void)fclose(fopen(empty_file, "w"));
	return 0;
}

static int remove_authorities(void **state)
{
	(void)state;
	certificate_done(&authority);
	certificate_done(&stranger);
	(void)unlink(cafile);
	(void)unlink(empty_file);
	return rmdir(folder);
}

/* What the server does, and what it has seen. */
struct server {
	int fd;
	const struct certificate *certificate;
	int max_version;      /* 0: any */
	unsigned key_updates; /* that it sends before it says hello */
	enum { CLOSE_NOTIFY, CLOSE_AT_ONCE, ECHO } then;
	const char *ciphers; /* of TLS 1.2; NULL: OpenSSL's */

	bool shaken;
	char name[64]; /* SNI */
	char alpn[16];
	pthread_t thread;
};

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
		   unsigned in_n, void *arg)
{
	struct server *const server = arg;

	(void)ssl;
	(void)snprintf(server->alpn, sizeof(server->alpn), "%.*s", in[0], in + 1);
	*out = in + 1;
	*n = in[0];
	return in_n > in[0] ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* All of them at once: made one by one they would come more slowly than they are read. */
static bool flood(SSL *ssl, const struct server *server)
{
	BIO *const memory = BIO_new(BIO_s_mem());
	char *octets;

	SSL_set0_wbio(ssl, memory);
	for (unsigned i = 0; i < server->key_updates; i++) {
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		    SSL_do_handshake(ssl) != 1)
			return false;
	}

	const long n = BIO_get_mem_data(memory, &octets);
	const bool written = write(server->fd, octets, (size_t)n) == n;

	return SSL_set_fd(ssl, server->fd) == 1 && written;
}

static void talk(struct server *server, SSL *ssl)
{
	char octets[100];
	int n;

	if (server->key_updates > 0 && !flood(ssl, server))
		return;
	if (SSL_write(ssl, "+OK hello\r\n", 11) != 11)
		return;
	while (server->then == ECHO && (n = SSL_read(ssl, octets, sizeof(octets))) > 0) {
		if (SSL_write(ssl, octets, n) != n)
			return;
	}
	if (server->then != CLOSE_AT_ONCE)
		(void)SSL_shutdown(ssl);
}

static void *serve(void *arg)
{
	struct server *const server = arg;
	SSL_CTX *const ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_max_proto_version(ctx, server->max_version);
	if (server->ciphers != NULL)
		SSL_CTX_set_cipher_list(ctx, server->ciphers);
	SSL_CTX_use_certificate(ctx, server->certificate->x509);
	SSL_CTX_use_PrivateKey(ctx, server->certificate->key);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, server);

	SSL *const ssl = SSL_new(ctx);

	SSL_set_fd(ssl, server->fd);
	server->shaken = SSL_accept(ssl) == 1;
	if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL)
		(void)snprintf(server->name, sizeof(server->name), "%s",
			       SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	if (server->shaken)
		talk(server, ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	(void)close(server->fd);
	return NULL;
}

static int socket_pair(struct stream *s, const char *host, uint32_t idle_ms)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	stream_open(s, fds[0], host, idle_ms, -1);
	return fds[1];
}

static void server_begin(struct server *server, struct stream *s, const char *host)
{
	server->fd = socket_pair(s, host, LONG_MS);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server, struct stream *s)
{
	stream_close(s);
	assert_int_equal(pthread_join(server->thread, NULL), 0);
}

static SSL_CTX *context(const struct tls_client_options *options)
{
	SSL_CTX *ctx;
	struct err err;

	assert_int_equal(tls_client_new(options, &ctx, &err), 0);
	return ctx;
}

static SSL_CTX *trusting(void)
{
	return context(&(struct tls_client_options){.cafile = cafile});
}

/* A certificate that the authority gives to pop.example.org. */
static struct certificate good(void)
{
	return certificate_make(&(struct certificate_wish){
		.name = "pop.example.org",
		.alternative = "DNS:pop.example.org",
		.issuer = &authority,
		.until_s = YEAR_S,
	});
}

static const struct {
	const char *host;
	const char *name;
	const char *alternative;
	const struct certificate *issuer;
	long from_s, until_s;
	const char *sni;
	const char *refused; /* NULL: it is trusted */
} cases[] = {
	{"pop.example.org", "x", "DNS:pop.example.org", &authority, -60, YEAR_S, "pop.example.org",
	 NULL},
	{"POP.Example.ORG", "x", "DNS:pop.example.org", &authority, -60, YEAR_S, "POP.Example.ORG",
	 NULL},
	{"pop.example.org.", "x", "DNS:pop.example.org", &authority, -60, YEAR_S, "pop.example.org",
	 NULL},
	{"pop.example.org", "x", "DNS:a.example,DNS:*.example.org", &authority, -60, YEAR_S,
	 "pop.example.org", NULL},
	/* Without other names the common name is one (RFC 6125 section 6.4.4). */
	{"pop.example.org", "pop.example.org", NULL, &authority, -60, YEAR_S, "pop.example.org",
	 NULL},
	{"127.0.0.1", "x", "IP:127.0.0.1", &authority, -60, YEAR_S, "", NULL},
	{"::1", "x", "IP:0:0:0:0:0:0:0:1", &authority, -60, YEAR_S, "", NULL},

	{"pop.example.org", "x", "DNS:imap.example.org", &authority, -60, YEAR_S, "pop.example.org",
	 "hostname mismatch"},
	{"pop.example.org", "pop.example.org", "DNS:imap.example.org", &authority, -60, YEAR_S,
	 "pop.example.org", "hostname mismatch"},
	{"pop.example.org", "x", "DNS:*.org", &authority, -60, YEAR_S, "pop.example.org",
	 "hostname mismatch"},
	{"a.pop.example.org", "x", "DNS:*.example.org", &authority, -60, YEAR_S,
	 "a.pop.example.org", "hostname mismatch"},
	{"pop.example.org", "x", "DNS:p*.example.org", &authority, -60, YEAR_S, "pop.example.org",
	 "hostname mismatch"},
	{"127.0.0.1", "127.0.0.1", "DNS:127.0.0.1", &authority, -60, YEAR_S, "",
	 "IP address mismatch"},
	{"127.0.0.1", "x", "IP:127.0.0.2", &authority, -60, YEAR_S, "", "IP address mismatch"},
	{"pop.example.org", "x", "DNS:pop.example.org", &authority, -YEAR_S, -60, "pop.example.org",
	 "certificate has expired"},
	{"pop.example.org", "x", "DNS:pop.example.org", &authority, 3600, YEAR_S, "pop.example.org",
	 "certificate is not yet valid"},
	{"pop.example.org", "x", "DNS:pop.example.org", NULL, -60, YEAR_S, "pop.example.org",
	 "self-signed certificate"},
	/* Another authority that goes by the same name. */
	{"pop.example.org", "x", "DNS:pop.example.org", &stranger, -60, YEAR_S, "pop.example.org",
	 "certificate signature failure"},
};

static void one_certificate(size_t i, SSL_CTX *ctx, const char *refused)
{
	struct certificate c = certificate_make(&(struct certificate_wish){
		.name = cases[i].name,
		.alternative = cases[i].alternative,
		.issuer = cases[i].issuer,
		.from_s = cases[i].from_s,
		.until_s = cases[i].until_s,
	});
	struct server server = {.certificate = &c};
	struct stream s;
	struct err err;
	char got[100], want[200];

	server_begin(&server, &s, cases[i].host);
	if (refused == NULL) {
		assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
		assert_int_equal(stream_read(&s, got, sizeof(got), &err), 11);
	} else {
		(void)snprintf(want, sizeof(want), "certificate of %s: %s", cases[i].host, refused);
		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(again == 0 ? stream_start_tls(&s, ctx, &err)
						    : stream_read(&s, got, sizeof(got), &err),
					 -EKEYREJECTED);
			assert_string_equal(err.text, want);
		}
	}
	server_end(&server, &s);
	assert_string_equal(server.name, cases[i].sni);
	assert_string_equal(server.alpn, "");
	certificate_done(&c);
}

static void a_certificate_is_trusted_or_refused_with_a_reason(void **state)
{
	SSL_CTX *const ctx = trusting();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		one_certificate(i, ctx, cases[i].refused);
	tls_client_free(ctx);
}

/* The chain is one thing, who is meant another: nothing is verified at all. */
static void who_accepts_any_certificate_gets_any(void **state)
{
	SSL_CTX *const ctx = context(&(struct tls_client_options){
		.trust = TLS_CLIENT_ACCEPT_ANY_CERTIFICATE_EVEN_AN_ATTACKERS,
	});

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		one_certificate(i, ctx, NULL);
	tls_client_free(ctx);
}

static void a_certificate_can_be_its_own_authority(void **state)
{
	struct certificate self = certificate_make(&(struct certificate_wish){
		.name = "pop.example.org",
		.alternative = "DNS:pop.example.org",
		.until_s = YEAR_S,
	});
	struct server server = {.certificate = &self};
	struct stream s;
	struct err err;
	char file[100];

	(void)state;
	(void)snprintf(file, sizeof(file), "%s/self.pem", folder);
	certificate_write(&self, file);

	SSL_CTX *const ctx = context(&(struct tls_client_options){.cafile = file});

	server_begin(&server, &s, "pop.example.org");
	assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
	server_end(&server, &s);
	tls_client_free(ctx);
	assert_int_equal(unlink(file), 0);
	certificate_done(&self);
}

static void the_systems_store_is_used_when_no_file_is_named(void **state)
{
	const struct tls_client_options options = {.cafile = ""};
	struct certificate c = good();
	struct server server = {.certificate = &c};
	struct stream s;
	struct err err;
	SSL_CTX *ctx;

	(void)state;
	/* OpenSSL's variables say where it is. */
	assert_int_equal(setenv("SSL_CERT_DIR", "/nowhere", 1), 0);
	assert_int_equal(setenv("SSL_CERT_FILE", "/nowhere/either", 1), 0);
	assert_int_equal(tls_client_new(&options, &ctx, &err), -ENOENT);
	assert_non_null(strstr(err.text, "this system has no store of trusted certificates"));

	assert_int_equal(setenv("SSL_CERT_FILE", cafile, 1), 0);
	ctx = context(&options);
	server_begin(&server, &s, "pop.example.org");
	assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
	server_end(&server, &s);
	tls_client_free(ctx);
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	assert_int_equal(unsetenv("SSL_CERT_DIR"), 0);
	certificate_done(&c);
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
	struct err err;
	SSL_CTX *ctx = NULL;

	(void)state;
	assert_int_equal(tls_client_new(&(struct tls_client_options){.cafile = "/nowhere/ca.pem"},
					&ctx, &err),
			 -ENOENT);
	assert_string_equal(err.text, "cannot open '/nowhere/ca.pem': No such file or directory");
	assert_int_equal(
		tls_client_new(&(struct tls_client_options){.cafile = empty_file}, &ctx, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, empty_file));
	assert_null(ctx);
	tls_client_free(NULL);
}

/* Neither a version that is too old, nor ciphers that nobody should use. */
static void weak_tls_is_refused(void **state)
{
	static const struct {
		int server_max;
		const char *ciphers;
		unsigned client_min;
		int r;
		const char *version;
	} tries[] = {
		{0, NULL, 0, 0, "TLSv1.3"},
		{TLS1_2_VERSION, NULL, 0, 0, "TLSv1.2"},
		{TLS1_2_VERSION, NULL, 12, 0, "TLSv1.2"},
		{TLS1_2_VERSION, NULL, 13, -EPROTO, NULL},
		{TLS1_1_VERSION, "ALL:@SECLEVEL=0", 0, -EPROTO, NULL},
		{TLS1_2_VERSION, "NULL:@SECLEVEL=0", 0, -EPROTO, NULL},
		{TLS1_2_VERSION, "aNULL:@SECLEVEL=0", 0, -EPROTO, NULL},
	};
	struct certificate c = good();

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		SSL_CTX *const ctx = context(&(struct tls_client_options){
			.cafile = cafile,
			.min_version = tries[i].client_min,
		});
		struct server server = {
			.certificate = &c,
			.max_version = tries[i].server_max,
			.ciphers = tries[i].ciphers,
		};
		struct stream s;
		struct err err;

		server_begin(&server, &s, "pop.example.org");
		assert_int_equal(stream_start_tls(&s, ctx, &err), tries[i].r);
		if (tries[i].r == 0) {
			assert_true(stream_is_tls(&s));
			assert_string_equal(stream_tls_version(&s), tries[i].version);
			assert_non_null(strstr(stream_tls_cipher(&s), "AES"));
		} else {
			assert_non_null(strstr(err.text, "TLS with pop.example.org: "));
		}
		server_end(&server, &s);
		tls_client_free(ctx);
	}
	certificate_done(&c);
}

static void alpn_is_said_when_asked_for(void **state)
{
	SSL_CTX *const ctx = context(&(struct tls_client_options){
		.cafile = cafile,
		.alpn_pop3 = true,
	});
	struct certificate c = good();
	struct server server = {.certificate = &c};
	struct stream s;
	struct err err;

	(void)state;
	server_begin(&server, &s, "pop.example.org");
	assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
	server_end(&server, &s);
	assert_string_equal(server.alpn, "pop3");
	tls_client_free(ctx);
	certificate_done(&c);
}

static void read_whole(struct stream *s, char *p, size_t n)
{
	struct err err;

	while (n > 0) {
		const ssize_t r = stream_read(s, p, n, &err);

		assert_true(r > 0);
		p += r;
		n -= (size_t)r;
	}
}

/* In records that are larger and smaller than what is asked for, and both ways at once. */
static void octets_come_and_go_and_are_counted(void **state)
{
	SSL_CTX *const ctx = trusting();
	struct certificate c = good();
	struct server server = {.certificate = &c, .then = ECHO};
	struct stream s;
	struct err err;
	char octets[50000], got[50000];

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i % 251);
	server_begin(&server, &s, "pop.example.org");
	assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
	read_whole(&s, got, 1);
	read_whole(&s, got + 1, 10);
	assert_memory_equal(got, "+OK hello\r\n", 11);
	assert_int_equal(stream_write(&s, octets, sizeof(octets), &err), 0);
	read_whole(&s, got, sizeof(got));
	assert_memory_equal(got, octets, sizeof(octets));
	assert_int_equal(s.read_octets, 11 + sizeof(octets));
	assert_int_equal(s.written_octets, sizeof(octets));
	/* Our close_notify ends the server's reading; it answers with its own. */
	stream_shutdown(&s);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 0);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 0);
	server_end(&server, &s);
	tls_client_free(ctx);
	certificate_done(&c);
}

static void an_end_without_close_notify_is_told_apart(void **state)
{
	static const struct {
		int then;
		int r;
	} ends[] = {{CLOSE_NOTIFY, 0}, {CLOSE_AT_ONCE, -ECONNRESET}};
	SSL_CTX *const ctx = trusting();
	struct certificate c = good();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct server server = {.certificate = &c, .then = ends[i].then};
		struct stream s;
		struct err err;
		char got[100];

		server_begin(&server, &s, "pop.example.org");
		assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
		read_whole(&s, got, 11);
		assert_int_equal(stream_read(&s, got, sizeof(got), &err), ends[i].r);
		server_end(&server, &s);
	}
	tls_client_free(ctx);
	certificate_done(&c);
}

static void writing_to_nobody_fails(void **state)
{
	SSL_CTX *const ctx = trusting();
	struct certificate c = good();
	struct server server = {.certificate = &c, .then = CLOSE_AT_ONCE};
	struct stream s;
	struct err err;

	(void)state;
	server_begin(&server, &s, "pop.example.org");
	assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
	assert_int_equal(pthread_join(server.thread, NULL), 0);
	assert_int_equal(stream_write(&s, "QUIT\r\n", 6, &err), -EPIPE);
	assert_string_equal(err.text, "cannot write to pop.example.org: Broken pipe");
	assert_int_equal(s.written_octets, 0);
	stream_close(&s);
	tls_client_free(ctx);
	certificate_done(&c);
}

/* What isn't TLS: a server in clear, one that closes, one that says nothing. */
static void a_peer_without_tls_is_noticed(void **state)
{
	SSL_CTX *const ctx = trusting();
	struct stream s;
	struct err err;
	int peer;

	(void)state;
	peer = socket_pair(&s, "pop.example.org", LONG_MS);
	assert_int_equal(write(peer, "+OK hello\r\n", 11), 11);
	assert_int_equal(stream_start_tls(&s, ctx, &err), -EPROTO);
	assert_string_equal(err.text, "TLS with pop.example.org: wrong version number");
	stream_close(&s);
	(void)close(peer);

	peer = socket_pair(&s, "pop.example.org", LONG_MS);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(stream_start_tls(&s, ctx, &err), -ECONNRESET);
	assert_non_null(strstr(err.text, "pop.example.org"));
	stream_close(&s);
	(void)close(peer);

	peer = socket_pair(&s, "pop.example.org", SHORT_MS);
	assert_int_equal(stream_start_tls(&s, ctx, &err), -ETIMEDOUT);
	assert_string_equal(err.text,
			    "cannot begin TLS with pop.example.org: Connection timed out");
	stream_close(&s);
	(void)close(peer);
	tls_client_free(ctx);
}

#define KEY_UPDATES 4000
#define FLOOD_OCTETS (KEY_UPDATES * 27)

/* Until the kernel has so many octets for the stream. */
static void wait_for_octets(const struct stream *s, int n)
{
	int have = 0;

	for (unsigned i = 0; have < n && i < LONG_MS; i++) {
		assert_int_equal(ioctl(s->_fd, FIONREAD, &have), 0);
		(void)usleep(1000);
	}
	assert_true(have >= n);
}

/* They carry nothing, so none of them is progress; and there is always one more to read. */
static void a_flood_of_empty_records_ends(void **state)
{
	static const struct {
		bool stop;
		unsigned ms_per_look;
		ssize_t r;
	} floods[] = {{false, 0, 11}, {true, 0, -ECANCELED}, {false, LONG_MS / 3, -ETIMEDOUT}};
	SSL_CTX *const ctx = trusting();
	struct certificate c = good();

	(void)state;
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct server server = {.certificate = &c, .key_updates = KEY_UPDATES};
		struct stream s;
		struct err err;
		char got[100];
		int stop[2];

		assert_int_equal(pipe(stop), 0);
		server_begin(&server, &s, "pop.example.org");
		assert_int_equal(stream_start_tls(&s, ctx, &err), 0);
		wait_for_octets(&s, FLOOD_OCTETS);
		s.stop_fd = stop[0];
		if (floods[i].stop)
			assert_int_equal(write(stop[1], "x", 1), 1);
		ms_per_look = floods[i].ms_per_look;
		assert_int_equal(stream_read(&s, got, sizeof(got), &err), floods[i].r);
		ms_per_look = 0;
		server_end(&server, &s);
		(void)close(stop[0]);
		(void)close(stop[1]);
	}
	tls_client_free(ctx);
	certificate_done(&c);
}

static void a_handshake_can_be_stopped(void **state)
{
	SSL_CTX *const ctx = trusting();
	struct stream s;
	struct err err;
	int stop[2];
	const int peer = socket_pair(&s, "pop.example.org", LONG_MS);

	(void)state;
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	s.stop_fd = stop[0];
	assert_int_equal(stream_start_tls(&s, ctx, &err), -ECANCELED);
	stream_close(&s);
	(void)close(peer);
	(void)close(stop[0]);
	(void)close(stop[1]);
	tls_client_free(ctx);
}

static void a_host_that_no_certificate_can_name_is_refused(void **state)
{
	SSL_CTX *const ctx = trusting();
	char long_name[257]; /* one octet more than a name has */
	const char *const hosts[] = {"", ".", long_name};

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct stream s;
		struct err err;
		const int peer = socket_pair(&s, hosts[i], LONG_MS);

		assert_int_equal(stream_start_tls(&s, ctx, &err), -EINVAL);
		stream_close(&s);
		(void)close(peer);
	}
	tls_client_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_trusted_or_refused_with_a_reason),
		cmocka_unit_test(who_accepts_any_certificate_gets_any),
		cmocka_unit_test(a_certificate_can_be_its_own_authority),
		cmocka_unit_test(the_systems_store_is_used_when_no_file_is_named),
		cmocka_unit_test(a_file_that_cannot_be_used_is_named),
		cmocka_unit_test(weak_tls_is_refused),
		cmocka_unit_test(alpn_is_said_when_asked_for),
		cmocka_unit_test(octets_come_and_go_and_are_counted),
		cmocka_unit_test(an_end_without_close_notify_is_told_apart),
		cmocka_unit_test(writing_to_nobody_fails),
		cmocka_unit_test(a_peer_without_tls_is_noticed),
		cmocka_unit_test(a_flood_of_empty_records_ends),
		cmocka_unit_test(a_handshake_can_be_stopped),
		cmocka_unit_test(a_host_that_no_certificate_can_name_is_refused),
	};

	return cmocka_run_group_tests(tests, make_authorities, remove_authorities);
}
