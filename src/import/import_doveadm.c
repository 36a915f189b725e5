/* SPDX-License-Identifier: MIT */
/*
 * "doveadm exec pop3 -u USER" is Dovecot's own POP3 server for that user, without a password
 * and on standard input: whatever form it keeps mail in, and however it makes UIDLs, that is
 * what its clients see.
 *
 * It doesn't start when its standard output is a socket, for fear of inetd. So that is a
 * pipe, from which a thread carries what it says to the socket that a session wants:
 *
 *	session <--> socket <-- thread <-- pipe <-- doveadm <-- the same socket
 *
 * It doesn't greet either, so the thread does.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "import/import_source.h"

extern char **environ;

struct doveadm_source {
	struct import_source base;
	struct import_pop3 *session;
	pid_t child;
	pthread_t carrier;
	int from; /* of the carrier: the pipe's end, and */
	int to;   /* the socket's. Owned by it */
};

static struct doveadm_source *of(struct import_source *s)
{
	return (struct doveadm_source *)s;
}

static int list(struct import_source *s, struct import_listing *l, struct err *err)
{
	return import_pop3_list(of(s)->session, l, err);
}

static int fetch(struct import_source *s, const struct import_listing *l,
		 const struct import_message *m, struct import_text *to, uint64_t *ret_arrived,
		 struct err *err)
{
	(void)l;
	return import_pop3_retrieve(of(s)->session, (uint32_t)m->at, to, ret_arrived, err);
}

static void *carry(void *arg)
{
	struct doveadm_source *const s = arg;
	char buf[1 << 16];
	ssize_t n;

	(void)send(s->to, "+OK\r\n", 5, MSG_NOSIGNAL);
	while ((n = read(s->from, buf, sizeof(buf))) > 0) {
		ssize_t at = 0;

		/* Nobody listens any more: read on, so that it can end. */
		while (at < n) {
			const ssize_t sent = send(s->to, buf + at, (size_t)(n - at), MSG_NOSIGNAL);

			at += sent > 0 ? sent : n - at;
		}
	}
	(void)close(s->from);
	(void)close(s->to);
	return NULL;
}

/* The session is closed, and with it what doveadm reads: it ends by itself. */
static void finish(struct doveadm_source *s)
{
	(void)pthread_join(s->carrier, NULL);
	while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
		;
	free(s);
}

static void close_source(struct import_source *s)
{
	import_pop3_close(of(s)->session);
	finish(of(s));
}

static const struct import_source_ops ops = {.list = list, .fetch = fetch, .close = close_source};

/* Standard error stays ours, for what Dovecot has to say. */
static int spawn(const char *config, const char *user, int in, int out, pid_t *ret_child)
{
	char doveadm[] = "doveadm";
	char option_c[] = "-c";
	char option_u[] = "-u";
	char exec[] = "exec";
	char pop3[] = "pop3";
	char *const with[] = {doveadm, option_c, (char *)config, exec,
			      pop3,    option_u, (char *)user,   NULL};
	char *const without[] = {doveadm, exec, pop3, option_u, (char *)user, NULL};
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawnp(ret_child, doveadm, &actions, NULL,
				 config != NULL ? with : without, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* *ret_fd is the session's end. */
static int start(struct doveadm_source *s, const char *config, const char *user, int *ret_fd)
{
	int fds[2];
	int out[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		goto close_socket;
	}
	r = spawn(config, user, fds[1], out[1], &s->child);
	(void)close(out[1]);
	if (r < 0)
		goto close_pipe;
	s->from = out[0];
	s->to = fds[1];
	r = -pthread_create(&s->carrier, NULL, carry, s);
	if (r == 0) {
		*ret_fd = fds[0];
		return 0;
	}
close_pipe:
	(void)close(out[0]);
close_socket:
	(void)close(fds[0]);
	(void)close(fds[1]);
	return r;
}

int import_doveadm_open(const char *config, const char *user, struct import_source **ret_source,
			struct err *err)
{
	struct doveadm_source *const s = calloc(1, sizeof(*s));
	int fd;
	int r = s == NULL ? -ENOMEM : start(s, config, user, &fd);

	if (r < 0) {
		free(s);
		return err_sys(err, -r, "cannot run doveadm");
	}
	s->base.ops = &ops;
	r = import_pop3_attach(fd, "doveadm", &s->session, err);
	if (r < 0) {
		finish(s);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}
