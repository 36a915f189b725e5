/* SPDX-License-Identifier: MIT */
#include "server/master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/master/master_priv.h"

/* What auth and storage get to end, after the last listener. */
#define STOP_MS 5000

/*
 * Descriptors for each connection, in the process that needs most: storage holds
 * the lock, the snapshot, the folders and a message in hand.
 */
#define FDS_PER_CONNECTION 8
#define FDS_OTHER 1024

/* 30 KiB, and after fork() every child still refers to it: leak checkers see it. */
static struct master master;

static unsigned count_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;

	const int n = CPU_COUNT(&set);

	return n < 1 ? 1 : n > MASTER_LISTENERS_MAX ? MASTER_LISTENERS_MAX : (unsigned)n;
}

void master_raise_fd_limit(const struct config *config)
{
	const rlim_t wanted = (rlim_t)config->max_connections * FDS_PER_CONNECTION + FDS_OTHER;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;

	const struct rlimit both = {.rlim_cur = wanted, .rlim_max = wanted};

	/* Root may raise the hard limit too. */
	if (limit.rlim_max < wanted && setrlimit(RLIMIT_NOFILE, &both) == 0)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
		log_event(LOG_LEVEL_WARN, "few-descriptors", log_num("have", limit.rlim_cur),
			  log_num("wanted", wanted),
			  log_str("effect", "max_connections may not be reached"));
}

void master_own_users(struct config *config)
{
	if (geteuid() == 0)
		return;
	(void)snprintf(config->mail_user, sizeof(config->mail_user), "#%u", (unsigned)geteuid());
	memcpy(config->server_user, config->mail_user, sizeof(config->server_user));
}

static int take_signals(struct err *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGUSR2);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, errno, "cannot block signals");

	const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? err_sys(err, errno, "cannot make a signalfd") : fd;
}

/* ---- ending ---- */

static void kill_role(const struct master *m, enum ipc_role role)
{
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		if (c->role == role)
			(void)kill(c->pid, SIGKILL);
	}
}

static void begin_drain(struct master *m)
{
	const struct sockets none = {.n = 0};

	m->state = MASTER_DRAINING;
	m->deadline_ms = clock_mono_ms() + (uint64_t)m->config.drain_timeout * 1000;
	log_event(LOG_LEVEL_INFO, "stopping", log_num("drain_seconds", m->config.drain_timeout));
	master_notify("STOPPING=1\nSTATUS=%u s for sessions to end\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		      m->config.drain_timeout,
		      ((uint64_t)m->config.drain_timeout * 1000 + 2 * STOP_MS) * 1000);
	for (struct child *c = m->children; c != NULL; c = c->next) {
		if (c->role == IPC_LISTENER)
			master_drain_child(c, m->config.drain_timeout);
	}
	/* While they are open anywhere, who connects is not refused but waits for nobody. */
	sockets_replace(&m->sockets, &none);
}

static void begin_stop(struct master *m)
{
	m->state = MASTER_STOPPING;
	m->deadline_ms = clock_mono_ms() + STOP_MS;
	for (struct child *c = m->children; c != NULL; c = c->next)
		master_drain_child(c, STOP_MS / 1000);
}

static void on_deadline(struct master *m)
{
	m->deadline_ms = 0;
	if (m->state == MASTER_DRAINING) {
		log_event(LOG_LEVEL_WARN, "drain-timeout",
			  log_num("listeners", master_count(m, IPC_LISTENER)));
		kill_role(m, IPC_LISTENER);
		return;
	}
	log_event(LOG_LEVEL_WARN, "stop-timeout");
	kill_role(m, IPC_AUTH);
	kill_role(m, IPC_PAM);
	kill_role(m, IPC_STORAGE);
	kill_role(m, IPC_MONITOR);
	kill_role(m, IPC_SIGNER);
}

/* ---- the loop ---- */

static void read_signals(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			break; /* master_reap() is called in any case */
		case SIGHUP:
			log_event(LOG_LEVEL_INFO, "reload");
			master_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
				      clock_mono_ms() * 1000);
			master_reload(m);
			break;
		case SIGUSR2:
			master_upgrade(m);
			break;
		default:
			if (m->state < MASTER_DRAINING)
				begin_drain(m);
			else
				kill_role(m, IPC_LISTENER); /* asked a second time: at once */
			break;
		}
	}
}

/* Those that were replaced take no connections any more. */
static bool old_have_heard(const struct master *m)
{
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		if (c->slot < 0 && !master_has_answered(c))
			return false;
	}
	return true;
}

void master_notify_ready(const struct master *m)
{
	master_notify("READY=1\nSTATUS=%u addresses, %u listeners", (unsigned)m->sockets.n,
		      m->n_slots - SLOT_LISTENER);
}

/*
 * By old listeners: all there is, after an upgrade; else a signer, for sessions that may still
 * begin TLS.
 */
static bool is_needed(const struct master *m, const struct child *child)
{
	if (child->foreign)
		return child->role != IPC_LISTENER && child->role != IPC_MONITOR;
	if (child->role != IPC_SIGNER)
		return false;
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		if (c->role == IPC_LISTENER && !c->foreign && c->generation == child->generation)
			return true;
	}
	return false;
}

