/* SPDX-License-Identifier: MIT */
#include "server/monitor/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/monitor/monitor_priv.h"

static int start(struct process *p, struct err *err)
{
	struct monitor *const m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot make a monitor");
	p->owner = m;
	p->threads = 1; /* nothing uses the pool */
	m->process = p;
	for (uint32_t i = 0; i < p->config->n_listen; i++) {
		int r;

		if (p->sockets[i] < 0)
			continue;
		r = http_open(&m->http[m->n_http], m, p->sockets[i], err);
		if (r < 0)
			return r;
		m->n_http++;
	}
	return 0;
}

/* It is linked with nobody: all that it tells is in memory. */
static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	(void)p;
	(void)peer;
	(void)peer_id;
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
	(void)uv_run(&p->loop, UV_RUN_NOWAIT);
	free(m);
	p->owner = NULL;
}

const struct process_ops monitor_ops = {
	.role = IPC_MONITOR,
	.sandbox = &sandbox_monitor,
	.start = start,
	.on_link = on_link,
	.on_drain = on_drain,
	.stop = stop,
};
