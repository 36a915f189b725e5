/* SPDX-License-Identifier: MIT */
/*
 * authd_peers.h - everybody whom an auth process talks to, played by a test: the
 * master, two listeners and storage. The process itself is the real one, forked.
 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/fdpass.h"
#include "server/authd/authd.h"

/* Nothing here takes longer, however slow the machine and its sanitizers are. */
#define PATIENCE_MS 60000

#define LISTENER_A 7
#define LISTENER_B 8

struct peers {
	char dir[64];
	char users[96];
	char log[96];
	struct config config;
	pid_t pid;
	int control;
	int a; /* listener 7 */
	int b; /* listener 8 */
	int storage;
};

static union ipc_msg msg;

static inline void peers_send(int fd, const union ipc_msg *m, int passed)
{
	assert_int_equal(fdpass_send(fd, m, ipc_length(m), passed), 0);
}

/* The next message into msg. False when the peer has hung up. */
static inline bool peers_receive(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int passed;

	if (poll(&p, 1, PATIENCE_MS) != 1)
		fail_msg("nothing came");

	const ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), &passed);

	if (n <= 0)
		return false;
	assert_int_equal(passed, -1);
	return true;
}

static inline bool peers_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* The storage that listeners have, as they tell auth with each login. */
static uint32_t listeners_storage;

static inline int peers_link(struct peers *p, enum ipc_role role, uint32_t id)
{
	int pair[2];

	if (role == IPC_STORAGE)
		listeners_storage = id;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_start(&msg, IPC_LINK, 0);
	msg.link.peer_role = role;
	msg.link.peer_id = id;
	peers_send(p->control, &msg, pair[1]);
	(void)close(pair[1]);
	return pair[0];
}

static inline void peers_write_users(struct peers *p, const char *text)
{
	char fresh[128];

	(void)snprintf(fresh, sizeof(fresh), "%s.new", p->users);

	FILE *f = fopen(fresh, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fchmod(fileno(f), 0644), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(fresh, p->users), 0);
}

static inline void peers_prepare(struct peers *p)
{
	struct config *c = &p->config;

	memset(p, 0, sizeof(*p));
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/restante-authd-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(chmod(p->dir, 0755), 0);
	(void)snprintf(p->users, sizeof(p->users), "%s/users", p->dir);
	(void)snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	(void)snprintf(c->hostname, sizeof(c->hostname), "mail.example.org");
	(void)snprintf(c->users_file, sizeof(c->users_file), "%s", p->users);
	(void)snprintf(c->default_domain, sizeof(c->default_domain), "example.org");
	(void)snprintf(c->recipient_delimiter, sizeof(c->recipient_delimiter), "+");
	(void)snprintf(c->device_separator, sizeof(c->device_separator), "+");
	(void)snprintf(c->mail_location, sizeof(c->mail_location), "/mail/%%d/%%n");
	(void)snprintf(c->server_user, sizeof(c->server_user), "nobody");
	c->plaintext_login = CONFIG_PLAINTEXT_LOOPBACK;
	c->auth_threads = 1;
	c->auth_cache_seconds = 3600;
	c->max_connections = 1000;
	c->log_level = LOG_LEVEL_DEBUG;
}

static inline void peers_start(struct peers *p)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		const int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		const struct process_start start = {
			.ops = &authd_ops, .id = 1, .config = &p->config, .control = pair[1]};

		if (log < 0 || dup2(log, STDERR_FILENO) < 0)
			_exit(99);
		exit(process_main(&start));
	}
	(void)close(pair[1]);
	p->control = pair[0];
	assert_true(peers_receive(p->control));
	assert_int_equal(msg.head.type, IPC_READY);
	p->a = peers_link(p, IPC_LISTENER, LISTENER_A);
	p->b = peers_link(p, IPC_LISTENER, LISTENER_B);
	p->storage = peers_link(p, IPC_STORAGE, 1);
}

