/* SPDX-License-Identifier: MIT */
#include "client/fetch_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/login.h"
#include "client/pipeline.h"

/* How long what a server doesn't list any more is remembered at least. */
#define REMEMBER_SECONDS (INT64_C(90) * 86400)

static bool is_there(void *ctx, const struct message_key *key)
{
	const struct session *const s = ctx;
	uint64_t bytes;

	return destination_has(s->target, key, &bytes);
}

/* In a transaction. ids has room for all messages. */
static int compare(struct session *s, int64_t *ids)
{
	const int64_t now = (int64_t)(clock_wall_ns() / 1000000000U);
	size_t n = 0;
	int r;

	for (size_t i = 0; i < s->listing.n; i++) {
		if (s->listing.messages[i].fate == FATE_KNOWN)
			ids[n++] = s->listing.messages[i].row;
	}
	r = state_compare(s->state, s->account, ids, n, now, s->err);
	/* The Maildir was scanned only when there was a list to compare it with. */
	if (r == 0 && s->listing.n > 0)
		r = state_forget(s->state, s->account, now - REMEMBER_SECONDS, is_there, s, s->err);
	return r;
}

enum fetch_status fetch_compare(struct session *s)
{
	int64_t *ids;
	int r;

	/* One that nobody could look at may be any of those that are remembered. */
	for (size_t i = 0; i < s->listing.n; i++) {
		if (s->listing.messages[i].unsure && s->listing.messages[i].fate != FATE_KNOWN)
			return FETCH_OK;
	}
	ids = calloc(s->listing.n == 0 ? 1 : s->listing.n, sizeof(*ids));
	if (ids == NULL) {
		(void)err_sys(s->err, ENOMEM, "cannot remember what is on the server");
		return FETCH_MEMORY;
	}
	r = state_begin(s->state, s->err);
	if (r == 0)
		r = compare(s, ids);
	if (r == 0)
		r = state_commit(s->state, s->err);
	if (r < 0)
		state_abort(s->state);
	else
		destination_settle(s->target);
	free(ids);
	return fetch_state_status(r);
}

static bool is_pending(const struct message *m)
{
	return m->fate == FATE_KNOWN && m->pending;
}

/* The state knows of it before the server does: a later session goes on with it. */
static enum fetch_status mark_pending(struct session *s)
{
	bool begun = false;
	int r = 0;

	for (size_t i = 0; i < s->listing.n && r == 0; i++) {
		struct message *const m = &s->listing.messages[i];

		if (m->pending || fetch_why_deleted(s, m) == NULL)
			continue;
		if (!begun)
			r = state_begin(s->state, s->err);
		begun = true;
		if (r == 0)
			r = state_set_status(s->state, m->row, STATE_PENDING, s->err);
		m->pending = true;
	}
	if (r == 0 && begun)
		r = state_commit(s->state, s->err);
	if (r < 0)
		state_abort(s->state);
	return fetch_state_status(r);
}

static enum fetch_status accepted(void *ctx, struct message *m)
{
	(void)ctx;
	m->deleted = true;
	return FETCH_OK;
}

static enum fetch_status refused(void *ctx, struct message *m, const struct pop3_client_event *e)
{
	struct session *const s = ctx;
	struct err why;

	(void)m;
	(void)login_refusal(&s->dialogue, e, &why);
	s->result->refused++;
	fetch_remark(s, "%s", why.text);
	return FETCH_OK;
}

enum fetch_status fetch_delete(struct session *s)
{
	const struct pipeline_handler handler = {
		.begin = accepted,
		.refused = refused,
		.ctx = s,
	};
	enum fetch_status fs = mark_pending(s);

	if (fs != FETCH_OK)
		return fs;
	for (size_t i = 0; i < s->listing.n; i++)
		s->result->pending += is_pending(&s->listing.messages[i]);
	return pipeline_run(&s->dialogue, s->caps.pipelining, POP3_DELE, &s->listing, is_pending,
			    &handler, s->err);
}

enum fetch_status fetch_deleted(struct session *s)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < s->listing.n && r == 0; i++) {
		const struct message *const m = &s->listing.messages[i];

		if (!m->deleted)
			continue;
		if (n++ == 0)
			r = state_begin(s->state, s->err);
		if (r == 0)
			r = state_set_status(s->state, m->row, STATE_GONE, s->err);
	}
	if (r == 0 && n > 0)
		r = state_commit(s->state, s->err);
	if (r < 0) {
		state_abort(s->state);
		return fetch_state_status(r);
	}
	s->result->deleted = n;
	s->result->pending -= n;
	return FETCH_OK;
}
