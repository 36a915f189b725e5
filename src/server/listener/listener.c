/* SPDX-License-Identifier: MIT */
#include "server/listener/listener.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "net/tls_tickets.h"
#include "server/listener/listener_priv.h"
#include "server/tls_options.h"

/* How long our last words may wait for a peer that goes on sending. */
#define LINGER_MS 2000

/* A session has its connection, its snapshot, and a message that is read or written. */
#define FDS_PER_SESSION 3
/* The loop's own, channels, listening sockets, and a connection that is refused. */
#define FDS_OTHER (CONFIG_LISTEN_MAX + 32)

/* While draining, who isn't logged in and says nothing for this long is sent away. */
#define DRAIN_TICK_MS 1000

/* The kernel spreads connections evenly, more or less. The master has put the number of cores for
 * 0. */
static uint32_t share(uint32_t total, uint32_t listeners)
{
	assert(listeners > 0);
	return (total + listeners - 1) / listeners;
}

/*
 * No more sessions than there are descriptors for: one that comes from storage and
 * finds no room takes the channel along, and with it every other session.
 */
static uint32_t limit_sessions(uint32_t sessions)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return sessions;

	const rlim_t n = limit.rlim_cur > FDS_OTHER + FDS_PER_SESSION
				 ? (limit.rlim_cur - FDS_OTHER) / FDS_PER_SESSION
				 : 1;

	if (n >= sessions)
		return sessions;
	log_event(LOG_LEVEL_WARN, "few-descriptors", log_num("have", limit.rlim_cur),
		  log_num("connections", n), log_num("wanted", sessions));
	return (uint32_t)n;
}

/* Sessions close while the list is walked, so the next one is looked up first. */
static void on_signing_possible(void *arg)
{
	struct listener *const l = arg;

	for (struct session *s = l->sessions, *next; s != NULL; s = next) {
		next = s->next;
		session_signing_possible(s);
	}
}

static int make_tls(struct listener *l, struct err *err)
{
	struct tls_options options;
	int r;

	if (!config_has_tls(l->config))
		return 0;
	l->signing = signing_new(on_signing_possible, l);
	if (l->signing == NULL)
		return err_sys(err, ENOMEM, "cannot make TLS");
	tls_options_fill(l->config, &options);
	options.server.sign = signing_ask;
	options.server.sign_arg = l->signing;
	r = tls_server_new(&options.server, &l->tls, err);
	if (r == 0) {
		tls_server_notify(l->tls, tls_options_log, NULL);
		metric_add(METRIC_CERTIFICATE_EXPIRY, tls_server_expiry(l->tls));
	}
	if (r == 0 && l->process->has_tickets) {
		l->process->has_tickets = false;
		r = tls_tickets_use(l->tls, &l->process->tickets, &l->tickets);
		if (r < 0)
			(void)err_sys(err, -r, "cannot make keys for session tickets");
	}
	return r;
}

static void listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	tls_server_free(l->tls);
	tls_ticket_keys_free(l->tickets);
	signing_free(l->signing);
	session_table_done(&l->table);
	address_count_done(&l->addresses);
	free(l);
}

static int prepare(struct process *p, struct err *err)
{
	struct listener *const l = calloc(1, sizeof(*l));
	const struct config *const c = p->config;
	int r;

	if (l == NULL)
		return err_sys(err, ENOMEM, "cannot make a listener");
	p->owner = l;
	p->threads = 1; /* nothing uses the pool */
	l->process = p;
	l->config = c;
	l->max_sessions = limit_sessions(share(c->max_connections, c->listeners));
	l->next_id = rand_u64();
	l->timer_due_ms = UINT64_MAX;
	l->timeouts.after_ms[TIMEOUT_LOGIN] = (uint64_t)c->login_timeout * 1000;
	l->timeouts.after_ms[TIMEOUT_IDLE] = (uint64_t)c->idle_timeout * 1000;
	l->timeouts.after_ms[TIMEOUT_WRITE] = (uint64_t)c->write_timeout * 1000;
	l->timeouts.after_ms[TIMEOUT_LINGER] = LINGER_MS;
	r = session_table_init(&l->table, l->max_sessions);
	if (r == 0)
		r = address_count_init(&l->addresses, l->max_sessions);
	if (r < 0)
		return err_sys(err, -r, "cannot make room for %u sessions", l->max_sessions);
	return make_tls(l, err);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct listener *l, uint64_t due)
{
	const uint64_t now = uv_now(l->loop);

	if (due >= l->timer_due_ms)
		return;
	l->timer_due_ms = due;
	(void)uv_timer_start(&l->timer, on_timer, due > now ? due - now : 0, 0);
}

