/* SPDX-License-Identifier: MIT */
/*
 * listener_peers.h - everybody whom a listener talks to, played by a test: the
 * master, auth, storage and clients. The process itself is the real one, forked.
 *
 * Clients come by UNIX sockets, also for POP3: there the kernel tells how much of
 * what was sent the listener has read, so that a test can cut what it sends.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/fdpass.h"
#include "net/listen.h"
#include "net/tls_keys.h"
#include "server/listener/listener.h"
#include "../../net/certificates.h"

/* Nothing here takes longer, however slow the machine and its sanitizers are. */
#define PATIENCE_MS 60000

enum { AT_POP3, AT_POP3S, AT_LMTP, AT_TCP, PLACES };

struct peers {
	char dir[64];
	char pem[80];
	char log[80];
	char path[AT_TCP][80];
	struct config config;
	rlim_t descriptors; /* that the listener may have; 0: as many as the test */
	int sockets[PLACES];
	pid_t pid;
	int control;
	int auth;
	int storage;
	int signer;
	pthread_t signing;
};

static union ipc_msg msg;

/* ---- the processes around it ---- */

static inline void peers_send(int fd, const union ipc_msg *m, int passed)
{
	assert_int_equal(fdpass_send(fd, m, ipc_length(m), passed), 0);
}

static inline bool peers_readable(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) == 1;
}

/* The next message, which the listener may send to this role, into msg. False at the end. */
static inline bool peers_receive(int fd, enum ipc_role self)
{
	int passed;

	if (!peers_readable(fd, PATIENCE_MS))
		fail_msg("the listener said nothing");

	const ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), &passed);

	if (n <= 0)
		return false;
	assert_int_equal(passed, -1);
	assert_true(ipc_check(&msg, (size_t)n, false, IPC_LISTENER, self));
	return true;
}

/* It must be of this type. Its session. */
static inline uint64_t hear_message(int fd, enum ipc_type type)
{
	const enum ipc_role self = type >= IPC_AUTH_PASS && type <= IPC_AUTH_RCPT ? IPC_AUTH
										  : IPC_STORAGE;

	assert_true(peers_receive(fd, self));
	if (msg.head.type != type)
		fail_msg("%s came, not %s", ipc_type_name(msg.head.type), ipc_type_name(type));
	return msg.head.session;
}

static inline int peers_link(struct peers *p, enum ipc_role role)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_start(&msg, IPC_LINK, 0);
	msg.link.peer_role = role;
	msg.link.peer_id = 1;
	peers_send(p->control, &msg, pair[1]);
	(void)close(pair[1]);
	return pair[0];
}

static inline void peers_place(struct peers *p, unsigned at, enum config_protocol protocol,
			       const char *name)
{
	struct config_listen *const l = &p->config.listen[at];
	struct err err;
	int r;

	l->protocol = protocol;
	if (at == AT_TCP) {
		(void)snprintf(l->host, sizeof(l->host), "127.0.0.1");
		r = listen_tcp(l->host, 0, &p->sockets[at], 1, &err);
		l->port = listen_port(p->sockets[at]);
	} else {
		char path[80];

		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
		memcpy(p->path[at], path, sizeof(path));
		memcpy(l->host, path, sizeof(path));
		r = listen_unix(l->host, 0777, (gid_t)-1, &p->sockets[at], &err);
	}
	if (r < 0)
		fail_msg("%s", err.text);
	p->config.n_listen = at + 1;
}

static inline void peers_prepare(struct peers *p)
{
	struct config *const c = &p->config;

	memset(p, 0, sizeof(*p));
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/restante-listener-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->pem, sizeof(p->pem), "%s/pem", p->dir);
	(void)snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	certificate_write_server(p->pem, "localhost");
	peers_place(p, AT_POP3, CONFIG_POP3, "pop3");
	peers_place(p, AT_POP3S, CONFIG_POP3S, "pop3s");
	peers_place(p, AT_LMTP, CONFIG_LMTP, "lmtp");
	peers_place(p, AT_TCP, CONFIG_POP3, "tcp");
	(void)snprintf(c->hostname, sizeof(c->hostname), "mail.example.org");
	(void)snprintf(c->tls_certificate, sizeof(c->tls_certificate), "%s", p->pem);
	(void)snprintf(c->tls_key, sizeof(c->tls_key), "%s", p->pem);
	(void)snprintf(c->server_user, sizeof(c->server_user), "nobody");
	c->tls_min_version = 12;
	c->plaintext_login = CONFIG_PLAINTEXT_LOOPBACK;
	c->listeners = 1;
	c->max_connections = 100;
	c->login_timeout = 600;
	c->idle_timeout = 600;
	c->write_timeout = 600;
	c->max_bad_commands = 10;
	c->lmtp_max_recipients = 3;
	c->log_level = LOG_LEVEL_DEBUG;
}

