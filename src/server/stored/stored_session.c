/* SPDX-License-Identifier: MIT */
/*
 * Sessions: found by (listener, id), each with one request in the pool and the
 * others waiting in order.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/stored/stored_priv.h"

static const struct stored_op *op_of(uint32_t type)
{
	switch (type) {
	case IPC_GRANT_OPEN:
		return &stored_open;
	case IPC_GET:
		return &stored_get;
	case IPC_MARK:
		return &stored_mark;
	case IPC_COMMIT:
		return &stored_commit;
	case IPC_CLOSE:
		return &stored_close;
	case IPC_ROOM:
		return &stored_room;
	case IPC_DELIVER_BEGIN:
		return &stored_begin;
	case IPC_DELIVER_COMMIT:
		return &stored_deliver;
	case IPC_DELIVER_RESET:
		return &stored_reset;
	default:
		return NULL;
	}
}

/* Which bucket: the top bits, which every bit of the id has moved. */
static size_t bucket(const struct stored *sd, uint64_t id)
{
	return (size_t)((id * sd->seed) >> 52) & (STORED_BUCKETS - 1);
}

struct session *session_find(struct stored *sd, const struct link *l, uint64_t id)
{
	struct session *s = sd->sessions[bucket(sd, id)];

	while (s != NULL && (s->link != l || s->id != id))
		s = s->next;
	return s;
}

struct session *session_get(struct link *l, uint64_t id)
{
	struct stored *const sd = l->sd;
	struct session *s = session_find(sd, l, id);
	/* Twice, for those that are on their way out. */
	const size_t max = (size_t)sd->process->config->max_connections * 2 + 64;

	if (s != NULL || l->n_sessions >= max)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->sd = sd;
	s->link = l;
	s->id = id;
	s->last = &s->first;
	s->work.data = s;

	struct session **const head = &sd->sessions[bucket(sd, id)];

	s->next = *head;
	*head = s;
	l->n_sessions++;
	sd->n_sessions++;
	return s;
}

static void session_free(struct session *s)
{
	struct stored *const sd = s->sd;
	struct session **at = &sd->sessions[bucket(sd, s->id)];

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->link != NULL)
		s->link->n_sessions--;
	free(s);
	sd->n_sessions--;
	if (sd->n_sessions == 0)
		stored_idle(sd);
}

/* ---- the user's count ---- */

static size_t user_bucket(const struct stored *sd, const char *name)
{
	uint64_t h = 0;

	for (; *name != '\0'; name++)
		h = (h + (unsigned char)*name) * sd->seed;
	return (size_t)(h >> 52) & (STORED_BUCKETS - 1);
}

bool session_count_in(struct session *s, const char *name)
{
	struct stored *const sd = s->sd;
	const uint32_t max = sd->process->config->max_connections_per_user;
	struct user **const head = &sd->users[user_bucket(sd, name)];
	struct user *u = *head;

	assert(s->user == NULL);
	while (u != NULL && strcmp(u->name, name) != 0)
		u = u->next;
	if (u == NULL) {
		u = calloc(1, sizeof(*u));
		if (u == NULL)
			return false;
		memcpy(u->name, name, strlen(name) + 1);
		u->next = *head;
		*head = u;
	} else if (max != 0 && u->sessions - u->closing >= max) {
		return false;
	}
	u->sessions++;
	s->user = u;
	return true;
}

void session_park(struct session *s)
{
	s->parked = true;
	s->next_waiting = s->user->waiting;
	s->user->waiting = s;
}

void session_unpark(struct session *s)
{
	struct session **at = &s->user->waiting;

	patience_end(s);
	while (*at != s)
		at = &(*at)->next_waiting;
	*at = s->next_waiting;
	s->parked = false;
}

/* Nobody is on the way out any more: whoever waited for that may try. */
static void wake_waiting(struct user *u)
{
	while (u->waiting != NULL && u->closing == 0) {
		struct session *const s = u->waiting;

		session_unpark(s);
		/* It may be the user's last, and take *u along: but then nobody waits. */
		const bool more = u->waiting != NULL;

		session_advance(s);
		if (!more)
			return;
	}
}

void session_count_out(struct session *s)
{
	struct user *const u = s->user;

	if (u == NULL)
		return;
	if (s->parked)
		session_unpark(s);
	s->user = NULL;
	u->sessions--;
	if (s->closing)
		u->closing--;
	s->closing = false;
	if (u->sessions > 0) {
		wake_waiting(u);
		return;
	}

	struct user **at = &s->sd->users[user_bucket(s->sd, u->name)];

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}

void session_closing(struct session *s)
{
	if (s->user == NULL || s->closing)
		return;
	s->closing = true;
	s->user->closing++;
}

/* ---- work ---- */

static void run(uv_work_t *work)
{
	struct session *const s = work->data;

	op_of(request_msg(s->running)->head.type)->run(s, s->running);
}

static void finish(struct session *s, struct request *q)
{
	if (q == s->sd->close_request)
		return;
	if (s->link != NULL)
		s->link->waiting_octets -= q->n;
	free(q);
}

static void put_first(struct session *s, struct request *q)
{
	q->again = false;
	q->next = s->first;
	s->first = q;
	if (q->next == NULL)
		s->last = &q->next;
	s->n_requests++;
}

