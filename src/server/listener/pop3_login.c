/* SPDX-License-Identifier: MIT */
/*
 * The AUTHORIZATION state: every way to prove who you are, and what may be said
 * without TLS.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "codec/sasl/sasl_frame.h"
#include "server/listener/pop3_session_priv.h"

/* A SASL mechanism that auth knows. */
struct mechanism {
	const char *name;
	/*
	 * Only where nobody can listen: the password itself is sent, or what somebody who
	 * hears it can try passwords against for as long as they like (RFC 7677 section 4).
	 */
	bool is_private;
	bool stored_clear;   /* needs {PLAIN} secrets: only with the apop option */
	bool by_keys;        /* that are kept of the password */
	bool binds;          /* to the TLS connection */
	bool takes_token;    /* only where tokens can be verified */
	bool by_certificate; /* only for who has shown one */
};

static const struct mechanism mechanisms[] = {
	{.name = "SCRAM-SHA-256-PLUS", .is_private = true, .by_keys = true, .binds = true},
	{.name = "SCRAM-SHA-1-PLUS", .is_private = true, .by_keys = true, .binds = true},
	{.name = "SCRAM-SHA-256", .is_private = true, .by_keys = true},
	{.name = "SCRAM-SHA-1", .is_private = true, .by_keys = true},
	{.name = "EXTERNAL", .by_certificate = true},
	{.name = "OAUTHBEARER", .is_private = true, .takes_token = true},
	{.name = "XOAUTH2", .is_private = true, .takes_token = true},
	{.name = "PLAIN", .is_private = true},
	{.name = "LOGIN", .is_private = true},
	{.name = "CRAM-MD5", .stored_clear = true},
};

#define N_MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

static struct ipc_binding binding_of(const struct pop3_session *p)
{
	struct ipc_binding b = {.kind = IPC_BINDING_NONE};
	size_t n = 0;

	switch (conn_tls_binding(&p->base.conn, b.octets, &n)) {
	case CONN_BINDING_TLS_UNIQUE:
		b.kind = IPC_BINDING_TLS_UNIQUE;
		break;
	case CONN_BINDING_TLS_EXPORTER:
		b.kind = IPC_BINDING_TLS_EXPORTER;
		break;
	case CONN_BINDING_NONE:
		break;
	}
	b.n = (uint32_t)n;
	return b;
}

static struct ipc_end_point end_point_of(const struct pop3_session *p)
{
	struct ipc_end_point e = {.n = 0};

	e.n = (uint32_t)conn_tls_end_point(&p->base.conn, e.octets);
	return e;
}

static bool can_bind(const struct pop3_session *p)
{
	return binding_of(p).kind != IPC_BINDING_NONE || end_point_of(p).n > 0;
}

static bool has_certificate(const struct pop3_session *p)
{
	uint8_t der[IPC_CERTIFICATE_MAX];

	return p->base.listener->config->tls_client_ca[0] != '\0' &&
	       conn_tls_client_certificate(&p->base.conn, der, sizeof(der)) > 0;
}

/* By all but whether somebody could listen. */
static bool is_possible(const struct pop3_session *p, const struct mechanism *m)
{
	return (!m->stored_clear || config_offers_apop(p->base.listener->config)) &&
	       (!m->by_keys || config_keeps_secrets(p->base.listener->config)) &&
	       (!m->takes_token || config_has_oauth(p->base.listener->config)) &&
	       (!m->binds || can_bind(p)) && (!m->by_certificate || has_certificate(p));
}

static bool is_offered(const struct pop3_session *p, const struct mechanism *m)
{
	return (!m->is_private || session_is_private(&p->base)) && is_possible(p, m);
}

/* "PLAIN LOGIN", as much as is offered now. */
static struct span offered(const struct pop3_session *p, char *text, size_t size)
{
	struct out o = {.p = text, .cap = size};

	for (size_t i = 0; i < N_MECHANISMS; i++) {
		if (!is_offered(p, &mechanisms[i]))
			continue;
		const bool fits = (o.n == 0 || out_char(&o, ' ')) &&
				  out_put(&o, span_str(mechanisms[i].name));

		assert(fits);
		(void)fits;
	}
	return out_span(&o);
}

static bool may_start_tls(const struct pop3_session *p)
{
	return p->base.listener->tls != NULL && !conn_is_tls(&p->base.conn);
}

void pop3_capa(struct pop3_session *p)
{
	char names[128];
	const struct config *const config = p->base.listener->config;
	const bool known = p->state == POP3_TRANSACTION;
	const struct pop3_capa capa = {
		.state = p->state,
		.language = p->language,
		.stls = may_start_tls(p),
		.user = session_is_private(&p->base),
		.sasl = offered(p, names, sizeof(names)),
		.login_delay = known ? p->login_delay : config_bounds(config).login_delay,
		.expire_days = known ? p->expire_days : config_bounds(config).expire_days,
		.by_user = !known,
		.implementation = SPAN_LIT("restante"),
	};
	const bool fits = pop3_reply_capa(&p->base.out, &capa);

	assert(fits);
	(void)fits;
}

