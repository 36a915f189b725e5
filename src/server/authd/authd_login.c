/* SPDX-License-Identifier: MIT */
/*
 * From a name and a proof to a grant. A user who doesn't exist goes the same way
 * as one who does, with somebody else's hash; only what is logged differs.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "auth/app_password_use.h"
#include "server/authd/authd_priv.h"

static void log_failure(const struct request *r, const char *reason)
{
	log_event(LOG_LEVEL_INFO, "login-failed", log_hex("session", r->id),
		  log_str("user", r->login->user), log_str("remote", r->login->origin.remote),
		  log_str("method", r->login->how), log_str("reason", reason));
}

void login_refuse(struct request *r, enum ipc_status status, const char *reason)
{
	/* Perhaps it is right by now, and only the database knows. */
	if (r->login->away && status == IPC_BAD_CREDENTIALS) {
		status = IPC_TEMPORARY;
		reason = "users-unreadable";
	}
	if (status == IPC_BAD_CREDENTIALS) {
		authd_guard_failed(r, reason, r->login->password);
		authd_delay_refuse(r, status);
		return;
	}
	log_failure(r, reason);
	request_refuse(r, status);
}

void login_call(struct request *r, const char *user)
{
	struct login *l = r->login;

	memset(l->user, 0, sizeof(l->user));
	memcpy(l->user, user, strlen(user));
	login_name_read(l->user, config_device_separator(authd_config(r->ad)), &l->name);
	l->device[0] = '\0';
}

bool login_is_wanted(const struct request *r, const char *user)
{
	const struct login_name *wanted = &r->login->name;

	return wanted->whole[0] == '\0' || authd_is_same_user(r->ad, user, wanted->whole) ||
	       (wanted->device[0] != '\0' && authd_is_same_user(r->ad, user, wanted->user));
}

void login_prove(struct request *r, const char *user)
{
	struct login *l = r->login;
	const bool recent = l->name.recent;

	if (!authd_is_same_user(r->ad, user, l->name.whole))
		memcpy(l->device, l->name.device, sizeof(l->device));
	login_name_of_user(user, &l->name);
	l->name.recent = recent;
	memcpy(l->user, l->name.user, sizeof(l->user));
}

void login_look_up(struct request *r, userdb_done *done)
{
	r->login->query = (struct userdb_query){
		.owner = r,
		.done = done,
		.place = r->login->place,
	};
	userdb_lookup_name(r->ad->userdb, &r->login->query, &r->login->name);
}

/* So that the next login can be, should the database be away by then. */
static void know(struct request *r)
{
	const struct login *l = r->login;
	const uint64_t now = clock_mono_ms();
	const uint64_t seconds = authd_config(r->ad)->auth_cache_seconds;

	if (l->has_record && !l->away && userdb_may_be_away(r->ad->userdb))
		known_users_put(r->ad->known, l->device[0] != '\0' ? l->name.user : l->name.whole,
				&l->record, now, now + seconds * 1000);
}

/*
 * A client that is a moment early hears its +OK a moment later: its user would hear of a
 * refusal, and not know what to make of it.
 */
#define EARLY_MAX_MS 10000

static void grant_again(struct request *r);

/* Whose logins it is too soon after: no device's name has a ':'. */
static const char *view_of(const struct maildrop_rules *rules)
{
	return rules->recent_days != 0 ? "recent:" : rules->device;
}

/*
 * RFC 2449 section 6.5. False: it is too soon after the last login, and the request waits or
 * was refused.
 */
static bool delay_is_over(struct request *r)
{
	struct maildrop_rules rules;
	const uint64_t now = clock_mono_ms();

	/* What is wrong with the rules, grant_open() finds and says. */
	if (!grant_rules(r, &rules) || rules.login_delay == 0)
		return true;

	const uint64_t last = login_times_get(r->ad->times, r->login->record.name, view_of(&rules));
	const uint64_t next = last + (uint64_t)rules.login_delay * 1000;

	if (last == 0 || next <= now)
		return true;
	if (next - now <= EARLY_MAX_MS)
		authd_delay_until(r, next, grant_again);
	else
		login_refuse(r, IPC_LOGIN_DELAY, "login-delay");
	return false;
}

static void note_login(const struct request *r)
{
	struct maildrop_rules rules;

	if (grant_rules(r, &rules) && rules.login_delay != 0)
		login_times_put(r->ad->times, r->login->record.name, view_of(&rules),
				clock_mono_ms());
}

