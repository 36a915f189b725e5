/* SPDX-License-Identifier: MIT */
#include "server/monitor/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "server/monitor/monitor_priv.h"

/* The master may lose its core while it changes what is read, on a machine that is busy. */
#define TRIES 5000
#define PAUSE_NS 1000000

static int prepare(struct process *p, struct err *err)
{
	struct monitor *const m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot make a monitor");
	p->owner = m;
	p->threads = 1; /* nothing uses the pool */
	m->process = p;
	m->owner = geteuid();
	m->control = -1;
	return 0;
}

bool monitor_read(struct monitor *m)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	if (m->process->metrics == NULL)
		return false;
	for (int i = 0; i < TRIES; i++) {
		if (metrics_read(m->process->metrics, &m->now))
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

static int start(struct process *p, struct err *err)
{
	struct monitor *const m = p->owner;

	for (uint32_t i = 0; i < p->config->n_listen; i++) {
		int r;

		if (p->sockets[i] < 0)
			continue;
		if (p->config->listen[i].protocol == CONFIG_CONTROL) {
			r = operator_open(m, p->sockets[i], err);
		} else {
			r = http_open(&m->http[m->n_http], m, p->sockets[i], err);
			m->n_http += r == 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Most of what it tells is in memory; what sessions there are, listeners know. */
static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	if (peer == IPC_LISTENER)
		operator_link(p->owner, peer_id, fd);
	else
		(void)close(fd);
}

/* An answer that is on its way is short, and can be asked for again. */
static void on_drain(struct process *p)
{
	process_quit(p);
}

static void stop(struct process *p)
{
	struct monitor *const m = p->owner;

	for (uint32_t i = 0; i < m->n_http; i++)
		http_close(&m->http[i]);
	operator_close(m);
	(void)uv_run(&p->loop, UV_RUN_NOWAIT);
	free(m);
	p->owner = NULL;
}

const struct process_ops monitor_ops = {
	.role = IPC_MONITOR,
	.sandbox = &sandbox_monitor,
	.prepare = prepare,
	.start = start,
	.on_link = on_link,
	.on_drain = on_drain,
	.stop = stop,
};
