/* SPDX-License-Identifier: MIT */
/*
 * The process that has the keys, sealed as it is, against honest listeners and one that
 * somebody has taken over. The test plays the master and the listeners.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/fdpass.h"
#include "net/tls_signature.h"
#include "server/signerd/signerd.h"

#define PATIENCE_MS 60000

enum { EC, RSA_, ED25519, KEYS };

static char dir[64];
static char log_path[80];
static struct config config;
static EVP_PKEY *keys[KEYS];
static uint8_t ids[KEYS][TLS_KEY_ID_OCTETS];
static pid_t pid;
static int control;
static uint64_t next_session = 1;
static union ipc_msg msg;

/* ---- the master ---- */

static void write_pair(EVP_PKEY *key, const char *path)
{
	X509 *const x509 = X509_new();
	X509_NAME *const name = X509_get_subject_name(x509);
	FILE *const f = fopen(path, "w");

	assert_non_null(f);
	X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"a", -1, -1, 0);
	X509_set_issuer_name(x509, name);
	X509_set_pubkey(x509, key);
	assert_true(X509_sign(x509, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, x509), 1);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(x509);
}

static void start(void)
{
	struct pollfd p;
	int pair[2];
	int fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		const struct process_start how = {
			.ops = &signerd_ops, .id = 1, .config = &config, .control = pair[1]};

		if (log < 0 || dup2(log, STDERR_FILENO) < 0)
			_exit(99);
		exit(process_main(&how));
	}
	(void)close(pair[1]);
	control = pair[0];
	p = (struct pollfd){.fd = control, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(fdpass_recv(control, &msg, sizeof(msg), &fd) > 0);
	assert_int_equal(msg.head.type, IPC_READY);
}

/* It ends by itself, whatever its threads do. */
static void stop(void)
{
	int status;

	ipc_start(&msg, IPC_DRAIN, 0);
	assert_int_equal(fdpass_send(control, &msg, ipc_length(&msg), -1), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(control);
}

static int new_listener(void)
{
	static uint32_t id = 10;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	ipc_start(&msg, IPC_LINK, 0);
	msg.link.peer_role = IPC_LISTENER;
	msg.link.peer_id = id++;
	assert_int_equal(fdpass_send(control, &msg, ipc_length(&msg), pair[1]), 0);
	(void)close(pair[1]);
	return pair[0];
}

static unsigned count_logged(const char *text)
{
	static char log[65536];
	const int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = read(fd, log, sizeof(log) - 1);
	unsigned count = 0;

	assert_true(n >= 0);
	(void)close(fd);
	log[n] = '\0';
	for (const char *p = log; (p = strstr(p, text)) != NULL; p++)
		count++;
	return count;
}

/* ---- listeners ---- */

static size_t make_tls13(uint8_t *p)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";

	memset(p, ' ', 64);
	memcpy(p + 64, context, sizeof(context));
	memset(p + 64 + sizeof(context), 7, 32);
	return 64 + sizeof(context) + 32;
}

static size_t make_tls12(uint8_t *p)
{
	static const uint8_t x25519[] = {3, 0, 0x1d, 32};

	memset(p, 9, 64 + sizeof(x25519) + 32);
	memcpy(p + 64, x25519, sizeof(x25519));
	return 64 + sizeof(x25519) + 32;
}

static void ask(int fd, const uint8_t *id, uint32_t scheme, const uint8_t *octets, size_t n)
{
	ipc_start(&msg, IPC_SIGN, next_session++);
	memcpy(msg.sign.key_id, id, TLS_KEY_ID_OCTETS);
	msg.sign.scheme = scheme;
	msg.sign.n = (uint32_t)n;
	memcpy(msg.sign.octets, octets, n);
	assert_int_equal(fdpass_send(fd, &msg, ipc_length(&msg), -1), 0);
}

/* Into msg. False at the end of the channel. */
static bool hear(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int passed;

	if (poll(&p, 1, PATIENCE_MS) != 1)
		fail_msg("nothing came");

	const ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), &passed);

	if (n <= 0)
		return false;
	assert_true(ipc_check(&msg, (size_t)n, passed >= 0, IPC_SIGNER, IPC_LISTENER));
	assert_int_equal(msg.head.session, next_session - 1);
	return true;
}

static bool verifies(EVP_PKEY *key, const char *digest, bool pss, const uint8_t *octets, size_t n)
{
	EVP_MD_CTX *const md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	int r;

	assert_int_equal(EVP_DigestVerifyInit_ex(md, &ctx, digest, NULL, NULL, key, NULL), 1);
	if (pss)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
	r = EVP_DigestVerify(md, msg.signature.octets, msg.signature.n, octets, n);
	EVP_MD_CTX_free(md);
	return r == 1;
}

static const struct {
	uint32_t scheme;
	int key;
	const char *digest;
	bool pss;
	bool only_tls12;
} schemes[] = {
	{TLS_ECDSA_SHA256, EC, "SHA256", false, false},
	{TLS_ECDSA_SHA384, EC, "SHA384", false, false},
	{TLS_ECDSA_SHA512, EC, "SHA512", false, false},
	{TLS_ED25519, ED25519, NULL, false, false},
	{TLS_RSA_PSS_SHA256, RSA_, "SHA256", true, false},
	{TLS_RSA_PSS_SHA384, RSA_, "SHA384", true, false},
	{TLS_RSA_PSS_SHA512, RSA_, "SHA512", true, false},
	{TLS_RSA_PKCS1_SHA256, RSA_, "SHA256", false, true},
	{TLS_RSA_PKCS1_SHA384, RSA_, "SHA384", false, true},
	{TLS_RSA_PKCS1_SHA512, RSA_, "SHA512", false, true},
};

