/* SPDX-License-Identifier: MIT */
/*
 * What an operator asks at the control socket, by restantectl. What is counted is read here;
 * about sessions a listener is asked, a page at a time: the next page goes out when the
 * operator has read this one and asks for it, so whoever reads slowly keeps nobody waiting.
 *
 *	operator ── ASK_SESSIONS, KICK ──► monitor ── the same, by ticket ──► listener
 *	         ◄──── SESSION, DONE ─────         ◄────── SESSION, DONE ────
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "restante-build.h"
#include "base/log.h"
#include "server/monitor/monitor_priv.h"

static void drop_operator(struct operator* o);

static void done(struct operator* o, uint64_t question, enum ipc_status status)
{
	union ipc_msg *const out = &o->monitor->msg;

	ipc_start(out, IPC_DONE, question);
	out->done.status = status;
	ipc_channel_send(&o->channel, out, -1);
}

/* ---- what is counted ---- */

static void copy(uint64_t *to, const uint64_t *values, unsigned first, size_t n)
{
	memcpy(to, values + first, n * sizeof(*to));
}

static void tell_server(struct operator* o, uint64_t question)
{
	struct monitor *const m = o->monitor;
	const uint64_t *const v = m->now.values;
	struct ipc_server *const s = &m->msg.server;

	ipc_start(&m->msg, IPC_SERVER, question);
	(void)snprintf(s->version, sizeof(s->version), "%s", RESTANTE_VERSION);
	s->started = m->now.started;
	s->reloaded = m->now.reloaded;
	s->generation = m->now.generation;
	copy(s->sessions, v, METRIC_SESSIONS, CONFIG_SMTP + 1);
	s->logged_in = v[METRIC_LOGGED_IN];
	for (unsigned i = 0; i <= CONFIG_SMTP; i++)
		s->connections += v[METRIC_CONNECTIONS + i];
	s->refused_connections = v[METRIC_REFUSED_CONNECTIONS];
	for (unsigned i = 0; i < METRIC_LOGINS * METRIC_RESULTS; i++)
		s->logins[i % METRIC_RESULTS] += v[METRIC_LOGIN + i];
	copy(s->deliveries, v, METRIC_DELIVERIES, METRIC_RESULTS);
	s->retrieved = v[METRIC_RETRIEVED];
	s->deleted = v[METRIC_DELETED];
	s->received_octets = v[METRIC_RECEIVED_OCTETS];
	s->sent_octets = v[METRIC_SENT_OCTETS];
	for (unsigned i = 0; i < IPC_ROLES; i++)
		s->deaths += v[METRIC_RESTARTS + i];
	s->waiting[0] = v[METRIC_AUTH_WAITING];
	s->waiting[1] = v[METRIC_STORAGE_WAITING];
	s->users_away = v[METRIC_USERS_AWAY];
	s->certificate_expiry = v[METRIC_CERTIFICATE_EXPIRY];
	ipc_channel_send(&o->channel, &m->msg, -1);
}

_Static_assert(sizeof(((struct ipc_server *)NULL)->sessions) ==
		       (CONFIG_SMTP + 1) * sizeof(uint64_t),
	       "protocols");
_Static_assert(sizeof(((struct ipc_server *)NULL)->deliveries) == METRIC_RESULTS * sizeof(uint64_t),
	       "results");

static void tell_processes(struct operator* o, uint64_t question)
{
	static const uint32_t states[] = {
		[METRICS_STARTING] = IPC_STARTING,
		[METRICS_READY] = IPC_RUNNING,
		[METRICS_DRAINING] = IPC_DRAINING,
		[METRICS_OLD] = IPC_OLD,
	};
	struct monitor *const m = o->monitor;

	for (uint32_t i = 0; i < m->now.n_processes; i++) {
		const struct metrics_process *const p = &m->now.processes[i];

		ipc_start(&m->msg, IPC_PROCESS, question);
		m->msg.process.role = p->role;
		m->msg.process.id = p->id;
		m->msg.process.pid = p->pid;
		m->msg.process.state = states[p->state];
		m->msg.process.started = p->started;
		ipc_channel_send(&o->channel, &m->msg, -1);
	}
}

