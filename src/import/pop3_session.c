/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/pop3/pop3_listing.h"
#include "net/dial.h"
#include "net/tls_client.h"
#include "client/account.h"
#include "client/dialogue.h"
#include "client/listing.h"
#include "client/login.h"
#include "import/import_date.h"
#include "import/import_server.h"

#define IDLE_MS 120000

struct import_pop3 {
	struct dialogue dialogue;
	struct account account;
	char name[64];
	struct pop3_capabilities caps;
	bool broken; /* nothing more may be said, no QUIT either */
};

static int errno_of(enum fetch_status fs)
{
	switch (fs) {
	case FETCH_OK:
		return 0;
	case FETCH_LOGIN:
		return -EACCES;
	case FETCH_LATER:
	case FETCH_BUSY:
		return -EAGAIN;
	case FETCH_INSECURE:
		return -EKEYREJECTED;
	case FETCH_PROTOCOL:
		return -EPROTO;
	case FETCH_CONFIG:
		return -EINVAL;
	case FETCH_MEMORY:
		return -ENOMEM;
	case FETCH_NO_HOST:
		return -ENXIO;
	default:
		return -EIO;
	}
}

/* A refusal leaves the session as it was; whatever else fails ends it. */
static int result_of(struct import_pop3 *s, enum fetch_status fs)
{
	switch (fs) {
	case FETCH_OK:
	case FETCH_REFUSED:
	case FETCH_LATER:
	case FETCH_UNAVAILABLE:
	case FETCH_LOGIN:
		break;
	default:
		s->broken = true;
		break;
	}
	return errno_of(fs);
}

static bool put(char *to, size_t cap, const char *from)
{
	const int n = snprintf(to, cap, "%s", from);

	return n >= 0 && (size_t)n < cap;
}

static int fill_account(struct account *a, const struct import_server *server, struct err *err)
{
	account_init(a);
	a->port = server->port;
	a->tls = server->tls == IMPORT_TLS_IMPLICIT   ? ACCOUNT_TLS_IMPLICIT
		 : server->tls == IMPORT_TLS_STARTTLS ? ACCOUNT_TLS_STLS
						      : ACCOUNT_TLS_NONE;
	if (put(a->host, sizeof(a->host), server->host) &&
	    put(a->user, sizeof(a->user), server->user) &&
	    put(a->cafile, sizeof(a->cafile), server->cafile != NULL ? server->cafile : ""))
		return 0;
	return err_set(err, EINVAL, "a name that is too long for '%s'", server->host);
}

static int log_in(struct import_pop3 *s, const char *password, struct err *err)
{
	const struct dialogue_watch nobody = {0};
	struct login_memory memory = {.refused = ""};
	struct ssl_ctx_st *tls = NULL;
	int fd;
	int r = 0;

	if (s->account.tls != ACCOUNT_TLS_NONE)
		r = tls_client_new(&(struct tls_client_options){.cafile = s->account.cafile}, &tls,
				   err);
	if (r == 0)
		r = dial(&(struct dial_options){.host = s->account.host,
						.port = account_port(&s->account),
						.proxy = s->account.proxy,
						.timeout_ms = IDLE_MS,
						.stop_fd = -1},
			 &fd, err);
	if (r == 0) {
		dialogue_open(&s->dialogue, fd, s->account.host, IDLE_MS, -1, &nobody);
		r = errno_of(
			login(&s->dialogue, &s->account, password, tls, &memory, &s->caps, err));
	}
	tls_client_free(tls);
	return r;
}

int import_pop3_open(const struct import_server *server, struct import_pop3 **ret_session,
		     struct err *err)
{
	struct import_pop3 *const s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot connect to %s", server->host);
	r = fill_account(&s->account, server, err);
	if (r == 0)
		r = log_in(s, server->password, err);
	if (r < 0) {
		dialogue_close(&s->dialogue);
		free(s);
		return r;
	}
	*ret_session = s;
	return 0;
}

/*
 * A program that greets although it has been greeted for would answer each command with the
 * answer to the one before it. CAPA takes both: its list ends at the same dot, whether one
 * line more is in front of it or not.
 */
static enum fetch_status settle(struct import_pop3 *s, struct err *err)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_ask(&s->dialogue, &(struct pop3_command){.verb = POP3_CAPA},
					    &status, &e, err);

	if (fs == FETCH_OK && status == POP3_CLIENT_ERR)
		return login_refusal(&s->dialogue, &e, err);
	while (fs == FETCH_OK && status != POP3_CLIENT_END)
		fs = dialogue_event(&s->dialogue, &status, &e, err);
	return fs;
}

