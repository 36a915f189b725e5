/* SPDX-License-Identifier: MIT */
#include "client/fetch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dial.h"
#include "net/tls_client.h"
#include "client/fetch_priv.h"
#include "client/login.h"

void fetch_remark(const struct session *s, const char *fmt, ...)
{
	const struct fetch_observer *const o = &s->options->observer;
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (o->remark == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->remark(o->ctx, text);
}

enum fetch_status fetch_state_status(int r)
{
	if (r == 0)
		return FETCH_OK;
	return r == -EBUSY ? FETCH_BUSY : r == -ENOMEM ? FETCH_MEMORY : FETCH_STATE;
}

enum fetch_status fetch_disk_status(int r)
{
	if (r == 0)
		return FETCH_OK;
	switch (-r) {
	case ENOMEM:
		return FETCH_MEMORY;
	case ECANCELED:
		return FETCH_STOPPED;
	case EHOSTDOWN:
		return FETCH_LATER;
	case EKEYREJECTED:
		return FETCH_INSECURE;
	case EINVAL:
		return FETCH_CONFIG;
	default:
		return FETCH_DISK;
	}
}

struct plan fetch_plan(struct session *s)
{
	return (struct plan){
		.state = s->state,
		.account = s->account,
		.identity = span_str(s->identity),
		.target = s->target,
		.maildir = s->maildir,
		.old_before = s->old_before,
		.listing = &s->listing,
	};
}

static int is_remembered(void *ctx, const struct message_key *key, bool *ret_is, struct err *err)
{
	const struct session *const s = ctx;

	return state_has_key(s->state, s->account, key, ret_is, err);
}

/* What is here: opened, and nobody else's for as long as this runs. */
static enum fetch_status open_here(struct session *s)
{
	const struct account *const a = s->options->account;
	int r;

	account_identity(a, s->identity);
	destination_name(a, s->place);
	r = state_open(s->options->state_file, &s->state, s->err);
	if (r == 0)
		r = state_account(s->state, s->identity, a->name, &s->account, s->err);
	if (r == 0)
		r = state_maildir(s->state, s->place, &s->maildir, s->err);
	if (r == 0)
		r = state_lock(s->state, s->account, s->err);
	if (a->delete_after > 0)
		s->old_before = (int64_t)(clock_wall_ns() / 1000000000U) - a->delete_after;
	if (r < 0)
		return fetch_state_status(r);
	return fetch_disk_status(destination_open(
		&(struct destination_options){.account = a,
					      .identity = s->identity,
					      .password = s->options->deliver_password,
					      .state_file = s->options->state_file,
					      .look_only = s->options->dry_run,
					      .stop_fd = s->options->stop_fd,
					      .is_remembered = is_remembered,
					      .ctx = s},
		&s->target, s->err));
}

static enum fetch_status dial_status(int r)
{
	switch (-r) {
	case ENXIO:
		return FETCH_NO_HOST;
	case ECANCELED:
		return FETCH_STOPPED;
	case ENOMEM:
		return FETCH_MEMORY;
	default:
		return FETCH_NETWORK;
	}
}

/* With what the last session has learned; what this one learns is kept for the next. */
static enum fetch_status log_in_as_before(struct session *s, struct ssl_ctx_st *tls)
{
	struct login_memory before;
	struct login_memory memory;
	enum fetch_status fs;
	int r = state_login(s->state, s->account, before.refused, sizeof(before.refused), s->err);

	if (r < 0)
		return fetch_state_status(r);
	memory = before;
	fs = login(&s->dialogue, s->options->account, s->options->password, tls, &memory, &s->caps,
		   s->err);
	if (fs != FETCH_OK || strcmp(before.refused, memory.refused) == 0)
		return fs;
	r = state_set_login(s->state, s->account, memory.refused, s->err);
	return fetch_state_status(r);
}

static enum fetch_status log_in(struct session *s, struct ssl_ctx_st *tls)
{
	const struct account *const a = s->options->account;
	const struct dialogue_watch watch = {
		.line = s->options->observer.line,
		.ctx = s->options->observer.ctx,
	};
	int fd;
	const int r = dial(&(struct dial_options){.host = a->host,
						  .port = account_port(a),
						  .proxy = a->proxy,
						  .timeout_ms = a->timeout * 1000,
						  .stop_fd = s->options->stop_fd},
			   &fd, s->err);

	if (r < 0)
		return dial_status(r);
	dialogue_open(&s->dialogue, fd, a->host, a->timeout * 1000, s->options->stop_fd, &watch);
	return log_in_as_before(s, tls);
}

static enum fetch_status connect_server(struct session *s)
{
	const struct account *const a = s->options->account;
	struct ssl_ctx_st *tls = NULL;
	enum fetch_status fs;

	if (a->tls != ACCOUNT_TLS_NONE &&
	    tls_client_new(&(struct tls_client_options){.cafile = a->cafile}, &tls, s->err) < 0)
		return FETCH_CONFIG;
	fs = log_in(s, tls);
	if (s->caps.login_delay)
		s->result->login_delay = s->caps.login_delay_seconds;
	tls_client_free(tls);
	return fs;
}

static enum fetch_status quit(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	const enum fetch_status fs = dialogue_ask(
		&s->dialogue, &(struct pop3_command){.verb = POP3_QUIT}, &status, &e, s->err);

	/* When nothing is to be deleted, all is done, however the server takes its leave. */
	if (s->result->pending == 0 && (fs == FETCH_OK || fs == FETCH_NETWORK))
		return FETCH_OK;
	if (fs != FETCH_OK)
		return fs;
	if (status == POP3_CLIENT_ERR) {
		/* Some may be deleted and some not (RFC 1939 section 6): the next list shows it. */
		(void)login_refusal(&s->dialogue, &e, s->err);
		return FETCH_LATER;
	}
	return fetch_deleted(s);
}

static void tell_plan(struct session *s)
{
	for (size_t i = 0; i < s->listing.n; i++) {
		const struct message *const m = &s->listing.messages[i];

		if (m->fate == FATE_FETCH)
			fetch_remark(s, "would fetch message %lu (%llu octets)",
				     (unsigned long)m->number, (unsigned long long)m->octets);
		else if (fetch_why_deleted(s, m) != NULL)
			fetch_remark(s, "would delete message %lu (%llu octets): %s",
				     (unsigned long)m->number, (unsigned long long)m->octets,
				     fetch_why_deleted(s, m));
	}
}

/* From a maildrop that is open to the end. */
static enum fetch_status transact(struct session *s)
{
	enum fetch_status fs = fetch_list(s);

	if (fs == FETCH_OK) {
		fetch_limit(s);
		fetch_look_for_deleted(s);
	}
	if (fs == FETCH_OK && s->options->dry_run) {
		tell_plan(s);
		return quit(s);
	}
	if (fs == FETCH_OK)
		fs = fetch_remember(s);
	if (fs == FETCH_OK)
		fs = fetch_retrieve(s);
	if (fs == FETCH_OK)
		fs = fetch_compare(s);
	if (fs == FETCH_OK)
		fs = fetch_delete(s);
	if (fs == FETCH_OK)
		fs = quit(s);
	return fs;
}

enum fetch_status fetch(const struct fetch_options *options, struct fetch_result *ret_result,
			struct err *err)
{
	struct session *const s = calloc(1, sizeof(*s));
	enum fetch_status fs;

	memset(ret_result, 0, sizeof(*ret_result));
	if (s == NULL) {
		(void)err_sys(err, ENOMEM, "cannot fetch");
		return FETCH_MEMORY;
	}
	s->options = options;
	s->result = ret_result;
	s->err = err;
	fs = open_here(s);
	if (fs == FETCH_OK)
		fs = connect_server(s);
	if (fs == FETCH_OK)
		fs = transact(s);
	ret_result->remaining = ret_result->listed - ret_result->deleted;
	if (fs == FETCH_OK && ret_result->deferred > 0)
		fs = FETCH_DEFERRED;
	if (fs == FETCH_OK && ret_result->refused + ret_result->undelivered > 0)
		fs = FETCH_REFUSED;
	dialogue_close(&s->dialogue);
	fetch_group_abort(s);
	header_reader_done(&s->header);
	listing_done(&s->listing);
	destination_close(s->target);
	state_close(s->state);
	free(s);
	return fs;
}
