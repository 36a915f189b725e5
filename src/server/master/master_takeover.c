/* SPDX-License-Identifier: MIT */
/*
 * SIGUSR2: a new program takes over under the same process id, and nobody is dropped.
 *
 *	old master: "PROGRAM --takes-over N -t" says that the new one can -> what it needs to
 *	know into a memfd -> exec
 *	new master: its sockets and children are those -> storage, auth and listeners of its own
 *	-> all ready: DRAIN to the old listeners; when the last one has gone, to the others
 *
 * Old and new processes are never linked: what they say to each other may differ from one version
 * to the next. That is also why the old auth and the old storage stay as long as an old listener
 * does. What keeps a maildrop for one session is a lock in the file system, so both storages
 * respect it. Between the new master and the old children there is only what stays the same in
 * every version: IPC_DRAIN, IPC_READY, IPC_PING and IPC_PONG, by number and struct.
 *
 * Not taken along: what has been counted, keys of session tickets, and what auth remembers.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "server/master/master_priv.h"

/* In the environment: the memfd's number. */
#define VARIABLE "RESTANTE_TAKEOVER"

/* As long as old and new have to understand it: changed with any struct below. */
#define TAKEOVER_VERSION 1
#define TAKEOVER_VERSION_TEXT "1"

#define CHILDREN_MAX 2048

/* How long the new program may take to say that it can. */
#define TEST_MS 60000

struct taken_child {
	char role[16]; /* in words: numbers may change */
	uint32_t id;
	int32_t pid;
	int32_t control; /* -1: closed */
	uint32_t ready;
	uint32_t draining;
	uint32_t drain_seconds;
	uint64_t started;
};

struct taken_socket {
	char protocol[16];
	char host[LIMIT_PATH];
	uint32_t port;
	uint32_t given;
	uint32_t nameless;
	uint32_t n;
	int32_t fds[MASTER_LISTENERS_MAX];
};

struct taken {
	uint32_t version;
	uint32_t size; /* of this struct */
	uint32_t next_id;
	uint32_t generation;
	uint32_t listeners;
	uint32_t n_sockets;
	uint32_t n_children;
	uint32_t zero;
	struct taken_socket sockets[CONFIG_LISTEN_MAX];
	struct taken_child children[CHILDREN_MAX];
};

/* What runs, and so where its successor is. "": not known, and there is no upgrade. */
static char program[PATH_MAX];

void master_takeover_init(void)
{
	const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
}

/* ---- the old master ---- */

/* The new program, with its words going to out. Never returns. */
__attribute__((noreturn)) static void be_test(const struct master *m, int out)
{
	static char option[] = "--takes-over";
	static char version[] = TAKEOVER_VERSION_TEXT;
	static char test[] = "-t";
	static char config[] = "-c";
	char *const argv[] = {program, option, version, test, config, (char *)(uintptr_t)m->path,
			      NULL};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(out, STDERR_FILENO);
	(void)execv(program, argv);
	(void)dprintf(STDERR_FILENO, "cannot start '%s': %s\n", program, strerror(errno));
	_exit(127);
}

/* Its first line, until it ends or its time is over. False in the latter case. */
static bool read_words(int fd, char *text, size_t cap)
{
	const uint64_t end = clock_mono_ms() + TEST_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	for (uint64_t now = clock_mono_ms(); now < end; now = clock_mono_ms()) {
		char more[256];

		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;

		const ssize_t got = read(fd, more, sizeof(more));
		const size_t room = cap - 1 - n;

		if (got <= 0) {
			text[strcspn(text, "\n")] = '\0';
			return true;
		}
		memcpy(text + n, more, (size_t)got < room ? (size_t)got : room);
		n += (size_t)got < room ? (size_t)got : room;
		text[n] = '\0';
	}
	return false;
}

/*
 * The new program looks at the configuration, as -t does; one that doesn't know how to take over
 * doesn't know the option either. Otherwise text says why not.
 */
static bool is_able(const struct master *m, char *text, size_t cap)
{
	int pipe_fds[2];
	int status = -1;

	text[0] = '\0';
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		(void)snprintf(text, cap, "cannot make a pipe");
		return false;
	}

	const pid_t pid = fork();

	if (pid == 0)
		be_test(m, pipe_fds[1]);
	(void)close(pipe_fds[1]);
	if (pid > 0) {
		if (!read_words(pipe_fds[0], text, cap)) {
			(void)snprintf(text, cap, "its test takes too long");
			(void)kill(pid, SIGKILL);
		}
		(void)waitpid(pid, &status, 0);
	}
	(void)close(pipe_fds[0]);
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (text[0] == '\0')
		(void)snprintf(text, cap, "its test fails without a word");
	return false;
}

