/* SPDX-License-Identifier: MIT */
/*
 * The storage process: who may say what to it, and to whom it answers.
 */
#include "server/stored/stored.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "server/stored/stored_priv.h"

static union ipc_msg reply;

bool stored_path_is_safe(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; (p = strstr(p, "/..")) != NULL; p += 3) {
		if (p[3] == '/' || p[3] == '\0')
			return false;
	}
	return true;
}

/* ---- links ---- */

static void forget_link(struct link *l)
{
	struct link **at = &l->sd->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	session_abandon_all(l);
	free(l);
}

static void on_link_closed(struct ipc_channel *ch)
{
	forget_link(ch->owner);
}

static void on_refused_closed(uv_handle_t *handle)
{
	const struct ipc_channel *const ch = handle->data;

	forget_link(ch->owner);
}

void stored_refuse(struct link *l, uint64_t session, const char *why)
{
	if (l->refused)
		return;
	log_event(LOG_LEVEL_ERROR, "ipc-refused", log_num("listener", l->ch.peer_id),
		  log_hex("session", session), log_str("reason", why));
	l->refused = true;
	ipc_channel_close(&l->ch, on_refused_closed);
}

void stored_reply(struct session *s, const union ipc_msg *m, int fd)
{
	if (s->link != NULL)
		ipc_channel_send(&s->link->ch, m, fd);
}

/* Also one that has just died: what it said before still counts. Links go later, from the loop. */
static void read_role(struct stored *sd, enum ipc_role role)
{
	for (struct link *l = sd->links; l != NULL; l = l->next) {
		if (l->ch.peer == role)
			ipc_channel_read_now(&l->ch);
	}
}

void stored_read_auth(struct stored *sd)
{
	read_role(sd, IPC_AUTH);
}

void stored_read_listeners(struct stored *sd)
{
	read_role(sd, IPC_LISTENER);
}

static struct link *find_listener(struct stored *sd, uint32_t id)
{
	struct link *l = sd->links;

	while (l != NULL && (l->ch.peer != IPC_LISTENER || l->ch.peer_id != id))
		l = l->next;
	return l;
}

/* ---- auth ---- */

static void refuse_open(struct link *l, const struct ipc_grant *g, enum ipc_status status)
{
	ipc_start(&reply, IPC_OPENED, g->head.session);
	reply.opened.status = (uint32_t)status;
	memcpy(reply.opened.user, g->user, strlen(g->user) + 1);
	memcpy(reply.opened.device, g->rules.device, sizeof(reply.opened.device));
	ipc_channel_send(&l->ch, &reply, -1);
}

static void on_auth(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	struct link *const auth = ch->owner;
	struct stored *const sd = auth->sd;
	struct link *l = find_listener(sd, m->grant.listener);

	assert(fd < 0);
	(void)fd;
	if (l == NULL) {
		/* The master tells us of a listener first, but on another channel. */
		process_read_control(sd->process);
		l = find_listener(sd, m->grant.listener);
	}
	if (l == NULL || l->refused)
		return; /* gone, and its sessions with it */

	struct session *const s = session_get(l, m->head.session);

	if (s == NULL) {
		log_event(LOG_LEVEL_WARN, "too-many-sessions", log_num("listener", l->ch.peer_id));
		if (m->head.type == IPC_GRANT_OPEN)
			refuse_open(l, &m->grant, IPC_TOO_MANY);
		return;
	}
	if (s->leaving)
		return; /* its client hung up while auth was at work */
	if (m->head.type == IPC_GRANT_OPEN) {
		session_request(s, m);
	} else if (!delivery_grant(s, &m->grant)) {
		log_event(LOG_LEVEL_WARN, "too-many-recipients", log_hex("session", s->id));
		session_advance(s);
	}
}

/* ---- listeners ---- */

static void on_listener(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	struct link *const l = ch->owner;
	struct session *s = session_find(l->sd, l, m->head.session);

	assert(fd < 0);
	(void)fd;
	if (s == NULL) {
		stored_read_auth(l->sd);
		if (l->refused)
			return;
		s = session_find(l->sd, l, m->head.session);
	}
	if (s != NULL) {
		if (m->head.type == IPC_CLOSE)
			session_leave(s);
		else
			session_request(s, m);
		return;
	}
	switch (m->head.type) {
	case IPC_CLOSE:
	case IPC_DELIVER_RESET:
		return; /* nothing had been granted */
	case IPC_ROOM:
		ipc_start(&reply, IPC_ROOM_REPLY, m->head.session);
		reply.result.status = IPC_TEMPORARY;
		ipc_channel_send(ch, &reply, -1);
		return;
	case IPC_DELIVER_BEGIN:
		/* A restart of ours or of auth's came between RCPT and DATA. */
		ipc_start(&reply, IPC_DELIVER_READY, m->head.session);
		reply.result.status = IPC_TEMPORARY;
		ipc_channel_send(ch, &reply, -1);
		return;
	default:
		stored_refuse(l, m->head.session, "there is no such session");
	}
}

