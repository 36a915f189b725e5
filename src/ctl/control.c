/* SPDX-License-Identifier: MIT */
#include "ctl/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* How long an answer may take, and how long a server that is just reloading gets. */
#define ANSWER_SECONDS 10
#define TRIES 20
#define PAUSE_NS 250000000

/* A million sessions at once; more is no server of ours. */
#define ITEMS_MAX 1000000

static union ipc_msg message;

const char *control_role(uint32_t role)
{
	static const char *const names[IPC_ROLES] = {
		[IPC_MASTER] = "master",   [IPC_LISTENER] = "listener", [IPC_AUTH] = "auth",
		[IPC_STORAGE] = "storage", [IPC_MONITOR] = "monitor",   [IPC_PAM] = "pam",
		[IPC_SIGNER] = "signer",
	};

	return names[role];
}

const char *control_protocol(uint32_t protocol)
{
	static const char *const names[] = {
		[CONFIG_POP3] = "POP3",
		[CONFIG_POP3S] = "POP3S",
		[CONFIG_LMTP] = "LMTP",
		[CONFIG_SMTP] = "SMTP",
	};

	return names[protocol];
}

const char *control_session_state(uint32_t state)
{
	static const char *const names[IPC_SESSION_STATES] = {
		[IPC_SESSION_PROXY] = "proxy",
		[IPC_SESSION_HANDSHAKE] = "handshake",
		[IPC_SESSION_AUTHORIZATION] = "authorization",
		[IPC_SESSION_TRANSACTION] = "transaction",
		[IPC_SESSION_UPDATE] = "update",
		[IPC_SESSION_IDLE] = "idle",
		[IPC_SESSION_MESSAGE] = "message",
	};

	return names[state];
}

const char *control_process_state(uint32_t state)
{
	static const char *const names[IPC_PROCESS_STATES] = {
		[IPC_STARTING] = "starting",
		[IPC_RUNNING] = "running",
		[IPC_DRAINING] = "draining",
		[IPC_OLD] = "old",
	};

	return names[state];
}

void control_state_done(struct control_state *state)
{
	free(state->processes);
	free(state->commands);
	free(state->sessions);
	*state = (struct control_state){0};
}

/* ---- packets ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		r = -ENAMETOOLONG;
	else
		memcpy(address.sun_path, path, strlen(path) + 1);
	if (r == 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
		       connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0))
		r = -errno;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

static int ask(int fd)
{
	const size_t n = ipc_length(&message);

	return send(fd, &message, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -errno;
}

/* The next packet of this answer. 1; 0 after IPC_DONE; -ECONNRESET for one that was broken off. */
static int next(int fd, uint64_t question)
{
	const ssize_t n = recv(fd, &message, sizeof(message), 0);

	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (!ipc_check(&message, (size_t)n, false, IPC_MONITOR, IPC_OPERATOR) ||
	    message.head.session != question)
		return -EBADMSG;
	if (message.head.type != IPC_DONE)
		return 1;
	return message.done.status == IPC_OK ? 0 : -ECONNRESET;
}

/* One more of size octets behind the *n that are there. */
static int append(void **items, size_t *n, const void *item, size_t size)
{
	/* Twice as many at each power of two. */
	if ((*n & (*n - 1)) == 0) {
		void *const more = *n > ITEMS_MAX
					   ? NULL
					   : reallocarray(*items, *n == 0 ? 1 : *n * 2, size);

		if (more == NULL)
			return -ENOMEM;
		*items = more;
	}
	memcpy((char *)*items + *n * size, item, size);
	++*n;
	return 0;
}

static int keep(struct control_state *s)
{
	switch ((enum ipc_type)message.head.type) {
	case IPC_SERVER:
		s->server = message.server;
		return 0;
	case IPC_PROCESS:
		return append((void **)&s->processes, &s->n_processes, &message.process,
			      sizeof(message.process));
	case IPC_COMMAND:
		return append((void **)&s->commands, &s->n_commands, &message.command,
			      sizeof(message.command));
	case IPC_SESSION:
		return append((void **)&s->sessions, &s->n_sessions, &message.session,
			      sizeof(message.session));
	default:
		return -EBADMSG;
	}
}

