/* SPDX-License-Identifier: MIT */
/*
 * A user's session: open, get, mark, commit, close.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/stored/stored_priv.h"

/* What is read ahead of a listener's sendfile: larger messages are read ahead as they go. */
#define READ_AHEAD_MAX (4 << 20)

/* Answers are made here: the loop has one thread. */
static union ipc_msg reply;

static void log_failure(const struct session *s, const char *event, const struct request *q)
{
	log_event(LOG_LEVEL_ERROR, event, log_hex("session", s->id),
		  log_str(s->user != NULL ? "user" : NULL, s->user != NULL ? s->user->name : ""),
		  log_str("error", q->err.text));
}

/* ---- IPC_GRANT_OPEN ---- */

static void reply_opened(struct session *s, enum ipc_status status, const struct ipc_grant *g)
{
	ipc_start(&reply, IPC_OPENED, s->id);
	reply.opened.status = (uint32_t)status;
	memcpy(reply.opened.user, g->user, strlen(g->user) + 1);
	memcpy(reply.opened.device, g->rules.device, sizeof(reply.opened.device));
	if (status == IPC_OK) {
		reply.opened.count = maildrop_count(s->maildrop);
		reply.opened.octets = maildrop_octets(s->maildrop);
		reply.opened.growth = maildrop_growth(s->maildrop);
		reply.opened.login_delay = g->rules.login_delay;
		reply.opened.expire_days = g->rules.expire_days;
		reply.opened.recent = g->rules.recent_days;
	}
	stored_reply(s, &reply, status == IPC_OK ? maildrop_snapshot_fd(s->maildrop) : -1);
}

static bool open_admit(struct session *s, const union ipc_msg *m)
{
	if (s->maildrop != NULL) {
		/* The listener let its client log in twice. */
		stored_refuse(s->link, s->id, "the session has a maildrop already");
		return false;
	}
	if (s->user == NULL && !session_count_in(s, m->grant.user)) {
		reply_opened(s, IPC_TOO_MANY, &m->grant);
		return false;
	}
	/*
	 * The user's last session is on its way out, and holds the lock for a moment
	 * more. A client that hangs up and calls again doesn't deserve an [IN-USE].
	 */
	if (s->user->closing > 0 && !s->closing) {
		session_park(s);
		return false;
	}
	s->expires = s->expires || expire_is_due(s->sd, &m->grant);
	return true;
}

static struct store_owner owner_of(const struct ipc_grant *g)
{
	return (struct store_owner){
		.user = g->user,
		.path = g->path,
		.uid = g->uid,
		.gid = g->gid,
		.rules = g->rules,
	};
}

static void open_run(struct session *s, struct request *q)
{
	const struct ipc_grant *const g = &request_msg(q)->grant;
	const struct store_owner owner = owner_of(g);

	if (s->expires)
		expire_now(s->sd, &owner);
	s->expires = false;
	q->r = stored_path_is_safe(g->path)
		       ? maildrop_open(s->sd->store, &owner, &s->maildrop, &q->err)
		       : err_set(&q->err, EINVAL, "'%s' is no path for a maildrop", g->path);
}

static bool open_run_now(struct session *s, struct request *q)
{
	const struct ipc_grant *const g = &request_msg(q)->grant;
	const struct store_owner owner = owner_of(g);

	q->r = !s->expires && stored_path_is_safe(g->path)
		       ? maildrop_open_now(s->sd->store, &owner, &s->maildrop)
		       : -EAGAIN;
	return q->r == 0;
}

/*
 * Whoever has the maildrop may have hung up before this session asked for it, on
 * a channel that we haven't read yet, or at a listener that hasn't noticed. The
 * first refusals are therefore not the last word, and none is while somebody is on
 * the way out.
 */
static bool may_be_free_soon(struct session *s, struct request *q)
{
	if (s->link == NULL)
		return false;
	if (q->tries++ == 0) {
		stored_read_listeners(s->sd);
		return true;
	}
	if (s->user->closing > (s->closing ? 1U : 0U))
		return true;
	if (s->leaving || !patience_lasts(s, q))
		return false;
	session_park(s);
	patience_begin(s);
	return true;
}