/* ---- the process ---- */

static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	struct stored *const sd = p->owner;
	struct link *const l = calloc(1, sizeof(*l));

	if (l == NULL) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", "no memory"));
		(void)close(fd);
		return;
	}
	l->sd = sd;
	l->ch = (struct ipc_channel){
		.owner = l,
		.self = IPC_STORAGE,
		.peer = peer,
		.peer_id = peer_id,
		.on_message = peer == IPC_AUTH ? on_auth : on_listener,
		.on_closed = on_link_closed,
	};

	const int r = ipc_channel_open(&l->ch, &p->loop, fd);

	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		free(l);
		return;
	}
	l->next = sd->links;
	sd->links = l;
}

void stored_idle(struct stored *sd)
{
	if (sd->draining && sd->n_sessions == 0 && sd->swept == NULL)
		process_quit(sd->process);
}

static void on_config(struct process *p)
{
	expire_forget(p->owner);
}

static void on_drain(struct process *p)
{
	struct stored *const sd = p->owner;

	sd->draining = true;
	stored_idle(sd);
}

/* From any thread of the pool. */
static void on_notice(void *arg, const char *maildrop, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_WARN, "maildrop-notice", log_str("maildrop", maildrop),
		  log_str("notice", text));
}

static int prepare(struct process *p, struct err *err)
{
	(void)err;
	if (p->config->storage_threads != 0)
		p->threads = p->config->storage_threads;
	return 0;
}

static void free_stored(uv_handle_t *handle)
{
	struct stored *const sd = handle->data;

	free(sd->close_request);
	free(sd);
}

/* The last one's memory is the last that the loop uses. */
static void close_patience(uv_handle_t *handle)
{
	struct stored *const sd = handle->data;

	uv_close((uv_handle_t *)&sd->patience_timer, free_stored);
}

static int start(struct process *p, struct err *err)
{
	struct stored *const sd = calloc(1, sizeof(*sd));
	const size_t n = sizeof(struct ipc_plain);
	int r;

	if (sd == NULL)
		return err_sys(err, ENOMEM, "cannot start");
	sd->process = p;
	sd->seed = rand_u64() | 1;
	sd->close_request = calloc(1, sizeof(*sd->close_request) + n);
	if (sd->close_request == NULL) {
		r = err_sys(err, ENOMEM, "cannot start");
		goto free_sd;
	}
	ipc_start(&reply, IPC_CLOSE, 1);
	memcpy(sd->close_request->m, &reply, n);
	r = patience_init(sd);
	if (r == 0)
		r = expire_init(sd);
	if (r < 0) {
		r = err_sys(err, -r, "cannot make a timer");
		goto free_request;
	}
	r = store_new(p->config->store_driver, p->config->hostname, on_notice, sd, &sd->store, err);
	if (r < 0)
		goto free_later;
	p->owner = sd;
	return 0;

free_later:
	uv_close((uv_handle_t *)&sd->expire_timer, close_patience);
	return r;
free_request:
	free(sd->close_request);
free_sd:
	free(sd);
	return r;
}

static void free_link(uv_handle_t *handle)
{
	const struct ipc_channel *const ch = handle->data;

	free(ch->owner);
}

/* All sessions have ended: the loop was left for that reason. */
static void stop(struct process *p)
{
	struct stored *const sd = p->owner;
	struct link *next;

	assert(sd->n_sessions == 0);
	for (struct link *l = sd->links; l != NULL; l = next) {
		next = l->next;
		ipc_channel_close(&l->ch, free_link);
	}
	expire_forget(sd);
	store_free(sd->store);
	uv_close((uv_handle_t *)&sd->expire_timer, close_patience);
}

const struct process_ops stored_ops = {
	.role = IPC_STORAGE,
	.sandbox = &sandbox_storage,
	.prepare = prepare,
	.start = start,
	.on_link = on_link,
	.on_config = on_config,
	.on_drain = on_drain,
	.stop = stop,
};
