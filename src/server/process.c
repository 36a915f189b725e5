/* SPDX-License-Identifier: MIT */
#include "server/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "server/privileges.h"

/* The program's arguments, which ps(1) shows. */
static struct {
	char *p;
	size_t n;
} title;

void process_title_init(int argc, char **argv)
{
	char *end = argv[0];

	/* They lie one behind the other; should they ever not, fewer octets are used. */
	for (int i = 0; i < argc && argv[i] == end; i++)
		end += strlen(argv[i]) + 1;
	title.p = argv[0];
	title.n = (size_t)(end - argv[0]);
}

static void name_process(const struct process *p)
{
	static const char *const names[IPC_ROLES] = {
		[IPC_LISTENER] = "listener", [IPC_AUTH] = "auth", [IPC_STORAGE] = "storage",
		[IPC_MONITOR] = "monitor",   [IPC_PAM] = "pam",   [IPC_SIGNER] = "signer",
	};
	const char *const role = names[p->ops->role];
	char name[32];
	char comm[48];

	if (p->ops->role == IPC_LISTENER)
		(void)snprintf(name, sizeof(name), "%s-%u", role, p->id);
	else
		(void)snprintf(name, sizeof(name), "%s", role);
	log_init(p->config->log_target, p->config->log_format, p->config->log_level, name);
	/* Fifteen octets of it stay. */
	(void)snprintf(comm, sizeof(comm), "rst-%s", name);
	(void)prctl(PR_SET_NAME, comm);
	if (title.n > 0) {
		memset(title.p, 0, title.n);
		(void)snprintf(title.p, title.n, "restanted: %s", name);
	}
}

static int compare_int(const void *a, const void *b)
{
	const int x = *(const int *)a;
	const int y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Closes every descriptor above standard error but these. */
static void close_others(const int *keep, size_t n)
{
	int sorted[CONFIG_LISTEN_MAX + 1];
	unsigned from = STDERR_FILENO + 1;

	assert(n <= sizeof(sorted) / sizeof(sorted[0]));
	memcpy(sorted, keep, n * sizeof(*keep));
	qsort(sorted, n, sizeof(*sorted), compare_int);
	/* syslog(3) would go on writing to its old number, whatever that is by then. */
	closelog();
	for (size_t i = 0; i < n; i++) {
		const unsigned fd = (unsigned)sorted[i];

		if (fd > from)
			(void)close_range(from, fd - 1, 0);
		if (fd >= from)
			from = fd + 1;
	}
	(void)close_range(from, ~0U, 0);
}

/*
 * What ends a daemon comes to the master alone, which tells its children. A
 * terminal's Ctrl-C and a service manager's SIGTERM reach the whole group.
 */
static void reset_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* When memory is short, a listener is missed least: the master starts another. */
static void offer_to_oom_killer(const struct process *p)
{
	if (p->ops->role != IPC_LISTENER)
		return;

	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "200", 3) < 0)
		log_event(LOG_LEVEL_DEBUG, "oom-score", log_str("error", strerror(errno)));
	(void)close(fd);
}

static int read_config(int fd, struct config *ret_config)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != (off_t)sizeof(*ret_config))
		return -EBADMSG;

	const ssize_t n = pread(fd, ret_config, sizeof(*ret_config), 0);

	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(*ret_config) ? 0 : -EBADMSG;
}

static void take_config(struct process *p, int fd)
{
	struct config *const fresh = malloc(sizeof(*fresh));
	const int r = fresh == NULL ? -ENOMEM : read_config(fd, fresh);

	(void)close(fd);
	if (r < 0) {
		free(fresh);
		log_event(LOG_LEVEL_ERROR, "reload-failed", log_str("error", strerror(-r)));
		return;
	}
	free(p->config);
	p->config = fresh;
	name_process(p);
	if (p->ops->on_config != NULL)
		p->ops->on_config(p);
}

static void on_control(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	static union ipc_msg answer;
	struct process *const p = ch->owner;

	switch ((enum ipc_type)m->head.type) {
	case IPC_LINK:
		p->ops->on_link(p, (enum ipc_role)m->link.peer_role, m->link.peer_id, fd);
		break;
	case IPC_CONFIG:
		take_config(p, fd);
		break;
	case IPC_PING:
		ipc_start(&answer, IPC_PONG, 0);
		ipc_channel_send(&p->_control, &answer, -1);
		break;
	case IPC_DRAIN:
		p->drain_seconds = m->drain.seconds;
		log_event(LOG_LEVEL_DEBUG, "drain", log_num("seconds", p->drain_seconds));
		p->ops->on_drain(p);
		break;
	default:
		/* ipc_check() lets the master say nothing else. */
		break;
	}
}