static void open_done(struct session *s, struct request *q)
{
	const struct ipc_grant *const grant = &request_msg(q)->grant;

	if (q->r == 0) {
		reply_opened(s, IPC_OK, grant);
		return;
	}
	if ((q->r == -EBUSY || q->r == -EAGAIN) && may_be_free_soon(s, q)) {
		q->again = true;
		return;
	}
	if (q->r != -EBUSY)
		log_failure(s, "open-failed", q);

	enum ipc_status status = stored_status(q->r);

	/* For a message that is gone; a maildrop that can't be found is the operator's business. */
	if (status == IPC_GONE)
		status = IPC_PERMANENT;
	reply_opened(s, status, grant);
	session_count_out(s);
}

const struct stored_op stored_open = {
	.admit = open_admit,
	.run = open_run,
	.done = open_done,
	.run_now = open_run_now,
};

/* ---- IPC_GET ---- */

static void reply_message(struct session *s, uint32_t number, enum ipc_status status,
			  const struct store_message *found)
{
	ipc_start(&reply, IPC_MESSAGE, s->id);
	reply.message.status = (uint32_t)status;
	reply.message.number = number;
	if (found != NULL) {
		reply.message.offset = found->offset;
		reply.message.bytes = found->bytes;
		reply.message.octets = found->octets;
		reply.message.flags = found->flags;
	}
	stored_reply(s, &reply, found != NULL ? found->fd : -1);
}

/* Without a maildrop there is nothing that an honest listener could ask for. */
static bool has_maildrop(struct session *s)
{
	if (s->maildrop != NULL)
		return true;
	if (s->link != NULL)
		stored_refuse(s->link, s->id, "the session has no maildrop");
	return false;
}

static bool get_admit(struct session *s, const union ipc_msg *m)
{
	if (!has_maildrop(s))
		return false;
	if (m->get.number > maildrop_count(s->maildrop)) {
		stored_refuse(s->link, s->id, "there is no such message");
		return false;
	}
	return true;
}

static void get_run(struct session *s, struct request *q)
{
	struct store_message *const found = &q->message;

	const struct ipc_get *const get = &request_msg(q)->get;

	q->r = maildrop_message(s->maildrop, get->number, found, &q->err);
	if (q->r == 0 && get->whole != 0)
		q->r = maildrop_check(s->maildrop, get->number, found, &q->err);
	if (q->r == 0) {
		const off_t n = found->bytes > READ_AHEAD_MAX ? READ_AHEAD_MAX
							      : (off_t)found->bytes;

		/* A hint: the listener's loop shall not wait for the disk. */
		(void)posix_fadvise(found->fd, (off_t)found->offset, n, POSIX_FADV_WILLNEED);
	}
}

static bool get_run_now(struct session *s, struct request *q)
{
	q->r = maildrop_message_now(s->maildrop, request_msg(q)->get.number, &q->message);
	return q->r == 0;
}

static void get_done(struct session *s, struct request *q)
{
	const uint32_t number = request_msg(q)->get.number;

	if (q->r == 0) {
		reply_message(s, number, IPC_OK, &q->message);
		(void)close(q->message.fd);
		return;
	}
	log_failure(s, "message-failed", q);
	reply_message(s, number, stored_status(q->r), NULL);
}

const struct stored_op stored_get = {
	.admit = get_admit,
	.run = get_run,
	.done = get_done,
	.run_now = get_run_now,
};

/* ---- IPC_MARK ---- */

static unsigned count_bits(const struct ipc_mark *m)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < m->n; i++)
		count += (unsigned)__builtin_popcount(m->bits[i]);
	return count;
}

/* The last message that is marked, or 0. */
static uint64_t last_marked(const struct ipc_mark *m)
{
	for (uint32_t i = m->n; i > 0; i--) {
		if (m->bits[i - 1] != 0)
			return (uint64_t)m->first + (uint64_t)(i - 1) * 8 + 31U -
			       (unsigned)__builtin_clz(m->bits[i - 1]);
	}
	return 0;
}