/* "recent:" of who has no such login. Others could take it for all of the mail. */
static bool has_such_login(struct request *r)
{
	struct maildrop_rules rules;

	/* What is wrong with the rules, grant_open() finds and says. */
	if (!r->login->name.recent || !grant_rules(r, &rules) || rules.recent_days != 0)
		return true;
	login_refuse(r, IPC_PERMANENT, "recent-is-off");
	return false;
}

static void log_verified(const struct request *r)
{
	const struct login *l = r->login;
	const char *device = l->app.device[0] != '\0' ? l->app.device : l->device;

	log_event(LOG_LEVEL_DEBUG, "login-verified", log_hex("session", r->id),
		  log_str("user", l->record.name),
		  log_str(device[0] != '\0' ? "device" : NULL, device),
		  log_str("remote", l->origin.remote), log_str("method", l->how),
		  log_str(l->app.name[0] != '\0' ? "app_password" : NULL, l->app.name),
		  log_num("away", l->away), log_num("remembered", l->remembered));
}

void login_grant(struct request *r, bool remembered)
{
	authd_guard_let_in(r);
	r->login->remembered = remembered;
	if (!has_such_login(r) || !delay_is_over(r))
		return;

	const enum ipc_status status = grant_open(r);

	if (status != IPC_OK) {
		/* Why is in the log already. */
		request_refuse(r, status);
		return;
	}
	note_login(r);
	log_verified(r);
	know(r);
	request_free(r);
}

/* Others of the user's may have been let in meanwhile: everything is looked at anew. */
static void grant_again(struct request *r)
{
	login_grant(r, r->login->remembered);
}

/* While the database is away: who was let in under this name, or is the user of this device. */
static bool find_known(struct request *r)
{
	const uint64_t now = clock_mono_ms();
	struct login *l = r->login;

	if (known_users_get(r->ad->known, l->name.whole, now, &l->record))
		return true;
	if (l->name.device[0] == '\0' ||
	    !known_users_get(r->ad->known, l->name.user, now, &l->record))
		return false;
	memcpy(l->device, l->name.device, sizeof(l->device));
	return true;
}

bool login_take_user(struct request *r, enum userdb_status status, const struct user_record *record)
{
	struct login *l = r->login;

	authd_users_found(r->ad, status);
	l->away = status == USERDB_AWAY;
	if (l->away) {
		l->has_record = find_known(r);
		if (l->has_record)
			return true;
		login_refuse(r, IPC_TEMPORARY, "users-unreadable");
		return false;
	}

	const bool is_device = status == USERDB_FOUND && userdb_is_device(&l->query);

	known_users_compare(r->ad->known, l->name.whole, is_device ? NULL : record);
	if (is_device || (status == USERDB_UNKNOWN && l->name.device[0] != '\0'))
		known_users_compare(r->ad->known, l->name.user, record);
	if (is_device)
		memcpy(l->device, l->name.device, sizeof(l->device));
	l->has_record = status == USERDB_FOUND;
	if (l->has_record)
		l->record = *record;
	return true;
}

/* ---- a password ---- */

/* One of those that the user has for a program, whatever the user's own is. */
static bool is_app_password(struct request *r)
{
	struct authd *ad = r->ad;
	struct login *l = r->login;

	if (ad->apps == NULL || !app_passwords_find(ad->apps, l->record.name, l->password, &l->app))
		return false;
	if ((l->app.services & APP_PASSWORD_POP3) != 0 && ad->apps_used >= 0)
		app_password_use_note(ad->apps_used, l->app.slot, l->app.hash,
				      clock_wall_ns() / 1000000000);
	return true;
}

static bool is_remembered(struct request *r)
{
	struct authd *ad = r->ad;
	struct login *l = r->login;

	if (authd_config(ad)->auth_cache_seconds == 0)
		return false;
	l->has_key = auth_cache_key(ad->cache, l->record.name, l->record.secret, l->password,
				    &l->key);
	return l->has_key && auth_cache_has(ad->cache, &l->key, clock_mono_ms());
}

static void remember(struct request *r)
{
	const uint64_t now = clock_mono_ms();
	const uint64_t seconds = authd_config(r->ad)->auth_cache_seconds;

	if (r->login->has_key)
		auth_cache_put(r->ad->cache, &r->login->key, now, now + seconds * 1000);
}