/* What follows from what has happened. */
static void settle(struct master *m)
{
	if (m->state == MASTER_DRAINING && master_count(m, IPC_LISTENER) == 0)
		begin_stop(m);
	if (m->state >= MASTER_DRAINING || !master_all_ready(m))
		return;
	master_takeover_settle(m);
	if (m->state == MASTER_STARTING) {
		m->state = MASTER_RUNNING;
		log_event(LOG_LEVEL_INFO, "ready",
			  log_num("listeners", m->n_slots - SLOT_LISTENER));
		master_notify_ready(m);
	}
	for (struct child *c = m->children; c != NULL; c = c->next) {
		if (c->slot >= 0 || c->draining || is_needed(m, c))
			continue;
		master_drain_child(c, IPC_DRAIN_FOREVER);
		master_ping(c);
	}
	if (m->reloading && old_have_heard(m)) {
		m->reloading = false;
		log_event(LOG_LEVEL_INFO, m->taken_over ? "upgraded" : "reloaded");
		m->taken_over = false;
		master_notify_ready(m);
	}
}

static int timeout_of(const struct master *m)
{
	const uint64_t now = clock_mono_ms();
	const int64_t watch = master_watch_in(m, now);
	const int64_t renewal = master_renewal_in(m, now);
	int64_t in = master_due_in(m, now);

	if (watch >= 0 && (in < 0 || watch < in))
		in = watch;
	if (renewal >= 0 && (in < 0 || renewal < in))
		in = renewal;
	if (m->deadline_ms != 0) {
		const int64_t left = m->deadline_ms > now ? (int64_t)(m->deadline_ms - now) : 0;

		in = in < 0 || left < in ? left : in;
	}
	return in > 60000 ? 60000 : (int)in;
}

static size_t count_children(const struct master *m)
{
	size_t n = 0;

	for (const struct child *c = m->children; c != NULL; c = c->next)
		n++;
	return n;
}

/* One wait and what came of it. False when there was no memory to wait with. */
static bool turn(struct master *m)
{
	const size_t n = count_children(m);
	struct pollfd *const fds = calloc(n + 1, sizeof(*fds));
	size_t i = 1;

	if (fds == NULL)
		return false;
	fds[0] = (struct pollfd){.fd = m->signals, .events = POLLIN};
	for (const struct child *c = m->children; c != NULL; c = c->next)
		fds[i++] = (struct pollfd){.fd = c->control, .events = POLLIN};
	if (poll(fds, n + 1, timeout_of(m)) > 0) {
		/* Children first: the list is as it was when fds was made. */
		i = 1;
		for (struct child *c = m->children; c != NULL; c = c->next, i++) {
			if (fds[i].revents != 0 && c->control >= 0)
				master_read_control(m, c);
		}
		if (fds[0].revents != 0)
			read_signals(m);
	}
	free(fds);
	master_reap(m);
	if (m->deadline_ms != 0 && clock_mono_ms() >= m->deadline_ms)
		on_deadline(m);
	master_start_due(m);
	settle(m);
	master_describe(m);
	master_watch(m);
	master_renewal(m);
	return true;
}

static int start(struct master *m, struct err *err)
{
	const struct sockets none = {.n = 0};
	struct sockets given = {.n = 0};
	int r;

	master_renewal_begin(m, master_renewal_look(&m->config));
	r = master_takeover(m, &given, err);
	m->n_slots = SLOT_LISTENER + m->config.listeners;
	if (r == 0)
		r = sockets_given(&given, err);
	else if (r > 0)
		r = 0;
	if (r == 0)
		r = sockets_add_given(&given, &m->config, err);
	if (r == 0)
		r = master_check(&m->config, err);
	if (r < 0)
		goto close_given;
	master_raise_fd_limit(&m->config);
	r = sockets_bind(&m->config, &given, m->n_slots - SLOT_LISTENER, &m->sockets, err);
	if (r < 0)
		goto close_given;
	/* What the program before had, and this configuration doesn't. */
	sockets_replace(&given, &m->sockets);
	r = pid_file_write(m->config.pid_file, err);
	if (r < 0)
		goto close_sockets;
	m->signals = take_signals(err);
	if (m->signals < 0) {
		r = m->signals;
		goto close_sockets;
	}
	return 0;

close_sockets:
	sockets_replace(&m->sockets, &none);
	return r;

close_given:
	sockets_replace(&given, &none);
	return r;
}

int master_run(const char *path, const struct config *config)
{
	struct master *const m = &master;
	const struct sockets none = {.n = 0};
	struct err err;

	m->path = path;
	m->config = *config;
	master_own_users(&m->config);
	m->next_id = 1;
	m->generation = 1;
	m->started = m->reloaded = clock_wall_ns() / 1000000000;
	m->metrics = metrics_area_new();
	tls_tickets_init(&m->tickets, clock_mono_ms());
	if (m->config.listeners == 0)
		m->config.listeners = count_cores();
	master_watch_init(m);
	log_init(config->log_target, config->log_format, config->log_level, "master");
	for (unsigned i = 0; config_warning(config, i) != NULL; i++)
		log_event(LOG_LEVEL_WARN, "config", log_str("notice", config_warning(config, i)));
	if (geteuid() != 0)
		log_event(LOG_LEVEL_INFO, "not-root",
			  log_str("effect", "server_user and mail_user are ignored"));
	if (start(m, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "start-failed", log_str("error", err.text));
		return 1;
	}
	master_start_due(m);
	master_describe(m);
	while (m->state != MASTER_STOPPING || m->children != NULL) {
		if (!turn(m))
			(void)usleep(100000);
	}
	sockets_replace(&m->sockets, &none);
	if (m->config.pid_file[0] != '\0')
		(void)unlink(m->config.pid_file);
	(void)close(m->signals);
	log_event(LOG_LEVEL_INFO, "stopped");
	return 0;
}
