/* SPDX-License-Identifier: MIT */
#include "client/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/secret.h"
#include "base/span.h"
#include "base/text_file.h"
#include "client/netrc.h"

/* A password's file may have more lines: notes about it, say. */
#define FILE_MAX 65536

/* The first line of text. What can't be sent in a line to a server is refused here. */
static enum fetch_status first_line(const struct account *a, const char *where, struct span text,
				    char *ret_password, struct err *err)
{
	const char *wrong = NULL;

	text.n = span_find(text, '\n');
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	if (text.n == 0)
		wrong = "there is no password";
	else if (text.n > LIMIT_PASSWORD)
		wrong = "the password is too long";
	for (size_t i = 0; i < text.n && wrong == NULL; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			wrong = "the password has a control character";
	}
	if (wrong != NULL) {
		(void)err_set(err, EINVAL, "%s: %s: %s", a->name, where, wrong);
		return FETCH_CONFIG;
	}
	memcpy(ret_password, text.p, text.n);
	ret_password[text.n] = '\0';
	return FETCH_OK;
}

static enum fetch_status others_may(const char *path, struct err *err)
{
	(void)err_set(err, EPERM, "%s holds a password and others may read it: chmod 600 %s", path,
		      path);
	return FETCH_CONFIG;
}

static enum fetch_status from_file(const struct account *a, const char *path, char *ret_password,
				   struct err *err)
{
	struct text_file file;
	enum fetch_status fs;

	if (text_file_read(path, FILE_MAX, &file, err) < 0)
		return FETCH_CONFIG;
	fs = file.others_may ? others_may(path, err)
			     : first_line(a, path, span_of(file.text, file.n), ret_password, err);
	secret_wipe(file.text, file.n);
	free(file.text);
	return fs;
}

/* systemd.exec(5): what LoadCredential= names is a file in a directory that only we may read. */
static enum fetch_status from_credential(const struct account *a, char *ret_password,
					 struct err *err)
{
	const char *const directory = getenv("CREDENTIALS_DIRECTORY");
	char path[2 * LIMIT_PATH];

	if (directory == NULL) {
		(void)err_set(err, ENOENT,
			      "%s: password_credential is for a service of systemd that has "
			      "LoadCredential=%s: CREDENTIALS_DIRECTORY isn't set",
			      a->name, a->password_credential);
		return FETCH_CONFIG;
	}

	const int n = snprintf(path, sizeof(path), "%s/%s", directory, a->password_credential);

	if (n < 0 || (size_t)n >= sizeof(path)) {
		(void)err_set(err, ENAMETOOLONG, "%s: CREDENTIALS_DIRECTORY is too long", a->name);
		return FETCH_CONFIG;
	}
	return from_file(a, path, ret_password, err);
}

/* Reads ~/.netrc, if there is one. True: *ret_fs says what has come of it. */
static bool from_netrc(const struct account *a, char *ret_password, enum fetch_status *ret_fs,
		       struct err *err)
{
	char password[LIMIT_PASSWORD + 1];
	struct out out = {.p = password, .cap = sizeof(password)};
	char path[LIMIT_PATH];
	struct text_file file;
	enum netrc_status status;
	unsigned line = 0;

	if (getenv("HOME") == NULL || !account_path("netrc", "~/.netrc", sizeof(path), path, err) ||
	    access(path, F_OK) < 0)
		return false;
	*ret_fs = FETCH_CONFIG;
	if (text_file_read(path, FILE_MAX, &file, err) < 0)
		return true;
	status = netrc_find(span_of(file.text, file.n), a->host, a->user, &out, &line);
	if (status == NETRC_FOUND)
		*ret_fs = file.others_may ? others_may(path, err)
					  : first_line(a, path, out_span(&out), ret_password, err);
	else if (status != NETRC_NONE)
		(void)err_set(err, EINVAL, "%s:%u: %s", path, line,
			      status == NETRC_BAD ? "this is no line of a netrc"
						  : "the password is too long");
	secret_wipe(password, sizeof(password));
	secret_wipe(file.text, file.n);
	free(file.text);
	return status != NETRC_NONE;
}

extern char **environ;

/* In a shell, with its output into fd, and with the signals that we ignore. An errno. */
static int spawn_shell(char *command, int fd, pid_t *ret_pid)
{
	char sh[] = "sh";
	char option[] = "-c";
	char *const argv[] = {sh, option, command, NULL};
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
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	e = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (e == 0)
		e = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, argv, environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return e;
}