static void tell_commands(struct operator* o, uint64_t question)
{
	struct monitor *const m = o->monitor;

	for (unsigned i = 0; i < METRIC_TIMED; i++) {
		const uint64_t *const h = m->now.values + METRIC_TIME + i * METRIC_HISTOGRAM;

		ipc_start(&m->msg, IPC_COMMAND, question);
		(void)snprintf(m->msg.command.name, sizeof(m->msg.command.name), "%s",
			       metrics_timed_name(i));
		for (unsigned k = 0; k < METRIC_BUCKETS; k++)
			m->msg.command.n += h[k];
		m->msg.command.ns = h[METRIC_BUCKETS];
		ipc_channel_send(&o->channel, &m->msg, -1);
	}
}

static void tell_status(struct operator* o, uint64_t question)
{
	if (!monitor_read(o->monitor)) {
		done(o, question, IPC_TEMPORARY);
		return;
	}
	tell_server(o, question);
	tell_processes(o, question);
	tell_commands(o, question);
	done(o, question, IPC_OK);
}

/* ---- listeners ---- */

static struct monitor_link *find_link(const struct monitor *m, uint32_t listener)
{
	struct monitor_link *k = m->links;

	while (k != NULL && k->channel.peer_id != listener)
		k = k->next;
	return k;
}

static void ask_listener(struct operator* o, const struct ipc_select *select)
{
	struct monitor *const m = o->monitor;
	struct monitor_link *const k = find_link(m, select->listener);

	if (k == NULL) {
		done(o, select->head.session, IPC_TEMPORARY);
		return;
	}
	o->asked = select->head.session;
	o->ticket = ++m->next_ticket;
	o->at = select->listener;
	o->answers = IPC_PAGE;
	m->msg.select = *select;
	m->msg.head.session = o->ticket;
	ipc_channel_send(&k->channel, &m->msg, -1);
}

/* Whom a listener's answer is for. NULL: for one who has gone, or it says too much. */
static struct operator* asker(struct monitor *m, uint32_t listener, const union ipc_msg *answer)
{
	for (size_t i = 0; i < OPERATORS_MAX; i++) {
		struct operator* const o = & m->operators[i];

		if (!o->open || o->asked == 0 || o->ticket != answer->head.session ||
		    o->at != listener)
			continue;
		return answer->head.type == IPC_DONE || o->answers-- > 0 ? o : NULL;
	}
	return NULL;
}

static void on_listener_message(struct ipc_channel *ch, const union ipc_msg *answer, int fd)
{
	struct monitor *const m = ((struct monitor_link *)ch->owner)->monitor;
	struct operator* const o = asker(m, ch->peer_id, answer);

	(void)fd; /* no row of a listener's has one */
	if (o == NULL)
		return;
	if (answer->head.type == IPC_DONE) {
		m->msg.done = answer->done;
		m->msg.head.session = o->asked;
		o->asked = 0;
	} else {
		m->msg.session = answer->session;
		m->msg.head.session = o->asked;
		m->msg.session.listener = ch->peer_id;
	}
	ipc_channel_send(&o->channel, &m->msg, -1);
}

static void free_link(uv_handle_t *handle)
{
	free(((struct ipc_channel *)handle->data)->owner);
}

/* It has ended: who waits for its answer gets none. */
static void on_listener_closed(struct ipc_channel *ch)
{
	struct monitor_link *const k = ch->owner;
	struct monitor *const m = k->monitor;
	struct monitor_link **at = &m->links;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	for (size_t i = 0; i < OPERATORS_MAX; i++) {
		struct operator* const o = & m->operators[i];
		const uint64_t asked = o->asked;

		if (!o->open || asked == 0 || o->at != ch->peer_id)
			continue;
		o->asked = 0;
		done(o, asked, IPC_TEMPORARY);
	}
	free(k);
}

void operator_link(struct monitor *m, uint32_t listener, int fd)
{
	struct monitor_link *const k = calloc(1, sizeof(*k));
	int r = -ENOMEM;

	if (k == NULL) {
		(void)close(fd);
	} else {
		k->monitor = m;
		k->channel = (struct ipc_channel){
			.owner = k,
			.self = IPC_MONITOR,
			.peer = IPC_LISTENER,
			.peer_id = listener,
			.on_message = on_listener_message,
			.on_closed = on_listener_closed,
		};
		r = ipc_channel_open(&k->channel, &m->process->loop, fd);
	}
	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		free(k);
		return;
	}
	k->next = m->links;
	m->links = k;
}