int import_pop3_attach(int fd, const char *name, struct import_pop3 **ret_session, struct err *err)
{
	const struct dialogue_watch nobody = {0};
	struct import_pop3 *const s = calloc(1, sizeof(*s));
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs;

	if (s == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		free(s);
		(void)close(fd);
		return err_sys(err, ENOMEM, "cannot speak with %s", name);
	}
	(void)put(s->name, sizeof(s->name), name);
	dialogue_open(&s->dialogue, fd, s->name, IDLE_MS, -1, &nobody);
	fs = dialogue_event(&s->dialogue, &status, &e, err);
	if (fs == FETCH_OK)
		fs = settle(s, err);
	if (fs != FETCH_OK) {
		dialogue_close(&s->dialogue);
		free(s);
		return errno_of(fs);
	}
	*ret_session = s;
	return 0;
}

static enum fetch_status no_list(struct import_pop3 *s, int r, struct err *err)
{
	if (r == -ENOMEM) {
		(void)err_sys(err, ENOMEM, "cannot list the messages");
		return FETCH_MEMORY;
	}
	return dialogue_surprise(&s->dialogue, "a list that isn't one", err);
}

/* Asks, and gives each line of the answer to take(). *ret_refused: with -ERR, said in *err. */
static enum fetch_status read_list(struct import_pop3 *s, enum pop3_verb verb, struct listing *l,
				   int (*take)(struct listing *l, struct span line),
				   bool *ret_refused, struct err *err)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_ask(&s->dialogue, &(struct pop3_command){.verb = verb},
					    &status, &e, err);

	*ret_refused = fs == FETCH_OK && status == POP3_CLIENT_ERR;
	if (*ret_refused)
		return login_refusal(&s->dialogue, &e, err);
	while (fs == FETCH_OK) {
		int r;

		fs = dialogue_event(&s->dialogue, &status, &e, err);
		if (fs != FETCH_OK || status == POP3_CLIENT_END)
			break;
		r = take(l, e.text);
		if (r < 0)
			fs = no_list(s, r, err);
	}
	return fs;
}

static int take_size(struct listing *l, struct span line)
{
	uint32_t number;
	uint64_t octets;

	return pop3_listing_size(line, &number, &octets) ? listing_add(l, number, octets) : -EPROTO;
}

static int take_uidl(struct listing *l, struct span line)
{
	struct span uidl;
	uint32_t number;

	return pop3_listing_uidl(line, &number, &uidl) ? listing_set_uidl(l, number, uidl)
						       : -EPROTO;
}

static int copy_listing(const struct listing *from, struct import_listing *to)
{
	int r = 0;

	for (size_t i = 0; i < from->n && r == 0; i++) {
		const struct message *const m = &from->messages[i];

		r = import_listing_add(to,
				       &(struct import_message){.order = m->number,
								.at = m->number,
								.bytes = m->octets},
				       span_of("", 0));
		if (r == 0)
			r = import_listing_set_uidl(to, to->n - 1, listing_uidl(from, m));
	}
	return r;
}

int import_pop3_list(struct import_pop3 *s, struct import_listing *l, struct err *err)
{
	struct listing listing = {.n = 0};
	bool refused;
	enum fetch_status fs = read_list(s, POP3_LIST, &listing, take_size, &refused, err);
	int r;

	if (fs == FETCH_OK) {
		r = listing_sort(&listing);
		if (r < 0)
			fs = no_list(s, r, err);
	}
	if (fs == FETCH_OK && listing.n > 0)
		fs = read_list(s, POP3_UIDL, &listing, take_uidl, &refused, err);
	r = result_of(s, fs);
	if (fs == FETCH_REFUSED && refused)
		r = -EOPNOTSUPP;
	if (r == 0) {
		r = copy_listing(&listing, l);
		if (r < 0)
			(void)err_sys(err, -r, "cannot list the messages");
	}
	listing_done(&listing);
	return r;
}

int import_pop3_retrieve(struct import_pop3 *s, uint32_t number, struct import_text *to,
			 uint64_t *ret_arrived, struct err *err)
{
	const struct pop3_command command = {
		.verb = POP3_RETR, .has_number = true, .number = number};
	struct import_date date = {.received = 0};
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_ask(&s->dialogue, &command, &status, &e, err);

	if (fs == FETCH_OK && status == POP3_CLIENT_ERR) {
		(void)login_refusal(&s->dialogue, &e, err);
		return -ENOENT;
	}
	while (fs == FETCH_OK) {
		fs = dialogue_event(&s->dialogue, &status, &e, err);
		if (fs != FETCH_OK || status == POP3_CLIENT_END)
			break;
		import_text_put(to, e.text);
		import_date_take(&date, e.text);
	}
	*ret_arrived = import_date_end(&date);
	return result_of(s, fs);
}

void import_pop3_close(struct import_pop3 *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	struct err err;

	if (s == NULL)
		return;
	/* Nothing was marked, so whatever it says, nothing is deleted. */
	if (!s->broken)
		(void)dialogue_ask(&s->dialogue, &(struct pop3_command){.verb = POP3_QUIT}, &status,
				   &e, &err);
	dialogue_close(&s->dialogue);
	free(s);
}