static bool mark_admit(struct session *s, const union ipc_msg *m)
{
	if (!has_maildrop(s))
		return false;
	if (last_marked(&m->mark) > maildrop_count(s->maildrop)) {
		/* Should it be gone meanwhile: its commit will miss these marks. */
		if (s->link != NULL)
			stored_refuse(s->link, s->id, "it marks what isn't there");
		return false;
	}
	s->marked += count_bits(&m->mark);
	return true;
}

static void mark_run(struct session *s, struct request *q)
{
	const struct ipc_mark *const m = &request_msg(q)->mark;

	for (uint32_t i = 0; i < m->n; i++) {
		for (unsigned bits = m->bits[i]; bits != 0; bits &= bits - 1) {
			const uint32_t n = m->first + i * 8 + (uint32_t)__builtin_ctz(bits);

			q->r = maildrop_mark(s->maildrop, n);
			if (q->r < 0)
				return;
		}
	}
}

static void mark_done(struct session *s, struct request *q)
{
	/* Shows in the commit, whose check then fails: nothing is deleted. */
	if (q->r < 0)
		s->marked = UINT64_MAX;
}

const struct stored_op stored_mark = {.admit = mark_admit, .run = mark_run, .done = mark_done};

/* ---- IPC_COMMIT ---- */

static bool commit_admit(struct session *s, const union ipc_msg *m)
{
	(void)m;
	return has_maildrop(s);
}

static void commit_run(struct session *s, struct request *q)
{
	if (request_msg(q)->commit.marked == s->marked)
		q->r = maildrop_commit(s->maildrop, &q->removed, &q->err);
	else
		q->r = err_set(&q->err, EAGAIN, "not all marks arrived: nothing is deleted");
	/* Before the answer: whoever has got it may log in again at once. */
	maildrop_close(s->maildrop);
	s->maildrop = NULL;
}

static void commit_done(struct session *s, struct request *q)
{
	if (q->r < 0)
		log_failure(s, "commit-failed", q);
	else if (q->removed > 0)
		log_event(LOG_LEVEL_INFO, "deleted", log_hex("session", s->id),
			  log_str("user", s->user->name), log_num("messages", q->removed));

	enum ipc_status status = stored_status(q->r);

	if (status == IPC_GONE || status == IPC_IN_USE)
		status = IPC_TEMPORARY;
	ipc_start(&reply, IPC_COMMITTED, s->id);
	reply.committed.status = (uint32_t)status;
	reply.committed.removed = q->removed;
	stored_reply(s, &reply, -1);
	s->marked = 0;
	session_count_out(s);
}

/*
 * Most sessions find nothing and delete nothing. To hand their end to a thread and
 * wait for it would cost more than the end does.
 */
static bool commit_run_now(struct session *s, struct request *q)
{
	if (s->marked > 0 || !maildrop_is_clean(s->maildrop))
		return false;
	commit_run(s, q);
	return true;
}

const struct stored_op stored_commit = {
	.admit = commit_admit,
	.run = commit_run,
	.done = commit_done,
	.run_now = commit_run_now,
};

/* ---- IPC_CLOSE ---- */

static void let_go(struct session *s)
{
	delivery_drop_grants(s->grants);
	s->grants = NULL;
	s->n_grants = 0;
	delivery_drop_grants(s->targets);
	s->targets = NULL;
	session_count_out(s);
}

static bool close_admit(struct session *s, const union ipc_msg *m)
{
	(void)m;
	if (s->maildrop != NULL || s->delivery != NULL)
		return true;
	let_go(s);
	return false;
}

static void close_run(struct session *s, struct request *q)
{
	(void)q;
	maildrop_close(s->maildrop);
	s->maildrop = NULL;
	delivery_free(s->delivery);
	s->delivery = NULL;
}

static void close_done(struct session *s, struct request *q)
{
	(void)q;
	let_go(s);
}

static bool close_run_now(struct session *s, struct request *q)
{
	if (s->delivery != NULL || !maildrop_is_clean(s->maildrop))
		return false;
	close_run(s, q);
	return true;
}

const struct stored_op stored_close = {
	.admit = close_admit,
	.run = close_run,
	.done = close_done,
	.run_now = close_run_now,
};
