/* SPDX-License-Identifier: MIT */
/*
 * Children: started, heard, collected, and started again.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/fdpass.h"
#include "server/authd/authd.h"
#include "server/listener/listener.h"
#include "server/master/master_priv.h"
#include "server/monitor/monitor.h"
#include "server/pamd/pamd.h"
#include "server/signerd/signerd.h"
#include "server/stored/stored.h"

/* A child that lived this long had a good start: the next one begins at once. */
#define GOOD_LIFE_MS 10000
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000
/* Until files are looked at again that were no good: they are about to be replaced, mostly. */
#define PAUSE_FILES_MS 1000

const char *master_role_name(enum ipc_role role)
{
	static const char *const names[IPC_ROLES] = {
		[IPC_MASTER] = "master",   [IPC_LISTENER] = "listener", [IPC_AUTH] = "auth",
		[IPC_STORAGE] = "storage", [IPC_MONITOR] = "monitor",   [IPC_PAM] = "pam",
		[IPC_SIGNER] = "signer",
	};

	return names[role];
}

static const struct process_ops *ops_of(unsigned slot)
{
	switch (slot) {
	case SLOT_STORAGE:
		return &stored_ops;
	case SLOT_AUTH:
		return &authd_ops;
	case SLOT_PAM:
		return &pamd_ops;
	case SLOT_SIGNER:
		return &signerd_ops;
	case SLOT_MONITOR:
		return &monitor_ops;
	default:
		return &listener_ops;
	}
}

/* In the new process: becomes the child, and never returns. */
__attribute__((noreturn)) static void be_child(struct master *m, unsigned slot,
					       const struct child *c, int control)
{
	int sockets[CONFIG_LISTEN_MAX];
	struct process_start start = {
		.ops = ops_of(slot),
		.id = c->id,
		.config = &m->config,
		.control = control,
		.tickets = &m->tickets,
		.metrics = m->metrics,
		.metrics_page = c->page,
	};

	if (slot >= SLOT_MONITOR) {
		sockets_of(&m->sockets, c->role, slot - SLOT_LISTENER, sockets);
		start.sockets = sockets;
	}
	exit(process_main(&start));
}

bool master_wants(const struct master *m, unsigned slot)
{
	if (slot == SLOT_PAM)
		return config_has_pam(&m->config);
	if (slot == SLOT_SIGNER)
		return config_has_tls(&m->config);
	if (slot != SLOT_MONITOR)
		return true;
	for (uint32_t i = 0; i < m->config.n_listen; i++) {
		if (m->config.listen[i].protocol > CONFIG_SMTP)
			return true;
	}
	return false;
}

static struct child *fork_child(struct master *m, unsigned slot)
{
	struct child *const c = calloc(1, sizeof(*c));
	int pair[2];

	if (c == NULL)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		goto free_child;
	c->role = ops_of(slot)->role;
	c->id = m->next_id++;
	c->generation = m->generation;
	c->slot = (int)slot;
	c->started_ms = clock_mono_ms();
	c->started = clock_wall_ns() / 1000000000;
	c->page = metrics_reserve(m->metrics);
	/* No child shall begin with the keys of a time before its own. */
	if (tls_tickets_advance(&m->tickets, c->started_ms) < 0)
		tls_tickets_init(&m->tickets, c->started_ms);
	c->pid = fork();
	if (c->pid == 0)
		be_child(m, slot, c, pair[1]);
	(void)close(pair[1]);
	if (c->pid < 0) {
		metrics_retire(m->metrics, c->page);
		(void)close(pair[0]);
		goto free_child;
	}
	c->control = pair[0];
	(void)fcntl(c->control, F_SETFL, O_NONBLOCK);
	c->next = m->children;
	m->children = c;
	log_event(LOG_LEVEL_DEBUG, "child-started", log_str("role", master_role_name(c->role)),
		  log_num("id", c->id), log_num("pid", (uint64_t)c->pid));
	return c;

free_child:
	free(c);
	return NULL;
}