static void describe_sockets(const struct master *m, struct taken *t)
{
	t->n_sockets = m->sockets.n;
	for (uint32_t i = 0; i < m->sockets.n; i++) {
		const struct bound *const b = m->sockets.bound[i];
		struct taken_socket *const s = &t->sockets[i];

		(void)snprintf(s->protocol, sizeof(s->protocol), "%s",
			       sockets_protocol(b->listen.protocol));
		(void)snprintf(s->host, sizeof(s->host), "%s", b->listen.host);
		s->port = b->listen.port;
		s->given = b->given;
		s->nameless = b->nameless;
		s->n = b->n;
		for (unsigned k = 0; k < b->n; k++)
			s->fds[k] = b->fds[k];
	}
}

static bool describe_children(const struct master *m, struct taken *t)
{
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		struct taken_child *const k = &t->children[t->n_children];

		if (t->n_children == CHILDREN_MAX)
			return false;
		(void)snprintf(k->role, sizeof(k->role), "%s", master_role_name(c->role));
		k->id = c->id;
		k->pid = c->pid;
		k->control = c->control;
		k->ready = c->ready;
		k->draining = c->draining;
		k->drain_seconds = c->drain_seconds;
		k->started = c->started;
		t->n_children++;
	}
	return true;
}

/* What exec() closes, or doesn't. */
static void keep_open(const struct taken *t, bool keep)
{
	const int flags = keep ? 0 : FD_CLOEXEC;

	for (uint32_t i = 0; i < t->n_sockets; i++) {
		for (uint32_t k = 0; k < t->sockets[i].n; k++)
			(void)fcntl(t->sockets[i].fds[k], F_SETFD, flags);
	}
	for (uint32_t i = 0; i < t->n_children; i++) {
		if (t->children[i].control >= 0)
			(void)fcntl(t->children[i].control, F_SETFD, flags);
	}
}

/* A memfd that stays open over exec(), or negative errno. */
static int write_down(const struct taken *t)
{
	const int fd = memfd_create("restante-takeover", 0);

	if (fd < 0)
		return -errno;
	if (write(fd, t, sizeof(*t)) == (ssize_t)sizeof(*t))
		return fd;
	(void)close(fd);
	return -ENOSPC;
}

static void stay(const char *error)
{
	log_event(LOG_LEVEL_ERROR, "upgrade-failed", log_str("error", error),
		  log_str("effect", "the old program goes on"));
}

/* Becomes the new program; comes back only when that can't be. */
static void become(struct master *m, struct taken *t)
{
	static char config[] = "-c";
	/* Not as this one was called: that may have been from another folder. */
	char *const argv[] = {program, config, (char *)(uintptr_t)m->path, NULL};
	char number[16];
	int fd;

	t->version = TAKEOVER_VERSION;
	t->size = sizeof(*t);
	t->next_id = m->next_id;
	t->generation = m->generation;
	t->listeners = m->config.listeners;
	describe_sockets(m, t);
	if (!describe_children(m, t)) {
		stay("there are too many processes");
		return;
	}
	fd = write_down(t);
	if (fd < 0) {
		stay(strerror(-fd));
		return;
	}
	(void)snprintf(number, sizeof(number), "%d", fd);
	keep_open(t, true);
	if (setenv(VARIABLE, number, 1) == 0) {
		master_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
			      (unsigned long long)clock_mono_ms() * 1000);
		(void)execv(program, argv);
	}
	stay(strerror(errno));
	(void)unsetenv(VARIABLE);
	keep_open(t, false);
	(void)close(fd);
	master_notify_ready(m);
}

void master_upgrade(struct master *m)
{
	struct taken *t;
	char text[256];

	if (m->state != MASTER_RUNNING || m->reloading) {
		stay("it is starting, reloading or ending: try again");
		return;
	}
	log_event(LOG_LEVEL_INFO, "upgrade", log_str("program", program));
	if (program[0] == '\0' || !is_able(m, text, sizeof(text))) {
		stay(program[0] == '\0' ? "it doesn't know its own program" : text);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		stay(strerror(ENOMEM));
		return;
	}
	become(m, t);
	free(t);
}

/* ---- the new master ---- */