/* RFC 1939 section 7: different in each greeting, which is what APOP rests on. */
void pop3_timestamp(const struct pop3_session *p, char *text, size_t size)
{
	(void)snprintf(text, size, "<%016llx.%llu@%.63s>", (unsigned long long)p->stamp[0],
		       (unsigned long long)p->stamp[1], p->base.listener->config->hostname);
}

/* ---- what auth is asked ---- */

static void ask(struct pop3_session *p, const union ipc_msg *m)
{
	/* Without storage nobody can log in, and nobody would tell us when it is back. */
	if (p->base.listener->storage == NULL || !session_send(&p->base, IPC_AUTH, m)) {
		pop3_login_failed(p, IPC_TEMPORARY, "", "");
		return;
	}
	p->waiting = POP3_WAIT_LOGIN;
}

/* The text becomes a C string: the codec lets no NUL through, and no name of this length. */
static void copy(char *to, size_t size, struct span from)
{
	assert(from.n < size);
	memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

static bool is_private(struct pop3_session *p, enum pop3_verb verb)
{
	const struct span name = span_str(pop3_command_row(verb)->name);

	if (session_is_private(&p->base))
		return true;
	pop3_err_with(p, POP3_CODE_NONE,
		      may_start_tls(p) ? "{1}: not without TLS, say STLS first"
				       : "{1}: not without TLS",
		      &name, 1);
	return false;
}

static void do_user(struct pop3_session *p, const struct pop3_command *c)
{
	if (!is_private(p, POP3_USER))
		return;
	/* The same words for every name: who exists is nobody's business. */
	copy(p->user, sizeof(p->user), c->user);
	pop3_ok(p, "now PASS");
}

static void do_pass(struct pop3_session *p, const struct pop3_command *c)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (!is_private(p, POP3_PASS))
		return;
	if (p->user[0] == '\0') {
		pop3_err(p, POP3_CODE_NONE, "PASS: say USER first");
		pop3_count_bad(p);
		return;
	}
	ipc_start(m, IPC_AUTH_PASS, p->base.id);
	session_origin(&p->base, &m->pass.origin);
	copy(m->pass.user, sizeof(m->pass.user), span_str(p->user));
	copy(m->pass.password, sizeof(m->pass.password), c->password);
	p->mechanism = "USER";
	/* After a failed PASS, USER comes again (RFC 1939 section 7). */
	p->user[0] = '\0';
	ask(p, m);
	secret_wipe(&m->pass, sizeof(m->pass));
}

static void do_apop(struct pop3_session *p, const struct pop3_command *c)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (!config_offers_apop(p->base.listener->config)) {
		pop3_err(p, POP3_CODE_NONE, "APOP is not offered here");
		return;
	}
	ipc_start(m, IPC_AUTH_APOP, p->base.id);
	session_origin(&p->base, &m->apop.origin);
	copy(m->apop.user, sizeof(m->apop.user), c->user);
	copy(m->apop.digest, sizeof(m->apop.digest), c->digest);
	pop3_timestamp(p, m->apop.timestamp, sizeof(m->apop.timestamp));
	p->mechanism = "APOP";
	ask(p, m);
}

static void do_stls(struct pop3_session *p)
{
	if (conn_is_tls(&p->base.conn)) {
		pop3_err(p, POP3_CODE_NONE, "STLS: TLS is active already");
	} else if (!may_start_tls(p)) {
		pop3_err(p, POP3_CODE_NONE, "STLS is not offered here");
	} else {
		pop3_ok(p, "begin TLS");
		p->stls = true;
	}
}

/* ---- AUTH ---- */

static const struct mechanism *find_mechanism(struct span name)
{
	for (size_t i = 0; i < N_MECHANISMS; i++) {
		if (span_eq_nocase(name, span_str(mechanisms[i].name)))
			return &mechanisms[i];
	}
	return NULL;
}

static void list_mechanisms(struct pop3_session *p)
{
	char names[128];
	const bool fits = pop3_reply_mechanisms(&p->base.out, p->language,
						offered(p, names, sizeof(names)));

	assert(fits);
	(void)fits;
}