/* The log so far; a static copy. */
static inline const char *peers_log(const struct peers *p)
{
	static char text[1 << 18];
	const int fd = open(p->log, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static inline void peers_close(int *fd)
{
	if (*fd > 0)
		(void)close(*fd);
	*fd = 0;
}

/* Drains it: it must end by itself, in peace, and must not have written a password anywhere. */
static inline void peers_stop(struct peers *p)
{
	int status = 0;

	ipc_start(&msg, IPC_DRAIN, 0);
	peers_send(p->control, &msg, -1);
	peers_close(&p->a);
	peers_close(&p->b);
	/* It hangs up when it ends: that can be waited for with a limit. */
	if (peers_receive(p->control))
		fail_msg("unexpected word to the master");
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	if (status != 0)
		fail_msg("auth ended with %#x: %s", (unsigned)status, peers_log(p));
	peers_close(&p->storage);
	peers_close(&p->control);
	assert_null(strstr(peers_log(p), "secret"));
	assert_null(strstr(peers_log(p), "$argon2"));
	(void)unlink(p->log);
	(void)unlink(p->users);
	(void)rmdir(p->dir);
}

/* ---- what listeners say ---- */

static inline void put(char *to, size_t cap, const char *text)
{
	(void)snprintf(to, cap, "%s", text);
}

static inline void say_pass_at(int fd, uint64_t session, const char *remote, const char *user,
			       const char *password, uint32_t flags)
{
	ipc_start(&msg, IPC_AUTH_PASS, session);
	msg.pass.origin.flags = flags;
	msg.pass.origin.storage = listeners_storage;
	put(msg.pass.origin.remote, sizeof(msg.pass.origin.remote), remote);
	put(msg.pass.user, sizeof(msg.pass.user), user);
	put(msg.pass.password, sizeof(msg.pass.password), password);
	peers_send(fd, &msg, -1);
}

static inline void say_pass_from(int fd, uint64_t session, const char *user, const char *password,
				 uint32_t flags)
{
	say_pass_at(fd, session, "192.0.2.9", user, password, flags);
}

static inline void say_pass(int fd, uint64_t session, const char *user, const char *password)
{
	say_pass_from(fd, session, user, password, IPC_AUTH_TLS);
}

static inline void say_cancel(int fd, uint64_t session)
{
	ipc_start(&msg, IPC_AUTH_CANCEL, session);
	peers_send(fd, &msg, -1);
}

static inline void say_sasl_from(int fd, uint64_t session, const char *mechanism, const char *data,
				 size_t n, uint32_t flags)
{
	ipc_start(&msg, mechanism != NULL ? IPC_AUTH_SASL_START : IPC_AUTH_SASL_STEP, session);
	msg.sasl.origin.flags = flags;
	msg.sasl.origin.storage = listeners_storage;
	put(msg.sasl.origin.remote, sizeof(msg.sasl.origin.remote), "192.0.2.9");
	if (mechanism != NULL) {
		put(msg.sasl.mechanism, sizeof(msg.sasl.mechanism), mechanism);
		msg.sasl.has_initial = data != NULL;
	}
	msg.sasl.n = (uint32_t)n;
	if (n > 0)
		memcpy(msg.sasl.data, data, n);
	peers_send(fd, &msg, -1);
}

static inline void say_sasl(int fd, uint64_t session, const char *mechanism, const char *data,
			    size_t n)
{
	say_sasl_from(fd, session, mechanism, data, n, IPC_AUTH_TLS);
}

static inline void say_rcpt(int fd, uint64_t session, uint32_t transaction, const char *address)
{
	ipc_start(&msg, IPC_AUTH_RCPT, session);
	msg.rcpt.transaction = transaction;
	put(msg.rcpt.address, sizeof(msg.rcpt.address), address);
	peers_send(fd, &msg, -1);
}

/* ---- what they and storage must hear ---- */

static inline void hear_failed(int fd, uint64_t session, enum ipc_status status)
{
	assert_true(peers_receive(fd));
	assert_int_equal(msg.head.type, IPC_AUTH_FAILED);
	assert_int_equal(msg.head.session, session);
	assert_string_equal(ipc_status_name(msg.result.status), ipc_status_name(status));
}

static inline void hear_open(struct peers *p, uint32_t listener, uint64_t session, const char *user)
{
	assert_true(peers_receive(p->storage));
	assert_int_equal(msg.head.type, IPC_GRANT_OPEN);
	assert_int_equal(msg.head.session, session);
	assert_int_equal(msg.grant.listener, listener);
	assert_string_equal(msg.grant.user, user);
}

static inline void hear_rcpt(int fd, uint64_t session, enum ipc_status status)
{
	assert_true(peers_receive(fd));
	assert_int_equal(msg.head.type, IPC_AUTH_RCPT_REPLY);
	assert_int_equal(msg.head.session, session);
	assert_string_equal(ipc_status_name(msg.result.status), ipc_status_name(status));
}

static inline void hear_challenge(int fd, uint64_t session)
{
	assert_true(peers_receive(fd));
	assert_int_equal(msg.head.type, IPC_AUTH_CHALLENGE);
	assert_int_equal(msg.head.session, session);
}

/* Returns when all that the master has said until now has been done. */
static inline void peers_sync(struct peers *p)
{
	int l = peers_link(p, IPC_LISTENER, 99);

	say_rcpt(l, 1, 1, "");
	hear_rcpt(l, 1, IPC_NO_USER);
	peers_close(&l);
}

/* The channel is closed, perhaps after what was still on its way. */
static inline void hear_hangup(int fd)
{
	while (peers_receive(fd))
		continue;
}
