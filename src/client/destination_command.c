/* SPDX-License-Identifier: MIT */
/*
 * A program as a destination: it gets the message on its standard input, as it came, and
 * has it for good when it exits with 0. There is no shell in between.
 */
#include "client/destination_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/wait.h"

#define WORDS_MAX 64
/* Between a request to end, and the end. */
#define GRACE_MS 5000

#define OWN_VARIABLES 4

struct command {
	char text[LIMIT_PATH];     /* cut into words */
	char *argv[WORDS_MAX + 1]; /* in text */
};

extern char **environ;

static int open_command(struct destination *d, struct err *err)
{
	struct command *const c = calloc(1, sizeof(*c));
	char *rest;
	size_t n = 0;

	if (c == NULL)
		return err_sys(err, ENOMEM, "cannot run deliver_command");
	d->own = c;
	(void)snprintf(c->text, sizeof(c->text), "%s", d->options.account->deliver_command);
	rest = c->text;
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		if (word[0] == '\0')
			continue;
		if (n == WORDS_MAX)
			return err_set(err, EINVAL, "deliver_command has more than %d words",
				       WORDS_MAX);
		c->argv[n++] = word;
	}
	if (access(c->argv[0], X_OK) < 0)
		return err_set(err, EINVAL, "deliver_command: cannot run '%s': %s", c->argv[0],
			       strerror(errno));
	return 0;
}

static void close_command(struct destination *d)
{
	free(d->own);
}

/* ---- What it is told ---- */

/* Our variables in front of everybody's. NULL: no memory. */
static char **make_environment(const struct destination *d, const struct incoming *in)
{
	char hex[2 * MESSAGE_KEY_OCTETS + 1];
	char uidl[256];
	size_t others = 0;
	size_t n = 0;
	char **env;

	for (size_t i = 0; i < MESSAGE_KEY_OCTETS; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", in->key.octets[i]);
	/* A UIDL may be any octets. */
	while (n < in->uidl.n && n + 1 < sizeof(uidl)) {
		const unsigned char c = (unsigned char)in->uidl.p[n];

		uidl[n++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	uidl[n] = '\0';
	while (environ[others] != NULL)
		others++;
	env = calloc(others + OWN_VARIABLES + 1, sizeof(*env));
	if (env == NULL)
		return NULL;
	if (asprintf(&env[0], "RESTANTE_ACCOUNT=%s", d->options.account->name) < 0 ||
	    asprintf(&env[1], "RESTANTE_UIDL=%s", uidl) < 0 ||
	    asprintf(&env[2], "RESTANTE_SIZE=%llu", (unsigned long long)in->bytes) < 0 ||
	    asprintf(&env[3], "RESTANTE_KEY=%s", hex) < 0) {
		for (size_t i = 0; i < OWN_VARIABLES; i++)
			free(env[i]);
		free(env);
		return NULL;
	}
	memcpy(env + OWN_VARIABLES, environ, others * sizeof(*env));
	return env;
}

static void free_environment(char **env)
{
	for (size_t i = 0; env != NULL && i < OWN_VARIABLES; i++)
		free(env[i]);
	free(env);
}

/* ---- Running it ---- */

/*
 * The message is its standard input. What it prints goes where complaints go; and it is
 * in a process group of its own, for Ctrl-C shall end us and not a delivery half way.
 */
static int spawn(const struct command *c, int message, char **env, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int e = posix_spawn_file_actions_init(&actions);

	if (e != 0)
		return e;
	e = posix_spawnattr_init(&attributes);
	if (e != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return e;
	}
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGPIPE);
	(void)sigaddset(&signals, SIGXFSZ);
	(void)posix_spawnattr_setsigdefault(&attributes, &signals);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	e = posix_spawn_file_actions_adddup2(&actions, message, STDIN_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (e == 0)
		e = posix_spawn(ret_pid, c->argv[0], &actions, &attributes, c->argv, env);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return e;
}

/* True when it has ended by then. A stop waits for it too: half a delivery is a double one. */
static bool ends_within(int pidfd, uint64_t ms)
{
	struct pollfd fds[] = {{.fd = -1}, {.fd = pidfd, .events = POLLIN}};

	return wait_ready(fds, 2, clock_mono_ms() + ms) == 0;
}

/* How it ended; *ret_late when it had to be made to. */
static int wait_for(const struct destination *d, pid_t pid, bool *ret_late)
{
	const int pidfd = pidfd_open(pid, 0);
	int status = 0;

	*ret_late = pidfd >= 0 && !ends_within(pidfd, (uint64_t)d->options.account->timeout * 1000);
	if (*ret_late) {
		(void)kill(-pid, SIGTERM);
		if (!ends_within(pidfd, GRACE_MS))
			(void)kill(-pid, SIGKILL);
	}
	if (pidfd >= 0)
		(void)close(pidfd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int verdict(const struct destination *d, int status, bool late, struct err *err)
{
	if (late)
		return err_set(err, EAGAIN, "deliver_command wasn't done within %lu s",
			       (unsigned long)d->options.account->timeout);
	if (WIFSIGNALED(status))
		return err_set(err, EAGAIN, "deliver_command was ended by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == EX_OK)
		return 0;
	return err_set(err, WEXITSTATUS(status) == EX_TEMPFAIL ? EAGAIN : EBADMSG,
		       "deliver_command exited with %d", WEXITSTATUS(status));
}

static int place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	char **env;
	pid_t pid;
	bool late;
	int fd;
	int e;

	assert(n == 1);
	fd = spool_open(in);
	if (fd < 0)
		return err_sys(err, -fd, "cannot read a message again");
	env = make_environment(d, in);
	e = env == NULL ? ENOMEM : spawn(d->own, fd, env, &pid);
	free_environment(env);
	(void)close(fd);
	if (e != 0)
		return err_sys(err, e == ENOMEM ? ENOMEM : EINVAL, "cannot start deliver_command");

	const int status = wait_for(d, pid, &late);
	const int r = verdict(d, status, late, err);

	if (r == 0)
		spool_abort(&d->spool, in);
	return r;
}

const struct destination_driver destination_command = {
	.together = 1,
	.open = open_command,
	.close = close_command,
	.place = place,
};