/* True: the message is ready to go. False: -ERR was said, and what was decoded is wiped. */
static bool frame_is_good(struct pop3_session *p, enum sasl_frame_status status)
{
	struct ipc_sasl *const m = &p->base.listener->msg.sasl;

	if (status != SASL_FRAME_OK)
		secret_wipe(m->data, sizeof(m->data));
	switch (status) {
	case SASL_FRAME_OK:
		return true;
	case SASL_FRAME_CANCEL:
		pop3_err(p, POP3_CODE_NONE, "AUTH was cancelled");
		break;
	case SASL_FRAME_BAD:
		pop3_err(p, POP3_CODE_NONE, "AUTH: this is not base64");
		break;
	case SASL_FRAME_TOO_LONG:
		pop3_err(p, POP3_CODE_NONE, "AUTH: this is too long");
		break;
	}
	pop3_count_bad(p);
	return false;
}

/* RFC 4422 appendix A: who the client wants to be, or nothing, is all that there is to say. */
static void ask_external(struct pop3_session *p, struct span authzid)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (span_find(authzid, '\0') < authzid.n) {
		pop3_login_failed(p, IPC_BAD_SASL, "", "");
		return;
	}
	ipc_start(m, IPC_AUTH_EXTERNAL, p->base.id);
	session_origin(&p->base, &m->external.origin);
	copy(m->external.authzid, sizeof(m->external.authzid), authzid);
	m->external.n = (uint32_t)conn_tls_client_certificate(
		&p->base.conn, m->external.certificate, sizeof(m->external.certificate));
	ask(p, m);
}

/* Its one challenge is empty and always the same, so auth isn't asked for it. */
static void do_external(struct pop3_session *p, const struct pop3_command *c)
{
	char text[LIMIT_USER];
	struct out authzid = {.p = text, .cap = sizeof(text)};

	if (!c->has_initial) {
		const bool fits = sasl_frame_challenge(&p->base.out, SPAN_LIT("+ "),
						       span_of(NULL, 0));

		assert(fits);
		(void)fits;
		p->in_sasl = p->in_external = true;
	} else if (frame_is_good(p, sasl_frame_initial(&authzid, c->initial))) {
		ask_external(p, out_span(&authzid));
	}
}

static void external_line(struct pop3_session *p, struct span line)
{
	char text[LIMIT_USER];
	struct out authzid = {.p = text, .cap = sizeof(text)};

	p->in_sasl = p->in_external = false;
	if (frame_is_good(p, sasl_frame_response(&authzid, line)))
		ask_external(p, out_span(&authzid));
}

static void do_auth(struct pop3_session *p, const struct pop3_command *c)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (c->mechanism.n == 0) {
		list_mechanisms(p);
		return;
	}

	const struct mechanism *const mechanism = find_mechanism(c->mechanism);

	if (mechanism == NULL || !is_possible(p, mechanism)) {
		pop3_err(p, POP3_CODE_NONE, "AUTH: this mechanism is not offered here");
		pop3_count_bad(p);
		return;
	}
	if (mechanism->is_private && !is_private(p, POP3_AUTH))
		return;
	p->mechanism = mechanism->name;
	if (mechanism->by_certificate) {
		do_external(p, c);
		return;
	}
	ipc_start(m, IPC_AUTH_SASL_START, p->base.id);
	if (c->has_initial) {
		struct out data = {.p = m->sasl.data, .cap = sizeof(m->sasl.data)};

		if (!frame_is_good(p, sasl_frame_initial(&data, c->initial)))
			return;
		m->sasl.has_initial = 1;
		m->sasl.n = (uint32_t)data.n;
	}
	session_origin(&p->base, &m->sasl.origin);
	m->sasl.binding = binding_of(p);
	m->sasl.end_point = end_point_of(p);
	copy(m->sasl.mechanism, sizeof(m->sasl.mechanism), span_str(mechanism->name));
	ask(p, m);
	secret_wipe(m->sasl.data, m->sasl.n);
}

/* The exchange is over for us; auth forgets it, and what it may still say is nobody's. */
static void abandon(struct pop3_session *p)
{
	p->in_sasl = p->in_external = false;
	session_renew_id(&p->base);
}

void pop3_sasl_line(struct pop3_session *p, enum line_status status, struct span line)
{
	union ipc_msg *const m = &p->base.listener->msg;
	struct out data = {.p = m->sasl.data, .cap = sizeof(m->sasl.data)};

	if (status == LINE_TOO_LONG) {
		abandon(p);
		(void)frame_is_good(p, SASL_FRAME_TOO_LONG);
		return;
	}
	if (p->in_external) {
		external_line(p, line);
		return;
	}
	ipc_start(m, IPC_AUTH_SASL_STEP, p->base.id);

	const enum sasl_frame_status frame = sasl_frame_response(&data, line);

	if (frame != SASL_FRAME_OK) {
		abandon(p);
		(void)frame_is_good(p, frame);
		return;
	}
	session_origin(&p->base, &m->sasl.origin);
	m->sasl.n = (uint32_t)data.n;
	p->in_sasl = false;
	ask(p, m);
	secret_wipe(m->sasl.data, m->sasl.n);
}

