/* SPDX-License-Identifier: MIT */
#include "client/fetch_priv.h"

#include <errno.h>

#include "codec/pop3/pop3_listing.h"
#include "client/login.h"
#include "client/pipeline.h"

static enum fetch_status listing_failed(struct session *s, int r)
{
	switch (-r) {
	case EPROTO:
		return dialogue_surprise(&s->dialogue, "a list with a message twice", s->err);
	case EOVERFLOW:
		return dialogue_surprise(&s->dialogue, "an endless list of messages", s->err);
	default:
		(void)err_sys(s->err, -r, "cannot keep the list of messages");
		return FETCH_MEMORY;
	}
}

/* Lines until the end, each to take(). */
static enum fetch_status read_lines(struct session *s,
				    int (*take)(struct session *s, struct span line))
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs;

	for (;;) {
		fs = dialogue_event(&s->dialogue, &status, &e, s->err);
		if (fs != FETCH_OK || status == POP3_CLIENT_END)
			return fs;

		const int r = take(s, e.text);

		if (r < 0)
			return listing_failed(s, r);
	}
}

/* A line that isn't one could be about any message: better none than a wrong one. */
static int take_size(struct session *s, struct span line)
{
	uint32_t number;
	uint64_t octets;

	return pop3_listing_size(line, &number, &octets) ? listing_add(&s->listing, number, octets)
							 : -EPROTO;
}

static int take_uidl(struct session *s, struct span line)
{
	struct span uidl;
	uint32_t number;

	return pop3_listing_uidl(line, &number, &uidl) ? listing_set_uidl(&s->listing, number, uidl)
						       : -EPROTO;
}

static enum fetch_status read_list(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_event(&s->dialogue, &status, &e, s->err);
	int r;

	if (fs == FETCH_OK && status == POP3_CLIENT_ERR)
		fs = login_refusal(&s->dialogue, &e, s->err) == FETCH_LATER ? FETCH_LATER
									    : FETCH_UNAVAILABLE;
	if (fs == FETCH_OK)
		fs = read_lines(s, take_size);
	if (fs != FETCH_OK)
		return fs;
	r = listing_sort(&s->listing);
	return r < 0 ? listing_failed(s, r) : FETCH_OK;
}

/*
 * A server without UIDLs has none, and messages are known by their headers. But one
 * that had them before, or says that it has them, only fails now; going on would
 * fetch everything again.
 */
static enum fetch_status without_uidls(struct session *s, const struct pop3_client_event *e)
{
	bool had;
	const enum fetch_status refusal = login_refusal(&s->dialogue, e, s->err);
	int r;

	if (refusal == FETCH_LATER)
		return refusal;
	r = state_has_uidls(s->state, s->account, &had, s->err);
	if (r < 0)
		return fetch_state_status(r);
	return s->caps.uidl || had ? FETCH_LATER : FETCH_OK;
}

static enum fetch_status read_uidls(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_event(&s->dialogue, &status, &e, s->err);
	int r;

	if (fs != FETCH_OK)
		return fs;
	if (status == POP3_CLIENT_ERR)
		return s->listing.n == 0 ? FETCH_OK : without_uidls(s, &e);
	fs = read_lines(s, take_uidl);
	if (fs != FETCH_OK)
		return fs;
	r = listing_find_shared(&s->listing);
	return r < 0 ? listing_failed(s, r) : FETCH_OK;
}

static enum fetch_status ask_lists(struct session *s)
{
	enum fetch_status fs = dialogue_send(&s->dialogue,
					     &(struct pop3_command){.verb = POP3_LIST}, s->err);

	/* Both at once, where that is one round trip less. */
	if (fs == FETCH_OK && s->caps.pipelining)
		fs = dialogue_send(&s->dialogue, &(struct pop3_command){.verb = POP3_UIDL}, s->err);
	if (fs == FETCH_OK)
		fs = read_list(s);
	if (fs == FETCH_OK && !s->caps.pipelining)
		fs = dialogue_send(&s->dialogue, &(struct pop3_command){.verb = POP3_UIDL}, s->err);
	return fs == FETCH_OK ? read_uidls(s) : fs;
}

static bool is_asked(const struct message *m)
{
	return m->fate == FATE_ASK;
}

static enum fetch_status top_begin(void *ctx, struct message *m)
{
	struct session *const s = ctx;

	(void)m;
	if (header_reader_init(&s->header))
		return FETCH_OK;
	(void)err_sys(s->err, ENOMEM, "cannot read a header");
	return FETCH_MEMORY;
}

static enum fetch_status top_text(void *ctx, struct message *m, struct span text)
{
	struct session *const s = ctx;

	(void)m;
	header_reader_take(&s->header, text);
	return FETCH_OK;
}

static enum fetch_status top_end(void *ctx, struct message *m)
{
	struct session *const s = ctx;
	const struct plan plan = fetch_plan(s);
	struct header_digest header;

	header_reader_end(&s->header, &header);
	return fetch_state_status(plan_header(&plan, m, &header, s->err));
}

/* No TOP, or not for this one: the whole message shows it. */
static enum fetch_status top_refused(void *ctx, struct message *m,
				     const struct pop3_client_event *e)
{
	(void)ctx;
	(void)e;
	m->fate = FATE_FETCH;
	m->unsure = true;
	return FETCH_OK;
}

static enum fetch_status ask_headers(struct session *s)
{
	const struct pipeline_handler handler = {
		.begin = top_begin,
		.text = top_text,
		.end = top_end,
		.refused = top_refused,
		.ctx = s,
	};

	return pipeline_run(&s->dialogue, s->caps.pipelining, POP3_TOP, &s->listing, is_asked,
			    &handler, s->err);
}

enum fetch_status fetch_list(struct session *s)
{
	const struct plan plan = fetch_plan(s);
	enum fetch_status fs = ask_lists(s);

	if (fs == FETCH_OK && s->listing.n > 0)
		fs = fetch_disk_status(destination_scan(s->target, s->err));
	if (fs == FETCH_OK)
		fs = fetch_state_status(plan_all(&plan, s->err));
	if (fs == FETCH_OK)
		fs = ask_headers(s);
	s->result->listed = s->listing.n;
	for (size_t i = 0; i < s->listing.n; i++) {
		if (s->listing.messages[i].fate == FATE_KNOWN)
			s->result->known++;
	}
	return fs;
}