/*
 * The timer is only ever moved forward: deadlines are put off far more often than
 * they come, so it now and then rings for nothing.
 */
static void on_timer(uv_timer_t *timer)
{
	struct listener *const l = timer->data;
	const uint64_t now = uv_now(l->loop);
	enum timeout_kind kind;

	l->timer_due_ms = UINT64_MAX;
	for (;;) {
		struct timeout *const t = timeout_take_due(&l->timeouts, now, &kind);

		if (t == NULL)
			break;
		session_expire((struct session *)((char *)t - offsetof(struct session, timeout)),
			       kind);
	}
	arm(l, timeout_next_due(&l->timeouts));
}

void listener_set_timeout(struct listener *l, struct session *s, enum timeout_kind kind)
{
	const uint64_t now = uv_now(l->loop);

	timeout_set(&l->timeouts, &s->timeout, kind, now);
	if (kind != TIMEOUT_NONE)
		arm(l, now + l->timeouts.after_ms[kind]);
}

static int start(struct process *p, struct err *err)
{
	struct listener *const l = p->owner;
	int r;

	l->loop = &p->loop;
	r = uv_timer_init(l->loop, &l->timer);
	if (r == 0)
		r = uv_timer_init(l->loop, &l->drain_timer);
	if (r == 0)
		r = uv_timer_init(l->loop, &l->drain_end_timer);
	if (r < 0)
		return err_sys(err, -r, "cannot make a timer");
	l->timer.data = l;
	l->drain_timer.data = l;
	l->drain_end_timer.data = l;
	return acceptors_open(l, err);
}

/* What comes for a session that has gone while it was on its way. */
static void drop(struct listener *l, const union ipc_msg *m, int fd)
{
	if (fd >= 0)
		(void)close(fd);
	/* A maildrop was opened or a delivery granted, and nobody is there to end it. */
	if (((m->head.type == IPC_OPENED && m->opened.status == IPC_OK) ||
	     (m->head.type == IPC_AUTH_RCPT_REPLY && m->result.status == IPC_OK)) &&
	    l->storage != NULL) {
		ipc_start(&l->msg, IPC_CLOSE, m->head.session);
		ipc_channel_send(l->storage, &l->msg, -1);
	}
}

static void on_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	struct listener *const l = ch->owner;
	struct session *const s = session_table_find(&l->table, m->head.session);

	if (s == NULL) {
		drop(l, m, fd);
		return;
	}
	s->ops->message(s, m, fd);
	session_run(s);
}

/* Sessions close while the list is walked, so the next one is looked up first. */
static void tell_sessions(struct listener *l, enum ipc_role peer)
{
	for (struct session *s = l->sessions, *next; s != NULL; s = next) {
		next = s->next;
		session_peer_lost(s, peer);
	}
}

static struct ipc_channel **channel_of(struct listener *l, enum ipc_role peer)
{
	return peer == IPC_AUTH ? &l->auth : peer == IPC_STORAGE ? &l->storage : &l->monitor;
}