/* None the first time, then longer and longer. */
static uint64_t pause_of(unsigned failures)
{
	uint64_t ms = PAUSE_MIN_MS;

	if (failures < 2)
		return 0;
	for (unsigned i = 2; i < failures && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

static void start_slot(struct master *m, unsigned i)
{
	struct slot *const s = &m->slots[i];

	s->child = fork_child(m, i);
	if (s->child == NULL) {
		log_event(LOG_LEVEL_ERROR, "fork-failed", log_str("error", strerror(errno)));
		s->failures++;
		s->start_at_ms = clock_mono_ms() + PAUSE_MAX_MS;
		return;
	}
	master_link_all(m, s->child);
}

/* False: wait. When another generation has begun instead, the slot is filled by now. */
static bool has_files(struct master *m, unsigned i)
{
	if (i != SLOT_SIGNER && i < SLOT_LISTENER)
		return true;
	return master_renewal_for_start(m) != RENEWAL_REFUSED;
}

void master_start_due(struct master *m)
{
	const uint64_t now = clock_mono_ms();

	if (m->state >= MASTER_DRAINING)
		return;
	for (unsigned i = 0; i < m->n_slots; i++) {
		if (m->slots[i].child != NULL || m->slots[i].start_at_ms > now ||
		    !master_wants(m, i))
			continue;
		if (!has_files(m, i))
			m->slots[i].start_at_ms = now + PAUSE_FILES_MS;
		else if (m->slots[i].child == NULL)
			start_slot(m, i);
	}
}

int64_t master_due_in(const struct master *m, uint64_t now)
{
	int64_t least = -1;

	if (m->state >= MASTER_DRAINING)
		return -1;
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct slot *const s = &m->slots[i];
		const int64_t in = s->start_at_ms > now ? (int64_t)(s->start_at_ms - now) : 0;

		if (s->child == NULL && master_wants(m, i) && (least < 0 || in < least))
			least = in;
	}
	return least;
}

bool master_all_ready(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		if (!master_wants(m, i))
			continue;
		if (m->slots[i].child == NULL || !m->slots[i].child->ready)
			return false;
	}
	return true;
}

unsigned master_count(const struct master *m, enum ipc_role role)
{
	unsigned n = 0;

	for (const struct child *c = m->children; c != NULL; c = c->next)
		n += c->role == role;
	return n;
}

void master_tell(struct child *c, const union ipc_msg *msg, int fd)
{
	if (c->control < 0)
		return;
	assert(ipc_check(msg, ipc_length(msg), fd >= 0, IPC_MASTER, c->role));

	const int r = fdpass_send(c->control, msg, ipc_length(msg), fd);

	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return; /* one that has died is collected soon */
	log_event(LOG_LEVEL_ERROR, "child-stuck", log_str("role", master_role_name(c->role)),
		  log_num("id", c->id), log_str("error", strerror(-r)));
	(void)kill(c->pid, SIGKILL);
}

void master_drain_child(struct child *c, uint32_t seconds)
{
	static union ipc_msg drain;

	if (c->draining && c->drain_seconds <= seconds)
		return;
	c->draining = true;
	c->drain_seconds = seconds;
	ipc_start(&drain, IPC_DRAIN, 0);
	drain.drain.seconds = seconds;
	master_tell(c, &drain, -1);
}

void master_ping(struct child *c)
{
	static union ipc_msg ping;

	ipc_start(&ping, IPC_PING, 0);
	if (master_has_answered(c))
		c->pinged_ms = clock_mono_ms();
	c->pings++;
	master_tell(c, &ping, -1);
}

bool master_has_answered(const struct child *c)
{
	return c->control < 0 || c->pongs == c->pings;
}

/* False for what no child says now. */
static bool heard(struct child *c, uint32_t type)
{
	if (type == IPC_PONG) {
		c->pongs++;
		c->pinged_ms = clock_mono_ms();
		return c->pongs <= c->pings;
	}
	c->ready = true;
	log_event(LOG_LEVEL_DEBUG, "child-ready", log_str("role", master_role_name(c->role)),
		  log_num("id", c->id));
	return true;
}

