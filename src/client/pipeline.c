/* SPDX-License-Identifier: MIT */
#include "client/pipeline.h"

/* What has been asked and what has been answered; the numbers are the places in the list. */
struct run {
	struct dialogue *d;
	struct listing *l;
	bool (*chosen)(const struct message *m);
	enum pop3_verb verb;
	unsigned ahead_max;
	size_t next;   /* to be asked */
	size_t answer; /* to be answered: of those that are chosen */
	const struct pipeline_handler *h;
	struct err *err;
};

/* The next one that is chosen from i on, or the list's end. */
static size_t skip(const struct run *r, size_t i)
{
	while (i < r->l->n && !r->chosen(&r->l->messages[i]))
		i++;
	return i;
}

static enum fetch_status send_ahead(struct run *r)
{
	enum fetch_status fs = FETCH_OK;

	while (fs == FETCH_OK && r->next < r->l->n && dialogue_may_send(r->d, r->ahead_max)) {
		const struct pop3_command command = {
			.verb = r->verb,
			.has_number = true,
			.number = r->l->messages[r->next].number,
		};

		fs = dialogue_send(r->d, &command, r->err);
		r->next = skip(r, r->next + 1);
	}
	return fs;
}

static enum fetch_status take(struct run *r, enum pop3_client_status status,
			      const struct pop3_client_event *e)
{
	struct message *const m = &r->l->messages[r->answer];
	const struct pipeline_handler *const h = r->h;
	enum fetch_status fs = FETCH_OK;
	bool over = false;

	/* It can't be another's: the codec counts. */
	if (e->verb != r->verb || e->number != m->number)
		return dialogue_surprise(r->d, "an answer to something else", r->err);
	switch (status) {
	case POP3_CLIENT_OK:
		fs = h->begin != NULL ? h->begin(h->ctx, m) : FETCH_OK;
		over = !e->lines;
		break;
	case POP3_CLIENT_TEXT:
		fs = h->text != NULL ? h->text(h->ctx, m, e->text) : FETCH_OK;
		break;
	case POP3_CLIENT_END:
		fs = h->end != NULL ? h->end(h->ctx, m) : FETCH_OK;
		over = true;
		break;
	case POP3_CLIENT_ERR:
		fs = h->refused(h->ctx, m, e);
		over = true;
		break;
	default:
		fs = dialogue_surprise(r->d, "an answer to something else", r->err);
		break;
	}
	/* What became of the message may say that it isn't chosen any more. */
	if (over)
		r->answer++;
	return fs;
}

enum fetch_status pipeline_run(struct dialogue *d, bool pipelining, enum pop3_verb verb,
			       struct listing *l, bool (*chosen)(const struct message *m),
			       const struct pipeline_handler *h, struct err *err)
{
	struct run r = {
		.d = d,
		.l = l,
		.chosen = chosen,
		.verb = verb,
		.ahead_max = pipelining ? POP3_CLIENT_AHEAD_MAX : 1,
		.h = h,
		.err = err,
	};
	enum fetch_status fs = FETCH_OK;

	r.next = r.answer = skip(&r, 0);
	while (fs == FETCH_OK) {
		enum pop3_client_status status;
		struct pop3_client_event e;

		fs = send_ahead(&r);
		r.answer = skip(&r, r.answer);
		if (fs != FETCH_OK || r.answer == l->n)
			break;
		fs = dialogue_event(d, &status, &e, err);
		if (fs == FETCH_OK)
			fs = take(&r, status, &e);
	}
	return fs;
}