/* A thread: the listener asks in the middle of a handshake, in which the test is the client. */
static inline void *peers_sign(void *arg)
{
	const struct peers *const p = arg;
	const struct tls_pair pair = {.certificate = p->pem, .key = p->pem};
	static union ipc_msg question;
	static union ipc_msg answer;
	struct tls_keys *keys;
	struct err err;
	int passed;

	if (tls_keys_load(&pair, 1, &keys, &err) < 0)
		return NULL;
	while (fdpass_recv(p->signer, &question, sizeof(question), &passed) > 0) {
		const struct tls_signing what = {.key_id = question.sign.key_id,
						 .scheme = question.sign.scheme,
						 .octets = question.sign.octets,
						 .n = question.sign.n};

		ipc_start(&answer, IPC_SIGNED, question.head.session);
		answer.signature.n = (uint32_t)tls_signature_make(tls_keys_find(keys, what.key_id),
								  &what, answer.signature.octets);
		if (fdpass_send(p->signer, &answer, ipc_length(&answer), -1) < 0)
			break;
	}
	tls_keys_free(keys);
	return NULL;
}

static inline void peers_start(struct peers *p)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		const int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		const struct process_start start = {.ops = &listener_ops,
						    .id = 1,
						    .config = &p->config,
						    .control = pair[1],
						    .sockets = p->sockets};
		const struct rlimit limit = {p->descriptors, p->descriptors};

		if (p->descriptors > 0 && setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(99);
		if (log < 0 || dup2(log, STDERR_FILENO) < 0)
			_exit(99);
		exit(process_main(&start));
	}
	(void)close(pair[1]);
	p->control = pair[0];
	assert_true(peers_receive(p->control, IPC_MASTER));
	assert_int_equal(msg.head.type, IPC_READY);
	p->storage = peers_link(p, IPC_STORAGE);
	p->auth = peers_link(p, IPC_AUTH);
	p->signer = peers_link(p, IPC_SIGNER);
	assert_int_equal(pthread_create(&p->signing, NULL, peers_sign, p), 0);
}

/* The log so far; a static copy. */
static inline const char *peers_log(const struct peers *p)
{
	static char text[1 << 20];
	const int fd = open(p->log, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* A short rest, between two looks at what nothing tells of. */
static inline void peers_rest(unsigned *waited_ms)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	(void)nanosleep(&ms, NULL);
	if (++*waited_ms > PATIENCE_MS)
		fail_msg("it never came");
}

static inline void peers_wait_log(const struct peers *p, const char *word)
{
	unsigned waited = 0;

	while (strstr(peers_log(p), word) == NULL)
		peers_rest(&waited);
}

static inline void peers_drain(struct peers *p, uint32_t seconds)
{
	ipc_start(&msg, IPC_DRAIN, 0);
	msg.drain.seconds = seconds;
	peers_send(p->control, &msg, -1);
}

/* It has ended by itself, in peace, and has written no password anywhere. */
static inline void peers_ended(struct peers *p)
{
	int status = 0;

	if (peers_receive(p->control, IPC_MASTER))
		fail_msg("unexpected word to the master");
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	if (status != 0)
		fail_msg("the listener ended with %#x: %s", (unsigned)status, peers_log(p));
	assert_null(strstr(peers_log(p), "secret"));
	(void)close(p->auth);
	(void)close(p->storage);
	assert_int_equal(pthread_join(p->signing, NULL), 0);
	(void)close(p->signer);
	(void)close(p->control);
	for (unsigned i = 0; i < PLACES; i++)
		(void)close(p->sockets[i]);
	for (unsigned i = 0; i < AT_TCP; i++)
		(void)unlink(p->path[i]);
	(void)unlink(p->log);
	(void)unlink(p->pem);
	(void)rmdir(p->dir);
}

/* All clients have hung up, or do when they are told to. */
static inline void peers_stop(struct peers *p)
{
	peers_drain(p, 60);
	peers_ended(p);
}

/* ---- clients ---- */

static inline int client_connect(const struct peers *p, unsigned at)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, p->path[at], sizeof(p->path[at]));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline void say_octets(int fd, const char *text, size_t n)
{
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

static inline void say(int fd, const char *text)
{
	say_octets(fd, text, strlen(text));
}

/* The listener has read all that was sent. */
static inline void client_settle(int fd)
{
	unsigned waited = 0;
	int left = 0;

	while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
		peers_rest(&waited);
}

/* One line, without its CRLF; a static copy. Octet by octet: what follows stays. */
static inline const char *hear_line(int fd)
{
	static char line[1024];
	size_t n = 0;

	do {
		if (!peers_readable(fd, PATIENCE_MS))
			fail_msg("nothing came after '%.*s'", (int)n, line);
		assert_true(n < sizeof(line));
		if (recv(fd, line + n, 1, 0) != 1)
			fail_msg("the connection ended after '%.*s'", (int)n, line);
	} while (line[n++] != '\n');
	assert_true(n >= 2 && line[n - 2] == '\r');
	line[n - 2] = '\0';
	return line;
}

static inline void hear(int fd, const char *wanted)
{
	assert_string_equal(hear_line(fd), wanted);
}

static inline void hear_begin(int fd, const char *wanted)
{
	const char *const line = hear_line(fd);

	if (strncmp(line, wanted, strlen(wanted)) != 0)
		fail_msg("'%s'", line);
}

static inline void hear_ok(int fd)
{
	hear_begin(fd, "+OK");
}

static inline void hear_nothing_more(int fd)
{
	char c;

	if (!peers_readable(fd, PATIENCE_MS))
		fail_msg("it doesn't hang up");

	const ssize_t n = recv(fd, &c, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	(void)close(fd);
}

static inline int client_greeted(const struct peers *p, unsigned at)
{
	const int fd = client_connect(p, at);

	hear(fd, at == AT_LMTP ? "220 mail.example.org restante LMTP" : "+OK restante is ready");
	return fd;
}