bool master_takeover_fits(const char *version)
{
	return strcmp(version, TAKEOVER_VERSION_TEXT) == 0;
}

static bool role_of(const char *name, enum ipc_role *ret)
{
	for (unsigned i = IPC_MASTER + 1; i < IPC_ROLES; i++) {
		if (strcmp(name, master_role_name((enum ipc_role)i)) == 0) {
			*ret = (enum ipc_role)i;
			return true;
		}
	}
	return false;
}

/* One of a kind that this version doesn't have is ended with the last old listener, as others. */
static int adopt_children(struct master *m, const struct taken *t)
{
	for (uint32_t i = 0; i < t->n_children && i < CHILDREN_MAX; i++) {
		const struct taken_child *const k = &t->children[i];
		struct child *const c = calloc(1, sizeof(*c));

		if (c == NULL)
			return -ENOMEM;
		if (!role_of(k->role, &c->role))
			c->role = IPC_STORAGE;
		c->id = k->id;
		c->pid = k->pid;
		c->control = k->control;
		c->ready = k->ready != 0;
		c->draining = k->draining != 0;
		c->drain_seconds = k->drain_seconds;
		c->started = k->started;
		c->started_ms = clock_mono_ms();
		c->slot = -1;
		c->page = -1;
		c->foreign = true;
		if (c->control >= 0)
			(void)fcntl(c->control, F_SETFD, FD_CLOEXEC);
		c->next = m->children;
		m->children = c;
	}
	return 0;
}

static int adopt_sockets(struct sockets *ret, const struct taken *t)
{
	*ret = (struct sockets){.n = 0};
	for (uint32_t i = 0; i < t->n_sockets && i < CONFIG_LISTEN_MAX; i++) {
		const struct taken_socket *const s = &t->sockets[i];
		struct bound *const b = calloc(1, sizeof(*b));

		if (b == NULL)
			return -ENOMEM;
		b->nameless = !sockets_protocol_find(s->protocol, &b->listen.protocol) ||
			      s->nameless != 0;
		memcpy(b->listen.host, s->host, sizeof(b->listen.host));
		b->listen.port = (uint16_t)s->port;
		b->given = s->given != 0;
		b->n = s->n < MASTER_LISTENERS_MAX ? s->n : MASTER_LISTENERS_MAX;
		for (unsigned k = 0; k < b->n; k++) {
			b->fds[k] = s->fds[k];
			(void)fcntl(b->fds[k], F_SETFD, FD_CLOEXEC);
		}
		ret->bound[ret->n++] = b;
	}
	return 0;
}

int master_takeover(struct master *m, struct sockets *ret_sockets, struct err *err)
{
	const char *const text = getenv(VARIABLE);
	uint64_t fd;
	struct taken *t;
	int r = 0;

	if (text == NULL)
		return 0;
	if (!num_parse_u64(span_str(text), INT32_MAX, &fd))
		return err_set(err, EINVAL, VARIABLE " is no descriptor");
	(void)unsetenv(VARIABLE);
	t = malloc(sizeof(*t));
	if (t == NULL)
		return err_sys(err, ENOMEM, "cannot take over");
	if (pread((int)fd, t, sizeof(*t), 0) != (ssize_t)sizeof(*t) ||
	    t->version != TAKEOVER_VERSION || t->size != sizeof(*t))
		r = err_set(err, EPROTO, "cannot take over: the old program is of another kind");
	(void)close((int)fd);
	if (r == 0) {
		r = adopt_sockets(ret_sockets, t);
		if (r == 0)
			r = adopt_children(m, t);
		if (r < 0)
			(void)err_sys(err, -r, "cannot take over");
	}
	if (r == 0) {
		m->next_id = t->next_id;
		m->generation = t->generation + 1;
		if (m->config.listeners != 0 && m->config.listeners != t->listeners)
			log_event(LOG_LEVEL_WARN, "reload-needs-restart",
				  log_str("option", "listeners"));
		m->config.listeners = t->listeners;
		m->reloading = m->taken_over = true;
	}
	free(t);
	return r < 0 ? r : 1;
}

/* When no old listener is left, nobody asks the others any more. */
void master_takeover_settle(struct master *m)
{
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		if (c->foreign && c->role == IPC_LISTENER)
			return;
	}
	for (struct child *c = m->children; c != NULL; c = c->next) {
		if (c->foreign)
			master_drain_child(c, IPC_DRAIN_FOREVER);
	}
}
