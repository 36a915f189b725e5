/* SPDX-License-Identifier: MIT */
#include "client/login.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "codec/sasl/base64.h"
#include "client/pin.h"
#include "client/sasl_client.h"

/* What is known about the server while logging in. */
struct session {
	struct dialogue *d;
	const struct account *account;
	const char *password;
	struct pop3_capabilities caps;
	bool has_caps;               /* CAPA was answered +OK */
	char timestamp[256];         /* of the greeting, for APOP; "": none */
	struct login_memory *memory; /* Borrowed */
	struct err *err;
};

enum fetch_status login_refusal(const struct dialogue *d, const struct pop3_client_event *e,
				struct err *err)
{
	char text[DIALOGUE_TEXT_MAX + 1];
	const char *const verb = e->verb < POP3_VERBS ? pop3_command_row(e->verb)->name
						      : "connecting";

	dialogue_text(e->text, text);
	if (e->number > 0)
		(void)err_set(err, EPROTO, "%s refuses %s %lu: %s", d->stream.host, verb,
			      (unsigned long)e->number, text);
	else
		(void)err_set(err, EPROTO, "%s refuses %s: %s", d->stream.host, verb, text);
	switch (e->code) {
	case POP3_CODE_IN_USE:
	case POP3_CODE_LOGIN_DELAY:
	case POP3_CODE_SYS_TEMP:
		return FETCH_LATER;
	case POP3_CODE_SYS_PERM:
		return FETCH_UNAVAILABLE;
	case POP3_CODE_AUTH:
		return FETCH_LOGIN;
	case POP3_CODE_NONE:
	case POP3_CODES:
		break;
	}
	return FETCH_REFUSED;
}

/* Without a code, what else should it be. */
static enum fetch_status login_refused(struct session *s, const struct pop3_client_event *e)
{
	const enum fetch_status fs = login_refusal(s->d, e, s->err);

	return fs == FETCH_REFUSED ? FETCH_LOGIN : fs;
}

static enum fetch_status read_greeting(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_event(s->d, &status, &e, s->err);

	if (fs != FETCH_OK)
		return fs;
	if (status == POP3_CLIENT_ERR) {
		fs = login_refusal(s->d, &e, s->err);
		/* A server that greets with -ERR is usually too busy. */
		return fs == FETCH_REFUSED ? FETCH_LATER : fs;
	}
	if (e.timestamp.n < sizeof(s->timestamp)) {
		memcpy(s->timestamp, e.timestamp.n == 0 ? "" : e.timestamp.p, e.timestamp.n);
		s->timestamp[e.timestamp.n] = '\0';
	}
	return FETCH_OK;
}

/* Servers that don't know CAPA say -ERR: then nothing is known about them. */
static enum fetch_status read_capabilities(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_ask(s->d, &(struct pop3_command){.verb = POP3_CAPA},
					    &status, &e, s->err);

	memset(&s->caps, 0, sizeof(s->caps));
	s->has_caps = fs == FETCH_OK && status == POP3_CLIENT_OK;
	if (!s->has_caps)
		return fs;
	for (;;) {
		fs = dialogue_event(s->d, &status, &e, s->err);
		if (fs != FETCH_OK || status == POP3_CLIENT_END)
			return fs;
		if (e.octets > DIALOGUE_CAPA_MAX)
			return dialogue_surprise(s->d, "an endless list of capabilities", s->err);
		pop3_capabilities_take(&s->caps, e.text);
	}
}

/* Its certificate may be right, and somebody else's key behind it all the same. */
static enum fetch_status check_pin(struct session *s)
{
	uint8_t digest[PIN_OCTETS];
	char text[PIN_TEXT_MAX];

	if (s->account->pin[0] == '\0')
		return FETCH_OK;
	if (!stream_tls_peer_key(&s->d->stream, digest)) {
		(void)err_set(s->err, EPROTO, "%s shows no public key", s->d->stream.host);
		return FETCH_INSECURE;
	}
	if (pin_has(span_str(s->account->pin), digest))
		return FETCH_OK;
	pin_text(digest, text);
	(void)err_set(s->err, EPROTO, "the key of %s is none of those that are pinned: %s",
		      s->d->stream.host, text);
	return FETCH_INSECURE;
}

static enum fetch_status start_tls(struct session *s, struct ssl_ctx_st *ctx)
{
	const enum fetch_status fs = dialogue_start_tls(s->d, ctx, s->err);

	return fs == FETCH_OK ? check_pin(s) : fs;
}

static enum fetch_status start_stls(struct session *s, struct ssl_ctx_st *ctx)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = read_capabilities(s);

	if (fs != FETCH_OK)
		return fs;
	if (s->has_caps && !s->caps.stls) {
		(void)err_set(s->err, EPROTO,
			      "%s doesn't offer STLS; without TLS nothing is sent to it",
			      s->d->stream.host);
		return FETCH_INSECURE;
	}
	fs = dialogue_ask(s->d, &(struct pop3_command){.verb = POP3_STLS}, &status, &e, s->err);
	if (fs != FETCH_OK)
		return fs;
	if (status == POP3_CLIENT_ERR) {
		fs = login_refusal(s->d, &e, s->err);
		return fs == FETCH_LATER ? fs : FETCH_INSECURE;
	}
	/* What came in clear may have been anybody's. */
	s->timestamp[0] = '\0';
	return start_tls(s, ctx);
}

