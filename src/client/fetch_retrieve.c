/* SPDX-License-Identifier: MIT */
#include "client/fetch_priv.h"

#include <errno.h>

#include "client/login.h"
#include "client/pipeline.h"

static bool is_fetched(const struct message *m)
{
	return m->fate == FATE_FETCH;
}

static void tell_progress(const struct session *s)
{
	const struct fetch_observer *const o = &s->options->observer;

	if (o->progress != NULL)
		o->progress(o->ctx, s->messages_come, s->octets_come);
}

static enum fetch_status begin(void *ctx, struct message *m)
{
	struct session *const s = ctx;

	(void)m;
	if (!header_reader_init(&s->header)) {
		(void)err_sys(s->err, ENOMEM, "cannot read a header");
		return FETCH_MEMORY;
	}
	return fetch_disk_status(destination_begin(s->target, &s->incoming, s->err));
}

static enum fetch_status text(void *ctx, struct message *m, struct span octets)
{
	struct session *const s = ctx;
	enum fetch_status fs;

	(void)m;
	header_reader_take(&s->header, octets);
	s->octets_come += octets.n;
	tell_progress(s);
	fs = fetch_disk_status(destination_write(s->target, &s->incoming, octets, s->err));
	return fs == FETCH_OK ? fetch_group_wait(s) : fs;
}

/* It was here all along: what has come of it isn't needed. */
static enum fetch_status drop(struct session *s, struct message *m)
{
	enum fetch_status fs = FETCH_OK;

	destination_abort(s->target, &s->incoming);
	if (m->fate == FATE_ADOPT)
		fs = fetch_adopt(s, m);
	else
		s->result->known++;
	return fs;
}

static enum fetch_status end(void *ctx, struct message *m)
{
	struct session *const s = ctx;
	const struct plan plan = fetch_plan(s);
	struct header_digest header;
	enum fetch_status fs;

	header_reader_end(&s->header, &header);
	/* The terminator decides, and servers count as they like: only who looks on is told. */
	if (m->octets != s->incoming.bytes && s->options->observer.line != NULL)
		fetch_remark(s, "message %lu has %llu octets, LIST said %llu",
			     (unsigned long)m->number, (unsigned long long)s->incoming.bytes,
			     (unsigned long long)m->octets);
	s->messages_come++;
	tell_progress(s);
	fs = fetch_state_status(plan_fetched(&plan, m, &header, s->err));
	if (fs != FETCH_OK)
		return fs;
	if (m->fate != FATE_FETCH)
		return drop(s, m);
	fs = fetch_disk_status(destination_finish(s->target, &s->incoming, s->err));
	return fs == FETCH_OK ? fetch_group_add(s, m) : fs;
}

static enum fetch_status refused(void *ctx, struct message *m, const struct pop3_client_event *e)
{
	struct session *const s = ctx;
	struct err why;
	const enum fetch_status fs = login_refusal(&s->dialogue, e, &why);

	(void)m;
	s->result->refused++;
	/* The server has a problem of its own, and will have it with the next one too. */
	if (fs == FETCH_LATER || fs == FETCH_UNAVAILABLE) {
		*s->err = why;
		return fs;
	}
	fetch_remark(s, "%s", why.text);
	return FETCH_OK;
}

enum fetch_status fetch_retrieve(struct session *s)
{
	const struct fetch_observer *const o = &s->options->observer;
	const struct pipeline_handler handler = {
		.begin = begin,
		.text = text,
		.end = end,
		.refused = refused,
		.ctx = s,
	};
	uint64_t octets = 0;
	size_t n = 0;
	enum fetch_status fs;
	enum fetch_status stored;
	struct err why;

	for (size_t i = 0; i < s->listing.n; i++) {
		if (is_fetched(&s->listing.messages[i])) {
			n++;
			octets += s->listing.messages[i].octets;
		}
	}
	if (o->begin != NULL)
		o->begin(o->ctx, n, octets);
	fs = pipeline_run(&s->dialogue, s->caps.pipelining, POP3_RETR, &s->listing, is_fetched,
			  &handler, s->err);
	/* What is whole is kept, whatever became of the rest. What can't be stored won't be now. */
	if (fs == FETCH_DISK || fs == FETCH_STATE)
		return fs;
	why = *s->err;
	stored = fetch_group_store(s);
	if (fs == FETCH_OK)
		return stored;
	*s->err = why;
	return fs;
}