static void signs(void **state)
{
	const int fd = new_listener();
	uint8_t p[IPC_SIGN_OCTETS];

	(void)state;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		for (int key = 0; key < KEYS; key++) {
			for (unsigned version = 12; version <= 13; version++) {
				const size_t n = version == 12 ? make_tls12(p) : make_tls13(p);

				if (version == 13 && schemes[i].only_tls12)
					continue;
				ask(fd, ids[key], schemes[i].scheme, p, n);
				assert_true(hear(fd));
				if (key != schemes[i].key)
					assert_int_equal(msg.signature.n, 0);
				else
					assert_true(verifies(keys[key], schemes[i].digest,
							     schemes[i].pss, p, n));
			}
		}
	}
	(void)close(fd);
}

/* Not its fault: the certificate that it has read may be younger than our keys. */
static void no_such_key(void **state)
{
	static const uint8_t id[TLS_KEY_ID_OCTETS] = {1};
	const int fd = new_listener();
	const unsigned before = count_logged("reason=\"no such key\"");
	uint8_t p[IPC_SIGN_OCTETS];
	const size_t n = make_tls13(p);

	(void)state;
	ask(fd, id, TLS_ECDSA_SHA256, p, n);
	assert_true(hear(fd));
	assert_int_equal(msg.signature.n, 0);
	assert_int_equal(count_logged("reason=\"no such key\""), before + 1);
	ask(fd, ids[EC], TLS_ECDSA_SHA256, p, n);
	assert_true(hear(fd));
	assert_true(verifies(keys[EC], "SHA256", false, p, n));
	(void)close(fd);
}

/* What a key could be abused for ends the channel, and no other one. */
static void foreign_texts(void **state)
{
	static const char *const texts[] = {
		"",
		"0123456789abcdef0123456789abcdef",
		"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ3ZSJ9",
		"From: somebody\r\nDKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x",
	};
	const int honest = new_listener();
	uint8_t p[IPC_SIGN_OCTETS];
	size_t n = make_tls13(p);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const unsigned before = count_logged("reason=\"not a TLS handshake\"");
		const int hostile = new_listener();

		ask(hostile, ids[RSA_], TLS_RSA_PKCS1_SHA256, (const uint8_t *)texts[i],
		    strlen(texts[i]));
		assert_false(hear(hostile));
		assert_int_equal(count_logged("reason=\"not a TLS handshake\""), before + 1);
		(void)close(hostile);
		ask(honest, ids[EC], TLS_ECDSA_SHA256, p, n);
		assert_true(hear(honest));
		assert_true(verifies(keys[EC], "SHA256", false, p, n));
	}
	(void)close(honest);
}

/* A message of another kind, one with a descriptor, and no message at all. */
static void nonsense(void **state)
{
	const int hostile[] = {new_listener(), new_listener(), new_listener()};
	uint8_t p[IPC_SIGN_OCTETS];

	(void)state;
	ipc_start(&msg, IPC_PONG, 0);
	assert_int_equal(fdpass_send(hostile[0], &msg, ipc_length(&msg), -1), 0);
	assert_false(hear(hostile[0]));

	ipc_start(&msg, IPC_SIGN, 1);
	msg.sign.n = (uint32_t)make_tls13(msg.sign.octets);
	assert_int_equal(fdpass_send(hostile[1], &msg, ipc_length(&msg), hostile[2]), 0);
	assert_false(hear(hostile[1]));

	memset(p, 0xff, sizeof(p));
	assert_int_equal(fdpass_send(hostile[2], p, sizeof(p), -1), 0);
	assert_false(hear(hostile[2]));
	for (size_t i = 0; i < 3; i++)
		(void)close(hostile[i]);
}

/* Of a server that speaks TLS 1.3 only, no older handshake is signed. */
static void min_version(void **state)
{
	uint8_t p[IPC_SIGN_OCTETS];
	int fd;

	(void)state;
	stop();
	config.tls_min_version = 13;
	start();
	fd = new_listener();
	ask(fd, ids[EC], TLS_ECDSA_SHA256, p, make_tls13(p));
	assert_true(hear(fd));
	assert_true(msg.signature.n > 0);
	ask(fd, ids[EC], TLS_ECDSA_SHA256, p, make_tls12(p));
	assert_false(hear(fd));
	(void)close(fd);
}

static int set_up(void **state)
{
	static const char *const names[KEYS] = {"ec", "rsa", "ed25519"};
	struct err err;
	char text[512];
	FILE *f;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/restante-signerd-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
	keys[EC] = EVP_EC_gen("P-256");
	keys[RSA_] = EVP_RSA_gen(2048);
	keys[ED25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	(void)snprintf(text, sizeof(text), "%s/conf", dir);
	f = fopen(text, "w");
	if (f == NULL)
		return -1;
	(void)fprintf(f, "pop3_listen = {\"127.0.0.1:110\"}\nserver_user = \"nobody\"\n"
			 "tls_certificates = {");
	for (int i = 0; i < KEYS; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		write_pair(keys[i], path);
		if (!tls_key_id(keys[i], ids[i]))
			return -1;
		(void)fprintf(f, "%s\"%s\"", i > 0 ? ", " : "", path);
	}
	(void)fprintf(f, "}\n");
	if (fclose(f) != 0 || config_load(text, &config, &err) < 0)
		fail_msg("%s", err.text);
	start();
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"ec", "rsa", "ed25519", "conf", "log"};

	(void)state;
	stop();
	for (int i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs),         cmocka_unit_test(no_such_key),
		cmocka_unit_test(foreign_texts), cmocka_unit_test(nonsense),
		cmocka_unit_test(min_version),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