void pop3_challenge(struct pop3_session *p, const struct ipc_sasl *m)
{
	const struct span data = span_of(m->data, m->n);

	if (sasl_frame_challenge(&p->base.out, SPAN_LIT("+ "), data)) {
		p->in_sasl = true;
		return;
	}
	/* No mechanism that we offer says so much. */
	abandon(p);
	pop3_login_failed(p, IPC_PERMANENT, "", "");
}

/* ---- how it went ---- */

void pop3_count_login(const struct pop3_session *p, enum metric_result result)
{
	static const struct {
		const char *begins;
		enum metric_login by;
	} rows[] = {
		{"USER", METRIC_BY_USER},         {"APOP", METRIC_BY_APOP},
		{"PLAIN", METRIC_BY_PLAIN},       {"LOGIN", METRIC_BY_LOGIN},
		{"CRAM-MD5", METRIC_BY_CRAM_MD5}, {"SCRAM-", METRIC_BY_SCRAM},
	};
	enum metric_login by = METRIC_BY_OTHER;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (p->mechanism != NULL &&
		    strncmp(p->mechanism, rows[i].begins, strlen(rows[i].begins)) == 0)
			by = rows[i].by;
	}
	metric_add(METRIC_LOGIN + by * METRIC_RESULTS + result, 1);
}

static enum metric_result result_of(enum ipc_status status)
{
	return status == IPC_BAD_CREDENTIALS || status == IPC_BAD_SASL || status == IPC_NO_USER
		       ? METRIC_REFUSED
		       : METRIC_TEMPORARY;
}

void pop3_login_failed(struct pop3_session *p, enum ipc_status status, const char *user,
		       const char *device)
{
	static const struct {
		enum pop3_code code;
		const char *text;
	} replies[IPC_STATUSES] = {
		[IPC_OK] = {POP3_CODE_SYS_TEMP, "try again later"},
		[IPC_BAD_CREDENTIALS] = {POP3_CODE_AUTH, "wrong name or password"},
		[IPC_BAD_SASL] = {POP3_CODE_NONE, "AUTH: the exchange went wrong"},
		[IPC_TOO_MANY] = {POP3_CODE_SYS_TEMP, "too many logins, try again later"},
		[IPC_IN_USE] = {POP3_CODE_IN_USE, "another session has this maildrop open"},
		[IPC_TEMPORARY] = {POP3_CODE_SYS_TEMP, "cannot log in now, try again later"},
		[IPC_PERMANENT] = {POP3_CODE_SYS_PERM,
				   "cannot log in: the server's operator must mend something"},
		[IPC_NO_SPACE] = {POP3_CODE_SYS_TEMP, "no space left, try again later"},
		[IPC_NO_USER] = {POP3_CODE_AUTH, "wrong name or password"},
		[IPC_LOGIN_DELAY] = {POP3_CODE_LOGIN_DELAY, "too soon after the last login"},
		[IPC_OVER_QUOTA] = {POP3_CODE_SYS_TEMP, "try again later"},
		[IPC_GONE] = {POP3_CODE_SYS_TEMP, "try again later"},
	};

	p->in_sasl = p->in_external = false;
	pop3_count_login(p, result_of(status));
	if (user != NULL)
		log_event(LOG_LEVEL_INFO, "login-failed", log_hex("session", p->base.log_id),
			  log_str(user[0] != '\0' ? "user" : NULL, user),
			  log_str(device[0] != '\0' ? "device" : NULL, device),
			  log_str("remote", p->base.remote), log_str("mechanism", p->mechanism),
			  log_str("status", ipc_status_name(status)));
	pop3_err(p, replies[status].code, replies[status].text);
	/* Of what is our own fault, a client may try as much as it has time for. */
	if (status == IPC_BAD_CREDENTIALS || status == IPC_BAD_SASL || status == IPC_NO_USER)
		pop3_count_bad(p);
}

void pop3_login_command(struct pop3_session *p, const struct pop3_command *c)
{
	switch (c->verb) {
	case POP3_USER:
		do_user(p, c);
		break;
	case POP3_PASS:
		do_pass(p, c);
		break;
	case POP3_APOP:
		do_apop(p, c);
		break;
	case POP3_AUTH:
		do_auth(p, c);
		break;
	case POP3_STLS:
		do_stls(p);
		break;
	case POP3_UTF8:
		p->utf8 = true;
		pop3_ok(p, "UTF8 it is");
		break;
	default:
		/* The codec lets no other verb through in this state. */
		assert(c->verb == POP3_QUIT);
		pop3_ok(p, "good bye");
		pop3_hang_up(p, NULL);
		break;
	}
}