/*
 * The master is gone. Nothing that was promised is lost by leaving at once, and a
 * new master's children may not find the old ones still holding locks.
 */
static void on_control_closed(struct ipc_channel *ch)
{
	(void)ch;
	log_event(LOG_LEVEL_ERROR, "master-gone");
	_exit(1);
}

void process_read_control(struct process *p)
{
	ipc_channel_read_now(&p->_control);
}

void process_quit(struct process *p)
{
	uv_stop(&p->loop);
}

static void set_threads(const struct process *p)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", p->threads);
	(void)setenv("UV_THREADPOOL_SIZE", text, 1);
}

static int run_loop(struct process *p, int control, struct err *err)
{
	static union ipc_msg m;
	int r = uv_loop_init(&p->loop);

	if (r < 0)
		return err_sys(err, -r, "cannot make an event loop");

	p->_control = (struct ipc_channel){
		.owner = p,
		.self = p->ops->role,
		.peer = IPC_MASTER,
		.on_message = on_control,
		.on_closed = on_control_closed,
	};
	r = ipc_channel_open(&p->_control, &p->loop, control);
	if (r < 0)
		return err_sys(err, -r, "cannot watch the control channel");
	r = p->ops->start(p, err);
	if (r == 0 && p->sandbox != NULL)
		r = sandbox_enter(p->sandbox, err);
	if (r < 0)
		return r;

	ipc_start(&m, IPC_READY, 0);
	ipc_channel_send(&p->_control, &m, -1);
	(void)uv_run(&p->loop, UV_RUN_DEFAULT);

	/* First, or stop() could meet a link that has just come. */
	ipc_channel_close(&p->_control, NULL);
	if (p->ops->stop != NULL)
		p->ops->stop(p);
	(void)uv_run(&p->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&p->loop);
	return 0;
}

static int become(struct process *p, struct err *err)
{
	const char *const user = p->ops->role == IPC_STORAGE ? p->config->mail_user
							     : p->config->server_user;
	int r = p->ops->role == IPC_PAM ? privileges_keep_for_pam(err)
					: privileges_drop(user, p->ops->role == IPC_STORAGE, err);

	if (r == 0)
		r = privileges_forbid_dumps(err);
	if (r < 0)
		return r;
	/*
	 * After the change of user, which resets it. The control channel's end says
	 * the same; this one also reaches a child that hangs.
	 */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

int process_main(const struct process_start *start)
{
	/* Static: a start that fails leaves its loop as it is, which is no leak. */
	static struct process p;
	int keep[CONFIG_LISTEN_MAX + 1];
	int sockets[CONFIG_LISTEN_MAX];
	size_t n = 0;
	struct err err = {.text = "no memory"};
	int r;

	p = (struct process){
		.ops = start->ops, .id = start->id, .sandbox = start->ops->sandbox, .threads = 4};
	if (start->sockets != NULL) {
		n = start->config->n_listen;
		memcpy(sockets, start->sockets, n * sizeof(*sockets));
		p.sockets = sockets;
		n = 0;
		for (uint32_t i = 0; i < start->config->n_listen; i++) {
			if (sockets[i] >= 0)
				keep[n++] = sockets[i];
		}
	}
	metrics_take(start->metrics, start->metrics_page, start->ops->role == IPC_MONITOR);
	if (start->ops->role == IPC_MONITOR)
		p.metrics = start->metrics;
	if (start->tickets != NULL) {
		p.has_tickets = start->ops->role == IPC_LISTENER;
		if (p.has_tickets)
			p.tickets = *start->tickets;
		secret_wipe(start->tickets, sizeof(*start->tickets));
	}
	keep[n++] = start->control;
	close_others(keep, n);
	reset_signals();

	p.config = malloc(sizeof(*p.config));
	if (p.config == NULL)
		return 1;
	*p.config = *start->config;
	name_process(&p);
	offer_to_oom_killer(&p);

	r = p.ops->prepare != NULL ? p.ops->prepare(&p, &err) : 0;
	if (r == 0)
		r = become(&p, &err);
	if (r == 0) {
		set_threads(&p);
		r = run_loop(&p, start->control, &err);
	}
	if (r < 0)
		log_event(LOG_LEVEL_ERROR, "start-failed", log_str("error", err.text));
	free(p.config);
	return r < 0 ? 1 : 0;
}