void master_read_control(struct master *m, struct child *c)
{
	static union ipc_msg msg;
	int fd;
	const ssize_t n = fdpass_recv(c->control, &msg, sizeof(msg), &fd);

	(void)m;
	if (n == -EAGAIN)
		return;
	if (n > 0 && ipc_check(&msg, (size_t)n, fd >= 0, c->role, IPC_MASTER) &&
	    heard(c, msg.head.type))
		return;
	if (n > 0) {
		log_event(LOG_LEVEL_ERROR, "ipc-refused",
			  log_str("peer", master_role_name(c->role)), log_num("peer_id", c->id));
		if (fd >= 0)
			(void)close(fd);
	}
	/* Without this channel it is no child of ours; most often it is ending anyway. */
	(void)close(c->control);
	c->control = -1;
	if (n != 0)
		(void)kill(c->pid, SIGKILL);
}

/* ---- the end of one ---- */

/* True when it was told to. */
static bool log_end(const struct child *c, int status)
{
	const bool by_signal = WIFSIGNALED(status);
	const bool expected = c->draining && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	const char *const name = by_signal ? sigdescr_np(WTERMSIG(status)) : NULL;

	log_event(expected ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		  expected ? "child-ended" : "child-died",
		  log_str("role", master_role_name(c->role)), log_num("id", c->id),
		  log_num("pid", (uint64_t)c->pid),
		  log_num(by_signal ? "signal" : "status",
			  (uint64_t)(by_signal ? WTERMSIG(status) : WEXITSTATUS(status))),
		  log_str(name != NULL ? "cause" : NULL, name));
	return expected;
}

static void plan_restart(struct slot *s, const struct child *c, uint64_t now)
{
	s->child = NULL;
	s->failures = now - c->started_ms >= GOOD_LIFE_MS ? 1 : s->failures + 1;
	s->start_at_ms = now + pause_of(s->failures);
}

static void collect(struct master *m, pid_t pid, int status)
{
	struct child **at = &m->children;

	while (*at != NULL && (*at)->pid != pid)
		at = &(*at)->next;

	struct child *const c = *at;

	if (c == NULL)
		return;
	*at = c->next;
	if (!log_end(c, status))
		metric_add(METRIC_RESTARTS + c->role, 1);
	metrics_retire(m->metrics, c->page);
	if (c->control >= 0)
		(void)close(c->control);
	if (c->slot >= 0)
		plan_restart(&m->slots[c->slot], c, clock_mono_ms());
	free(c);
}

static enum metrics_state state_of(const struct child *c)
{
	if (c->foreign)
		return METRICS_OLD;
	return c->draining ? METRICS_DRAINING : c->ready ? METRICS_READY : METRICS_STARTING;
}

void master_describe(struct master *m)
{
	struct metrics_snapshot *said;

	if (m->metrics == NULL)
		return;
	said = metrics_begin(m->metrics);
	said->started = m->started;
	said->reloaded = m->reloaded;
	said->generation = m->generation;
	said->processes[0] = (struct metrics_process){
		.role = IPC_MASTER,
		.pid = (uint32_t)getpid(),
		.state = m->state == MASTER_STARTING  ? METRICS_STARTING
			 : m->state == MASTER_RUNNING ? METRICS_READY
						      : METRICS_DRAINING,
		.started = m->started,
	};
	said->n_processes = 1;
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		if (said->n_processes == METRICS_PROCESSES)
			break;
		said->processes[said->n_processes++] = (struct metrics_process){
			.role = c->role,
			.id = c->id,
			.pid = (uint32_t)c->pid,
			.state = state_of(c),
			.started = c->started,
		};
	}
	metrics_commit(m->metrics);
}

void master_reap(struct master *m)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		collect(m, pid, status);
}