/* ---- operators ---- */

static void watch(struct monitor *m);

static void on_question(struct ipc_channel *ch, const union ipc_msg *q, int fd)
{
	struct operator* const o = ch->owner;

	(void)fd;
	if (o->asked != 0) {
		/* One at a time: answers to more than one would have to wait somewhere. */
		drop_operator(o);
		return;
	}
	if (q->head.type == IPC_ASK_STATUS) {
		tell_status(o, q->head.session);
		return;
	}
	if (q->head.type == IPC_KICK)
		log_event(LOG_LEVEL_INFO, "kick", log_num("listener", q->select.listener),
			  log_hex(q->select.id != 0 ? "session" : NULL, q->select.id),
			  log_str(q->select.user[0] != '\0' ? "user" : NULL, q->select.user),
			  log_str(q->select.remote[0] != '\0' ? "remote" : NULL, q->select.remote));
	ask_listener(o, &q->select);
}

static void forget_operator(struct operator* o)
{
	o->open = false;
	o->asked = 0;
	watch(o->monitor);
}

static void on_operator_closed(struct ipc_channel *ch)
{
	forget_operator(ch->owner);
}

static void on_dropped(uv_handle_t *handle)
{
	forget_operator(((struct ipc_channel *)handle->data)->owner);
}

static void drop_operator(struct operator* o)
{
	o->asked = 0;
	ipc_channel_close(&o->channel, on_dropped);
}

/* The socket's mode lets nobody else in; this also holds if somebody changes it. */
static bool may_ask(const struct monitor *m, int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == m->owner)
		return true;
	log_event(LOG_LEVEL_WARN, "operator-refused", log_num("uid", peer.uid),
		  log_num("pid", (uint64_t)peer.pid));
	return false;
}

static struct operator* free_place(struct monitor *m)
{
	for (size_t i = 0; i < OPERATORS_MAX; i++) {
		if (!m->operators[i].open)
			return &m->operators[i];
	}
	return NULL;
}

static void take(struct monitor *m, struct operator* o, int fd)
{
	if (!may_ask(m, fd)) {
		(void)close(fd);
		return;
	}
	*o = (struct operator){
		.monitor = m,
		.channel =
			{
				.owner = o,
				.self = IPC_MONITOR,
				.peer = IPC_OPERATOR,
				.on_message = on_question,
				.on_closed = on_operator_closed,
			},
	};
	o->open = ipc_channel_open(&o->channel, &m->process->loop, fd) == 0;
}

static void on_operator(uv_poll_t *poll, int status, int events)
{
	struct monitor *const m = poll->data;
	struct operator* const o = free_place(m);
	const int fd = o == NULL ? -1 : accept4(m->control, NULL, NULL, SOCK_CLOEXEC);

	(void)status;
	(void)events;
	if (fd >= 0)
		take(m, o, fd);
	watch(m);
}

/* Whoever finds no place waits in the kernel. */
static void watch(struct monitor *m)
{
	if (m->control < 0)
		return;
	if (free_place(m) != NULL)
		(void)uv_poll_start(&m->control_poll, UV_READABLE, on_operator);
	else
		(void)uv_poll_stop(&m->control_poll);
}

int operator_open(struct monitor *m, int fd, struct err *err)
{
	const int r = uv_poll_init(&m->process->loop, &m->control_poll, fd);

	if (r < 0)
		return err_sys(err, -r, "cannot watch the control socket");
	m->control_poll.data = m;
	m->control = fd;
	watch(m);
	return 0;
}

void operator_close(struct monitor *m)
{
	if (m->control >= 0) {
		uv_close((uv_handle_t *)&m->control_poll, NULL);
		(void)close(m->control);
		m->control = -1;
	}
	for (size_t i = 0; i < OPERATORS_MAX; i++) {
		if (m->operators[i].open)
			drop_operator(&m->operators[i]);
	}
	while (m->links != NULL) {
		struct monitor_link *const k = m->links;

		m->links = k->next;
		ipc_channel_close(&k->channel, free_link);
	}
}