/* By the database, which keeps to itself how. */
static void on_password_verified(struct userdb_query *q, enum userdb_status status,
				 const struct user_record *record)
{
	struct request *r = q->owner;

	(void)record;
	authd_users_found(r->ad, status);
	if (status == USERDB_AWAY) {
		request_uncount_trier(r);
		login_refuse(r, IPC_TEMPORARY, "users-unreadable");
		return;
	}
	r->login->verified = status == USERDB_FOUND;
	login_verified(r);
}

static void on_password_user(struct userdb_query *q, enum userdb_status status,
			     const struct user_record *record)
{
	struct request *r = q->owner;
	struct login *l = r->login;

	if (!login_take_user(r, status, record))
		return;
	l->locked = !l->has_record || (!l->record.verifies && scheme_is_locked(l->record.secret));
	if (l->locked) {
		userdb_decoy(r->ad->userdb, l->name.user, &l->record);
	} else if (is_app_password(r)) {
		if ((l->app.services & APP_PASSWORD_POP3) != 0)
			login_grant(r, false);
		else
			login_refuse(r, IPC_BAD_CREDENTIALS, "app-password-not-for-pop3");
		return;
	} else if (is_remembered(r)) {
		login_grant(r, true);
		return;
	}
	if (l->record.verifies && l->away) {
		login_refuse(r, IPC_TEMPORARY, "users-unreadable");
		return;
	}
	if (!request_count_trier(r)) {
		login_refuse(r, IPC_TOO_MANY, "too-many-logins-of-user");
		return;
	}
	if (l->record.verifies) {
		l->query.done = on_password_verified;
		userdb_verify(&l->query, &l->record, l->password, l->origin.remote);
		return;
	}
	/* GNU SASL is not for several threads: here and not in the pool. */
	if (!sasl_prepare_password(l->password, l->prepared, sizeof(l->prepared)))
		l->prepared[0] = '\0';
	authd_pool_verify(r);
}

void login_verified(struct request *r)
{
	struct login *l = r->login;
	/* A decoy's password is no key to anything. */
	const bool right = l->verified == 1 && !l->locked;

	request_uncount_trier(r);
	if (right)
		remember(r);
	if (r->link == NULL) {
		request_free(r);
		return;
	}
	if (right) {
		login_grant(r, false);
	} else if (l->verified < 0 && !l->locked) {
		log_event(LOG_LEVEL_ERROR, "password-unusable", log_hex("session", r->id),
			  log_str("user", l->record.name), log_str("error", l->err.text));
		login_refuse(r, l->verified == -EINVAL ? IPC_PERMANENT : IPC_TEMPORARY,
			     "cannot-verify");
	} else {
		login_refuse(r, IPC_BAD_CREDENTIALS,
			     !l->has_record ? "unknown-user"
			     : l->locked    ? "locked"
					    : "wrong-password");
	}
}

static void look_up_password(struct request *r)
{
	login_look_up(r, on_password_user);
}

static void verify_password(struct request *r)
{
	authd_guard_wait(r, look_up_password);
}

/* ---- messages ---- */

static void refuse_unborn(struct link *l, uint64_t id, enum ipc_status status)
{
	union ipc_msg *m = authd_out(IPC_AUTH_FAILED, id);

	m->result.status = status;
	ipc_channel_send(&l->ch, m, -1);
}

struct request *login_begin(struct link *l, uint64_t id, const struct ipc_origin *origin,
			    const char *how)
{
	/* No honest listener has more sessions than there may be connections. */
	if (l->n_requests >= authd_config(l->ad)->max_connections) {
		refuse_unborn(l, id, IPC_TOO_MANY);
		return NULL;
	}

	struct request *r = request_new(l, id);

	if (r == NULL) {
		refuse_unborn(l, id, IPC_TEMPORARY);
		return NULL;
	}
	r->login->origin = *origin;
	r->login->place = authd_place(l->ad, origin->remote);
	r->login->how = how;
	return r;
}

/* The listener has asked already. It is the one that strangers talk to. */
static bool may_send_password(const struct request *r)
{
	const unsigned flags = r->login->origin.flags;

	if ((flags & IPC_AUTH_TLS) != 0)
		return true;
	switch (authd_config(r->ad)->plaintext_login) {
	case CONFIG_PLAINTEXT_ALWAYS:
		return true;
	case CONFIG_PLAINTEXT_LOOPBACK:
		return (flags & IPC_AUTH_LOOPBACK) != 0;
	case CONFIG_PLAINTEXT_NEVER:
		break;
	}
	return false;
}