static enum fetch_status user_pass(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	enum fetch_status fs = dialogue_ask(
		s->d, &(struct pop3_command){.verb = POP3_USER, .user = span_str(s->account->user)},
		&status, &e, s->err);

	if (fs == FETCH_OK && status == POP3_CLIENT_OK)
		fs = dialogue_ask(s->d,
				  &(struct pop3_command){.verb = POP3_PASS,
							 .password = span_str(s->password)},
				  &status, &e, s->err);
	if (fs != FETCH_OK)
		return fs;
	return status == POP3_CLIENT_OK ? FETCH_OK : login_refused(s, &e);
}

static enum fetch_status apop(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	char digest[APOP_DIGEST_MAX];
	enum fetch_status fs;

	if (!sasl_apop_digest(span_str(s->timestamp), s->password, digest)) {
		(void)err_set(s->err, EINVAL, "APOP needs MD5, which OpenSSL doesn't offer here");
		return FETCH_CONFIG;
	}
	fs = dialogue_ask(s->d,
			  &(struct pop3_command){.verb = POP3_APOP,
						 .user = span_str(s->account->user),
						 .digest = span_str(digest)},
			  &status, &e, s->err);
	secret_wipe(digest, sizeof(digest));
	if (fs != FETCH_OK)
		return fs;
	return status == POP3_CLIENT_OK ? FETCH_OK : login_refused(s, &e);
}

#define RESPONSE_MAX BASE64_ENCODED(LIMIT_USER + LIMIT_PASSWORD + 512)

/*
 * The command, with the first response in it when there is one and it fits (RFC 5034
 * section 4); *ret_waits says that it is still to be sent.
 */
static enum fetch_status begin_auth(struct session *s, const struct sasl_way *way,
				    struct span initial, bool *ret_waits)
{
	struct pop3_command command = {
		.verb = POP3_AUTH,
		.mechanism = span_str(way->mechanism),
	};
	const size_t line = strlen("AUTH ") + command.mechanism.n + 1 + initial.n + 2;

	command.has_initial = way->client_first && line <= LIMIT_POP3_COMMAND;
	if (command.has_initial)
		command.initial = initial;
	*ret_waits = way->client_first && !command.has_initial;
	return dialogue_send(s->d, &command, s->err);
}

/* "*": the exchange ends with -ERR, and that isn't what went wrong. */
static enum fetch_status cancel(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;

	(void)dialogue_respond(s->d, SPAN_LIT("*"), NULL);
	(void)dialogue_event(s->d, &status, &e, NULL);
	(void)err_set(s->err, EPROTO, "%s: a challenge that makes no sense", s->d->stream.host);
	return FETCH_PROTOCOL;
}

static enum fetch_status answer(struct session *s, struct sasl_client *c, struct span challenge)
{
	char octets[BASE64_DECODED(LIMIT_POP3_REPLY)];
	char base64[RESPONSE_MAX];
	struct out in = {.p = octets, .cap = sizeof(octets)};
	struct out out = {.p = base64, .cap = sizeof(base64)};
	enum fetch_status fs;
	struct span response;

	if (base64_decode(&in, challenge) != BASE64_OK ||
	    !sasl_client_step(c, out_span(&in), &response) || !base64_encode(&out, response))
		return cancel(s);
	fs = dialogue_respond(s->d, out_span(&out), s->err);
	secret_wipe(base64, out.n);
	return fs;
}

static enum fetch_status exchange(struct session *s, const struct sasl_way *way,
				  struct sasl_client *c, struct span initial)
{
	enum pop3_client_status status;
	struct pop3_client_event e;
	bool initial_waits;
	enum fetch_status fs = begin_auth(s, way, initial, &initial_waits);

	while (fs == FETCH_OK) {
		fs = dialogue_event(s->d, &status, &e, s->err);
		if (fs != FETCH_OK)
			break;
		if (status == POP3_CLIENT_ERR)
			return login_refused(s, &e);
		if (status == POP3_CLIENT_OK)
			break;
		if (initial_waits) {
			initial_waits = false;
			fs = dialogue_respond(s->d, initial, s->err);
		} else {
			fs = answer(s, c, e.text);
		}
	}
	if (fs == FETCH_OK && !sasl_client_done(c)) {
		(void)err_set(s->err, EPROTO, "%s hasn't shown that it knows the password",
			      s->d->stream.host);
		return FETCH_INSECURE;
	}
	return fs;
}

static enum fetch_status sasl(struct session *s, const struct sasl_way *way)
{
	struct sasl_client *const c = sasl_client_new(way, s->account->user, s->password,
						      s->account->host);
	char base64[RESPONSE_MAX];
	struct out out = {.p = base64, .cap = sizeof(base64)};
	struct span response = span_of("", 0);
	enum fetch_status fs;