static void free_channel(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_channel_closed(struct ipc_channel *ch)
{
	struct listener *const l = ch->owner;
	struct ipc_channel **const place = channel_of(l, ch->peer);
	const enum ipc_role peer = ch->peer;

	assert(*place == ch);
	*place = NULL;
	free(ch);
	/* The monitor is missed by nobody here. */
	if (peer == IPC_MONITOR)
		return;
	log_event(LOG_LEVEL_WARN, "peer-lost",
		  log_str("peer", peer == IPC_AUTH ? "auth" : "storage"));
	tell_sessions(l, peer);
}

static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	struct listener *const l = p->owner;

	if (peer == IPC_SIGNER && l->signing != NULL) {
		signing_link(l->signing, l->loop, fd);
		return;
	}
	if (peer != IPC_AUTH && peer != IPC_STORAGE && peer != IPC_MONITOR) {
		(void)close(fd);
		return;
	}

	struct ipc_channel **const place = channel_of(l, peer);
	struct ipc_channel *const ch = calloc(1, sizeof(*ch));

	if (ch == NULL) {
		(void)close(fd);
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(ENOMEM)));
		return;
	}
	/* The old one's end may not have been noticed yet. */
	if (*place != NULL) {
		ipc_channel_close(*place, free_channel);
		*place = NULL;
		if (peer != IPC_MONITOR)
			tell_sessions(l, peer);
	}
	*ch = (struct ipc_channel){
		.owner = l,
		.self = IPC_LISTENER,
		.peer = peer,
		.peer_id = peer_id,
		.on_message = peer == IPC_MONITOR ? operator_message : on_message,
		.on_closed = on_channel_closed,
	};

	const int r = ipc_channel_open(ch, l->loop, fd);

	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		free(ch);
		return;
	}
	*place = ch;
}

static void quit_when_empty(struct listener *l)
{
	if (l->draining && l->sessions == NULL)
		process_quit(l->process);
}

void listener_session_gone(struct listener *l)
{
	quit_when_empty(l);
}

static void on_drain_tick(uv_timer_t *timer)
{
	struct listener *const l = timer->data;

	for (struct session *s = l->sessions, *next; s != NULL; s = next) {
		next = s->next;
		session_drain(s);
	}
}

static void on_drain_over(uv_timer_t *timer)
{
	struct listener *const l = timer->data;

	log_event(LOG_LEVEL_WARN, "drain-timeout", log_num("sessions", l->n_sessions));
	while (l->sessions != NULL)
		session_close(l->sessions);
}

/*
 * Drained because the server stops, or because a new listener has a new
 * configuration: then no session shall notice, and there is no end in time.
 */
static void on_drain(struct process *p)
{
	struct listener *const l = p->owner;

	if (!l->draining) {
		l->draining = true;
		acceptors_close(l);
		(void)uv_timer_start(&l->drain_timer, on_drain_tick, DRAIN_TICK_MS, DRAIN_TICK_MS);
	}
	if (p->drain_seconds != IPC_DRAIN_FOREVER)
		(void)uv_timer_start(&l->drain_end_timer, on_drain_over,
				     (uint64_t)p->drain_seconds * 1000, 0);
	quit_when_empty(l);
}

static void stop(struct process *p)
{
	struct listener *const l = p->owner;

	l->draining = false;
	while (l->sessions != NULL)
		session_close(l->sessions);
	acceptors_close(l);
	uv_close((uv_handle_t *)&l->timer, NULL);
	uv_close((uv_handle_t *)&l->drain_timer, NULL);
	uv_close((uv_handle_t *)&l->drain_end_timer, NULL);
	uv_close((uv_handle_t *)&l->accept_timer, NULL);
	if (l->auth != NULL)
		ipc_channel_close(l->auth, free_channel);
	if (l->storage != NULL)
		ipc_channel_close(l->storage, free_channel);
	if (l->monitor != NULL)
		ipc_channel_close(l->monitor, free_channel);
	signing_close(l->signing);
	/* The loop runs once more for the callbacks above; l is in use until then. */
	(void)uv_run(l->loop, UV_RUN_NOWAIT);
	listener_free(l);
	p->owner = NULL;
}

const struct process_ops listener_ops = {
	.role = IPC_LISTENER,
	.sandbox = &sandbox_listener,
	.prepare = prepare,
	.start = start,
	.on_link = on_link,
	.on_drain = on_drain,
	.stop = stop,
};