void login_pass(struct link *l, const struct ipc_auth_pass *m)
{
	struct request *r = login_begin(l, m->head.session, &m->origin, "pass");

	if (r == NULL)
		return;
	login_call(r, m->user);
	memcpy(r->login->password, m->password, sizeof(m->password));
	if (!may_send_password(r)) {
		login_refuse(r, IPC_PERMANENT, "password-in-clear");
		return;
	}
	verify_password(r);
}

/* ---- mechanisms that need the password itself ---- */

/* False when there is no such user, or the password isn't kept. The caller wipes it. */
static bool plain_of(const struct login *l, char password[LIMIT_PASSWORD + 1])
{
	return l->has_record && scheme_plain(l->record.secret, password, LIMIT_PASSWORD + 1);
}

static const char *secret_reason(const struct login *l, bool has_plain)
{
	if (!l->has_record)
		return "unknown-user";
	if (has_plain)
		return "wrong-password";
	return scheme_is_locked(l->record.secret) ? "locked" : "password-not-kept-plain";
}

static void on_apop_user(struct userdb_query *q, enum userdb_status status,
			 const struct user_record *record)
{
	struct request *r = q->owner;
	struct login *l = r->login;
	char password[LIMIT_PASSWORD + 1] = "nobody's";

	if (!login_take_user(r, status, record))
		return;

	const bool has_plain = plain_of(l, password);
	const bool matches = sasl_apop_matches(l->timestamp, password, l->digest);

	secret_wipe(password, sizeof(password));
	if (has_plain && matches)
		login_grant(r, false);
	else
		login_refuse(r, IPC_BAD_CREDENTIALS, secret_reason(l, has_plain));
}

static void look_up_apop(struct request *r)
{
	login_look_up(r, on_apop_user);
}

void login_apop(struct link *l, const struct ipc_auth_apop *m)
{
	struct request *r = login_begin(l, m->head.session, &m->origin, "apop");

	if (r == NULL)
		return;
	login_call(r, m->user);
	memcpy(r->login->timestamp, m->timestamp, sizeof(m->timestamp));
	memcpy(r->login->digest, m->digest, sizeof(m->digest));
	if (!config_offers_apop(authd_config(r->ad))) {
		login_refuse(r, IPC_PERMANENT, "apop-is-off");
		return;
	}
	authd_guard_wait(r, look_up_apop);
}

/* ---- SASL ---- */

static void on_sasl_user(struct userdb_query *q, enum userdb_status status,
			 const struct user_record *record)
{
	struct request *r = q->owner;
	struct login *l = r->login;
	char password[LIMIT_PASSWORD + 1];

	if (!login_take_user(r, status, record))
		return;

	const bool has_plain = plain_of(l, password);
	const enum sasl_status next = sasl_session_secret(l->sasl, has_plain ? password : NULL);

	secret_wipe(password, sizeof(password));
	if (next == SASL_FAILED || (next == SASL_PROVED && !has_plain))
		login_refuse(r, IPC_BAD_CREDENTIALS, secret_reason(l, has_plain));
	else
		login_sasl_next(r, next);
}

static void look_up_secret(struct request *r)
{
	login_look_up(r, on_sasl_user);
}

static void send_challenge(struct request *r)
{
	const struct span challenge = sasl_session_challenge(r->login->sasl);
	union ipc_msg *m = authd_out(IPC_AUTH_CHALLENGE, r->id);

	m->sasl.n = (uint32_t)challenge.n;
	if (challenge.n > 0)
		memcpy(m->sasl.data, challenge.p, challenge.n);
	ipc_channel_send(&r->link->ch, m, -1);
	r->state = REQUEST_CHALLENGED;
}

static const char *sasl_reason(const struct login *l)
{
	if (l->why_not != NULL)
		return l->why_not;
	/* It is looked for when there is nothing left that could be wrong but the proof. */
	return l->mechanism->needs_keys && l->has_record ? "wrong-password"
							 : "refused-by-mechanism";
}