	if (c == NULL || (way->client_first && (!sasl_client_step(c, span_of("", 0), &response) ||
						!base64_encode(&out, response)))) {
		(void)err_set(s->err, EINVAL, "%s can't be done with this user and password",
			      way->mechanism);
		fs = FETCH_CONFIG;
	} else {
		fs = exchange(s, way, c, out_span(&out));
	}
	secret_wipe(base64, out.n);
	sasl_client_free(c);
	return fs;
}

static bool offered(const struct session *s, const struct sasl_way *way)
{
	return pop3_capabilities_has_mechanism(&s->caps, span_str(way->mechanism));
}

static bool is_tls(const struct session *s)
{
	return stream_is_tls(&s->d->stream);
}

/* The best SASL mechanism that sends the password, or doesn't. */
static const struct sasl_way *best(const struct session *s, bool sends_password)
{
	const struct sasl_way *way;

	for (unsigned i = 0; (way = sasl_way_at(i)) != NULL; i++) {
		if (way->sends_password == sends_password && offered(s, way))
			return way;
	}
	return NULL;
}

static enum fetch_status with_password(struct session *s)
{
	const struct sasl_way *const way = best(s, true);

	return way != NULL ? sasl(s, way) : user_pass(s);
}

static enum fetch_status as_configured(struct session *s, const char *auth)
{
	const struct sasl_way *way;

	if (strcmp(auth, "user") == 0)
		return user_pass(s);
	if (strcmp(auth, "apop") == 0) {
		if (s->timestamp[0] != '\0')
			return apop(s);
		(void)err_set(s->err, EPROTO, "%s doesn't offer APOP", s->d->stream.host);
		return FETCH_UNAVAILABLE;
	}
	for (unsigned i = 0; (way = sasl_way_at(i)) != NULL; i++) {
		if (strcmp(way->option, auth) == 0)
			return sasl(s, way);
	}
	/* The table of options has no other words. */
	assert(false);
	return FETCH_CONFIG;
}

/* The best way, and in TLS the second best when that is refused. */
static enum fetch_status automatically(struct session *s)
{
	const struct sasl_way *const way = best(s, false);
	const struct span offer = span_of(s->caps.sasl_mechanisms, s->caps.sasl_mechanisms_n);
	struct login_memory *const memory = s->memory;
	enum fetch_status fs;

	if (way == NULL)
		return !is_tls(s) && s->timestamp[0] != '\0' ? apop(s) : with_password(s);
	if (!is_tls(s))
		return sasl(s, way);
	/* Another offer may be another server, or one that was taught something: ask it. */
	if (span_eq(offer, span_str(memory->refused)))
		return with_password(s);
	memory->refused[0] = '\0';
	fs = sasl(s, way);
	if (fs != FETCH_LOGIN)
		return fs;
	fs = with_password(s);
	if (fs == FETCH_OK && offer.n < sizeof(memory->refused)) {
		memcpy(memory->refused, offer.p, offer.n);
		memory->refused[offer.n] = '\0';
	}
	return fs;
}

static enum fetch_status authenticate(struct session *s)
{
	return strcmp(s->account->auth, "auto") == 0 ? automatically(s)
						     : as_configured(s, s->account->auth);
}

/*
 * Mail with UTF-8 in its header as it is, and not as it is made fit for programs that can't
 * read that (RFC 6856). A server that refuses has nothing else to give.
 */
static enum fetch_status say_utf8(struct session *s)
{
	enum pop3_client_status status;
	struct pop3_client_event e;

	return s->caps.utf8 ? dialogue_ask(s->d, &(struct pop3_command){.verb = POP3_UTF8}, &status,
					   &e, s->err)
			    : FETCH_OK;
}

enum fetch_status login(struct dialogue *d, const struct account *a, const char *password,
			struct ssl_ctx_st *ctx, struct login_memory *memory,
			struct pop3_capabilities *ret_capabilities, struct err *err)
{
	struct session s = {
		.d = d, .account = a, .password = password, .memory = memory, .err = err};
	enum fetch_status fs = FETCH_OK;

	if (a->tls == ACCOUNT_TLS_IMPLICIT)
		fs = start_tls(&s, ctx);
	if (fs == FETCH_OK)
		fs = read_greeting(&s);
	if (fs == FETCH_OK && a->tls == ACCOUNT_TLS_STLS)
		fs = start_stls(&s, ctx);
	if (fs == FETCH_OK)
		fs = read_capabilities(&s);
	if (fs == FETCH_OK)
		fs = say_utf8(&s);
	if (fs != FETCH_OK)
		return fs;
	/* Whatever happened above: here is where the password goes out. */
	assert(a->tls == ACCOUNT_TLS_NONE || stream_is_tls(&d->stream));
	fs = authenticate(&s);
	if (fs == FETCH_OK)
		fs = read_capabilities(&s);
	if (fs == FETCH_OK)
		*ret_capabilities = s.caps;
	return fs;
}