/* Runs it, with the terminal if there is one. 0 or negative errno. */
static int start_command(const char *command, pid_t *ret_pid, int *ret_fd)
{
	char *const text = strdup(command);
	int pair[2];
	int e;

	if (text == NULL)
		return -ENOMEM;
	if (pipe2(pair, O_CLOEXEC) < 0) {
		e = errno;
		free(text);
		return -e;
	}
	e = spawn_shell(text, pair[1], ret_pid);
	free(text);
	(void)close(pair[1]);
	if (e != 0)
		(void)close(pair[0]);
	else
		*ret_fd = pair[0];
	return -e;
}

/* What it prints, up to cap octets; the rest is read and dropped. */
static size_t read_output(int fd, char *to, size_t cap)
{
	char dropped[512];
	size_t n = 0;

	for (;;) {
		const bool room = n < cap;
		const ssize_t got = room ? read(fd, to + n, cap - n)
					 : read(fd, dropped, sizeof(dropped));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (room)
			n += (size_t)got;
	}
	secret_wipe(dropped, sizeof(dropped));
	return n;
}

static enum fetch_status from_command(const struct account *a, char *ret_password, struct err *err)
{
	char output[LIMIT_PASSWORD + 3];
	enum fetch_status fs;
	pid_t pid;
	int status;
	int fd;
	const int r = start_command(a->password_command, &pid, &fd);

	if (r < 0) {
		(void)err_sys(err, -r, "%s: cannot start password_command", a->name);
		return FETCH_CONFIG;
	}

	const size_t n = read_output(fd, output, sizeof(output));

	(void)close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
		(void)err_set(err, EINVAL, "%s: password_command has failed (%s %d)", a->name,
			      WIFSIGNALED(status) ? "signal" : "exit status",
			      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		fs = FETCH_CONFIG;
	} else {
		fs = first_line(a, "password_command", span_of(output, n), ret_password, err);
	}
	secret_wipe(output, sizeof(output));
	return fs;
}

static enum fetch_status from_person(const struct account *a, char *ret_password, struct err *err)
{
	char prompt[LIMIT_USER + LIMIT_ADDRESS + 32];
	char line[LIMIT_PASSWORD + 3];
	struct err why = {.text = "interrupted"};
	enum fetch_status fs;
	int r;

	(void)snprintf(prompt, sizeof(prompt), "Password for %s at %s: ", a->user, a->host);
	r = isatty(STDIN_FILENO) ? ask_password(prompt, line, sizeof(line), &why)
				 : ask_password_line(line, sizeof(line), &why);
	if (r < 0) {
		(void)err_set(err, -r, "%s: %s", a->name, why.text);
		fs = r == -EINTR ? FETCH_STOPPED : FETCH_CONFIG;
	} else {
		fs = first_line(a, "standard input", span_str(line), ret_password, err);
	}
	secret_wipe(line, sizeof(line));
	return fs;
}

enum fetch_status password_get(const struct account *a,
			       char ret_password[static LIMIT_PASSWORD + 1], struct err *err)
{
	enum fetch_status fs;

	if (a->password[0] != '\0')
		return first_line(a, "password", span_str(a->password), ret_password, err);
	if (a->password_command[0] != '\0')
		return from_command(a, ret_password, err);
	if (a->password_file[0] != '\0')
		return from_file(a, a->password_file, ret_password, err);
	if (a->password_credential[0] != '\0')
		return from_credential(a, ret_password, err);
	if (from_netrc(a, ret_password, &fs, err))
		return fs;
	return from_person(a, ret_password, err);
}

enum fetch_status password_get_deliver(const struct account *a,
				       char ret_password[static LIMIT_PASSWORD + 1],
				       struct err *err)
{
	const char *const url = account_destination_value(a, account_destination(a));
	struct account there;

	account_init(&there);
	memcpy(there.name, a->name, sizeof(there.name));
	memcpy(there.user, a->deliver_user, sizeof(there.user));
	(void)snprintf(there.host, sizeof(there.host), "%s", url);
	memcpy(there.password_command, a->deliver_password_command, sizeof(there.password_command));
	memcpy(there.password_file, a->deliver_password_file, sizeof(there.password_file));
	return password_get(&there, ret_password, err);
}