void login_sasl_next(struct request *r, enum sasl_status status)
{
	struct login *l = r->login;

	const char *user = sasl_session_user(l->sasl);

	/* A token may have said who it is, where the client didn't. */
	if (user[0] != '\0' && strcmp(user, l->user) != 0)
		login_call(r, user);
	switch (status) {
	case SASL_CHALLENGE:
		send_challenge(r);
		return;
	case SASL_WANT_SECRET:
		authd_guard_wait(r, look_up_secret);
		return;
	case SASL_WANT_KEYS:
		l->hash = l->mechanism->hash;
		authd_guard_wait(r, scram_lookup);
		return;
	case SASL_TOKEN:
		authd_guard_wait(r, oauth_verify);
		return;
	case SASL_PASSWORD:
		(void)snprintf(l->password, sizeof(l->password), "%s",
			       sasl_session_password(l->sasl));
		sasl_session_free(l->sasl);
		l->sasl = NULL;
		verify_password(r);
		return;
	case SASL_PROVED:
		/* Keys that are nobody's prove nothing. */
		if (l->why_not != NULL)
			login_refuse(r, IPC_BAD_CREDENTIALS, l->why_not);
		else
			login_grant(r, false);
		return;
	case SASL_FAILED:
		if (l->is_told)
			authd_delay_refuse(r, IPC_BAD_CREDENTIALS);
		else
			login_refuse(r, IPC_BAD_CREDENTIALS, sasl_reason(l));
		return;
	case SASL_MALFORMED:
		login_refuse(r, IPC_BAD_SASL, "malformed");
		return;
	case SASL_NO_MEMORY:
		login_refuse(r, IPC_TEMPORARY, "no-memory");
		return;
	}
}

/* The connection's, as the listener has them. */
static void bind_channel(struct sasl_session *s, const struct ipc_sasl *m)
{
	const struct span octets = span_of((const char *)m->binding.octets, m->binding.n);

	switch ((enum ipc_binding_kind)m->binding.kind) {
	case IPC_BINDING_TLS_UNIQUE:
		sasl_session_bind(s, SASL_BINDING_TLS_UNIQUE, octets);
		break;
	case IPC_BINDING_TLS_EXPORTER:
		sasl_session_bind(s, SASL_BINDING_TLS_EXPORTER, octets);
		break;
	case IPC_BINDING_NONE:
	case IPC_BINDING_KINDS:
		break;
	}
	sasl_session_bind(s, SASL_BINDING_TLS_SERVER_END_POINT,
			  span_of((const char *)m->end_point.octets, m->end_point.n));
}

static bool has_binding(const struct ipc_sasl *m)
{
	return (m->binding.kind != IPC_BINDING_NONE && m->binding.n > 0) || m->end_point.n > 0;
}

void login_sasl_start(struct link *l, const struct ipc_sasl *m)
{
	const struct sasl_mechanism *mechanism = sasl_mechanism_find(m->mechanism);

	if (mechanism == NULL ||
	    (mechanism->needs_secret && !config_offers_apop(authd_config(l->ad))) ||
	    (mechanism->needs_keys && !config_keeps_secrets(authd_config(l->ad))) ||
	    (mechanism->takes_token && !config_has_oauth(authd_config(l->ad))) ||
	    (mechanism->binds && !has_binding(m))) {
		refuse_unborn(l, m->head.session, IPC_BAD_SASL);
		return;
	}

	struct request *r = login_begin(l, m->head.session, &m->origin, mechanism->name);

	if (r == NULL)
		return;
	if ((mechanism->sends_plain || mechanism->needs_keys || mechanism->takes_token) &&
	    !may_send_password(r)) {
		login_refuse(r, IPC_PERMANENT, "password-in-clear");
		return;
	}
	r->login->mechanism = mechanism;
	r->login->sasl = sasl_session_new(l->ad->sasl, mechanism);
	if (r->login->sasl == NULL) {
		login_refuse(r, IPC_TEMPORARY, "no-memory");
		return;
	}
	bind_channel(r->login->sasl, m);
	login_sasl_next(
		r, sasl_session_start(r->login->sasl, m->has_initial != 0, span_of(m->data, m->n)));
}

void login_sasl_step(struct request *r, const struct ipc_sasl *m)
{
	assert(r->state == REQUEST_CHALLENGED);
	r->state = REQUEST_LOOKUP;
	login_sasl_next(r, sasl_session_step(r->login->sasl, span_of(m->data, m->n)));
}