/* Asks what is in message, and keeps the answer; IPC_DONE is there then. */
static int ask_and_keep(int fd, struct control_state *s)
{
	const uint64_t question = message.head.session;
	int r = ask(fd);

	if (r < 0)
		return r;
	while ((r = next(fd, question)) == 1) {
		r = keep(s);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- questions ---- */

static int read_status(int fd, struct control_state *s)
{
	ipc_start(&message, IPC_ASK_STATUS, 1);
	return ask_and_keep(fd, s);
}

static void select_in(enum ipc_type type, const struct ipc_select *select, uint32_t listener)
{
	ipc_start(&message, type, 1);
	message.select.listener = listener;
	message.select.id = select->id;
	memcpy(message.select.user, select->user, sizeof(select->user));
	memcpy(message.select.remote, select->remote, sizeof(select->remote));
}

static int read_sessions(int fd, const struct ipc_select *select, uint32_t listener,
			 struct control_state *s)
{
	struct ipc_select page = *select;
	int r;

	page.id = 0;
	do {
		select_in(IPC_ASK_SESSIONS, &page, listener);
		r = ask_and_keep(fd, s);
		page.id = message.done.next;
	} while (r == 0 && page.id != 0);
	return r;
}

static bool is_asked(const struct ipc_process *p, const struct ipc_select *select)
{
	return p->role == IPC_LISTENER && p->state != IPC_OLD &&
	       (select->listener == 0 || select->listener == p->id);
}

static int read_all(int fd, const struct ipc_select *select, struct control_state *s)
{
	int r = read_status(fd, s);

	for (size_t i = 0; r == 0 && select != NULL && i < s->n_processes; i++) {
		if (is_asked(&s->processes[i], select))
			r = read_sessions(fd, select, s->processes[i].id, s);
	}
	return r;
}

static int kick_all(int fd, const struct ipc_select *select, struct control_state *s, uint64_t *n)
{
	int r = read_status(fd, s);

	for (size_t i = 0; r == 0 && i < s->n_processes; i++) {
		if (!is_asked(&s->processes[i], select))
			continue;
		select_in(IPC_KICK, select, s->processes[i].id);
		r = ask_and_keep(fd, s);
		if (r == 0)
			*n += message.done.n;
	}
	return r;
}

/* Whose socket it is need not have been asked: the server hangs up on anybody else. */
static bool may_ask(const char *path)
{
	struct stat st;

	return geteuid() == 0 || (stat(path, &st) == 0 && st.st_uid == geteuid());
}

/* A reload in the middle: the new monitor, or the new listener, answers. */
static bool is_passing(int r)
{
	return r == -ECONNRESET || r == -EPIPE;
}

static int complain(const struct ctl *ctl, int r)
{
	const char *const path = ctl->config.control;

	switch (-r) {
	case ENOENT:
	case ECONNREFUSED:
		return ctl_complain(EX_UNAVAILABLE, "the server is not running: nobody is at '%s'",
				    path);
	case EACCES:
	case EPERM:
		return ctl_complain(EX_NOPERM, "cannot connect to '%s': %s", path, strerror(-r));
	case EBADMSG:
		return ctl_complain(EX_PROTOCOL,
				    "the server that runs is of another version: restart it");
	case ETIMEDOUT:
	case ECONNRESET:
	case EPIPE:
		return ctl_complain(EX_TEMPFAIL, "the server doesn't answer at '%s'", path);
	default:
		return ctl_complain(EX_OSERR, "cannot ask at '%s': %s", path, strerror(-r));
	}
}

static int control_ask(const struct ctl *ctl, const struct ipc_select *select,
		       struct control_state *ret_state, uint64_t *ret_kicked)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int r = -ECONNRESET;

	*ret_state = (struct control_state){0};
	if (ctl->config.control[0] == '\0')
		return ctl_complain(EX_CONFIG, "%s has no control, so there is nobody to ask",
				    ctl->config_path);
	for (int i = 0; i < TRIES && is_passing(r); i++) {
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		control_state_done(ret_state);

		const int fd = connect_to(ctl->config.control);

		if (fd < 0)
			return complain(ctl, fd);
		if (!may_ask(ctl->config.control)) {
			(void)close(fd);
			return complain(ctl, -EACCES);
		}
		r = ret_kicked != NULL ? kick_all(fd, select, ret_state, ret_kicked)
				       : read_all(fd, select, ret_state);
		(void)close(fd);
	}
	if (r == 0)
		return EX_OK;
	control_state_done(ret_state);
	return complain(ctl, r);
}

int control_read(const struct ctl *ctl, const struct ipc_select *select,
		 struct control_state *ret_state)
{
	return control_ask(ctl, select, ret_state, NULL);
}

int control_kick(const struct ctl *ctl, const struct ipc_select *select, uint64_t *ret_n)
{
	struct control_state state;
	int status;

	*ret_n = 0;
	status = control_ask(ctl, select, &state, ret_n);
	control_state_done(&state);
	return status;
}