static void end_running(struct session *s)
{
	struct request *const q = s->running;

	op_of(request_msg(q)->head.type)->done(s, q);
	s->running = NULL;
	if (q->again)
		put_first(s, q);
	else
		finish(s, q);
}

static void done(uv_work_t *work, int status)
{
	struct session *const s = work->data;

	/* Nobody cancels. */
	assert(status == 0);
	(void)status;
	metric_sub(METRIC_STORAGE_WAITING, 1);
	end_running(s);
	session_advance(s);
}

/* Nothing is held and nothing is to be done: as if auth had never spoken of it. */
static bool is_empty(const struct session *s)
{
	return s->running == NULL && s->first == NULL && s->maildrop == NULL &&
	       s->delivery == NULL && s->grants == NULL && s->targets == NULL && s->user == NULL;
}

/* The next one: what waits, and after that the end of a session that leaves. */
static struct request *next_request(const struct session *s)
{
	if (s->first != NULL)
		return s->first;
	return s->leaving && !is_empty(s) ? s->sd->close_request : NULL;
}

static void take_first(struct session *s)
{
	struct request *const q = s->first;

	s->first = q->next;
	if (s->first == NULL)
		s->last = &s->first;
	s->n_requests--;
}

/* Starts the first of what waits, again and again until something runs. */
static void start_requests(struct session *s)
{
	struct request *q;

	while (s->running == NULL && (q = next_request(s)) != NULL) {
		if (s->parked || (s->link != NULL && s->link->refused))
			return;

		const struct stored_op *const op = op_of(request_msg(q)->head.type);
		const bool go = op->admit == NULL || op->admit(s, request_msg(q));

		if (s->parked)
			return; /* q stays the first */
		if (q == s->first)
			take_first(s);
		if (!go) {
			finish(s, q);
			continue;
		}
		s->running = q;
		if (op->run_now != NULL && op->run_now(s, q)) {
			end_running(s);
			continue;
		}
		metric_add(METRIC_STORAGE_WAITING, 1);
		if (uv_queue_work(&s->sd->process->loop, &s->work, run, done) < 0)
			abort(); /* it would say that run is NULL, and nothing else */
	}
}

void session_advance(struct session *s)
{
	/* admit() may read a channel, and what comes may be for this very session. */
	if (s->advancing)
		return;
	s->advancing = true;
	start_requests(s);
	s->advancing = false;
	if (is_empty(s))
		session_free(s);
}

void session_request(struct session *s, const union ipc_msg *m)
{
	struct link *const l = s->link;
	const size_t n = ipc_length(m);

	if (s->leaving) {
		stored_refuse(l, s->id, "it spoke after its end");
		return;
	}
	if (s->n_requests >= STORED_REQUESTS_MAX || l->waiting_octets >= STORED_WAITING_MAX) {
		stored_refuse(l, s->id, "too many requests");
		return;
	}

	struct request *const q = malloc(sizeof(*q) + n);

	if (q == NULL) {
		stored_refuse(l, s->id, "no memory");
		return;
	}
	memset(q, 0, sizeof(*q));
	q->n = n;
	memcpy(q->m, m, n);
	*s->last = q;
	s->last = &q->next;
	s->n_requests++;
	l->waiting_octets += n;
	if (m->head.type == IPC_COMMIT)
		session_closing(s);
	session_advance(s);
}

void session_leave(struct session *s)
{
	s->leaving = true;
	if (s->parked) {
		session_unpark(s);
		while (s->first != NULL) {
			struct request *const q = s->first;

			take_first(s);
			finish(s, q);
		}
	}
	session_closing(s);
	session_advance(s);
}

/*
 * Drops what waits, but not a QUIT that got through: its marks and its commit
 * are carried out although nobody will hear of it.
 */
static void drop_waiting(struct session *s, bool refused)
{
	struct request *q = s->first;
	bool quit = false;

	for (const struct request *k = q; k != NULL && !refused; k = k->next)
		quit = quit || request_msg(k)->head.type == IPC_COMMIT;
	s->first = NULL;
	s->last = &s->first;
	s->n_requests = 0;
	while (q != NULL) {
		struct request *const next = q->next;
		const uint32_t type = request_msg(q)->head.type;

		q->next = NULL;
		if (quit && (type == IPC_MARK || type == IPC_COMMIT)) {
			*s->last = q;
			s->last = &q->next;
			s->n_requests++;
		} else {
			free(q);
		}
		q = next;
	}
}

static bool may_advance(const struct session *s)
{
	return s->link == NULL && s->running == NULL;
}

void session_abandon_all(struct link *l)
{
	struct stored *const sd = l->sd;

	for (size_t i = 0; i < STORED_BUCKETS; i++) {
		for (struct session *s = sd->sessions[i]; s != NULL; s = s->next) {
			if (s->link != l)
				continue;
			s->link = NULL;
			s->leaving = true;
			if (s->parked)
				session_unpark(s);
			drop_waiting(s, l->refused);
			session_closing(s);
		}
	}
	l->n_sessions = 0;
	l->waiting_octets = 0;
	/* Each leaves may_advance() by running or by being freed, and may take others along. */
	for (size_t i = 0; i < STORED_BUCKETS; i++) {
		struct session *s = sd->sessions[i];

		while (s != NULL) {
			if (may_advance(s)) {
				session_advance(s);
				s = sd->sessions[i];
			} else {
				s = s->next;
			}
		}
	}
}
