/* SPDX-License-Identifier: MIT */
/*
 * Bearer tokens: a JWT is verified here, about any other the authorization server is asked
 * (authd_introspect.c). Then whom the token is for is looked up like everybody else.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/authd/authd_priv.h"

struct token_rules oauth_rules(const struct authd *ad)
{
	const struct config *c = authd_config(ad);

	return (struct token_rules){
		.issuer = c->oauth_issuer,
		.audience = c->oauth_audience,
		.scope = c->oauth_scope,
		.user_claim = c->oauth_user_claim,
		.now = clock_wall_ns() / 1000000000,
	};
}

static void on_keys_notice(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_WARN, "oauth-keys", log_str("reason", text));
}

bool oauth_open_keys(const struct config *c, struct token_keys **ret_keys)
{
	*ret_keys = NULL;
	if (c->oauth_jwks_file[0] == '\0')
		return true;
	*ret_keys = token_keys_new(c->oauth_jwks_file, on_keys_notice, NULL);
	if (*ret_keys == NULL)
		return false;
	/* What is wrong with the file is said now, and not to the first who logs in. */
	(void)token_keys_refresh(*ret_keys, NULL);
	return true;
}

/* The client hears why, and what it says to that ends it. */
static void refuse_token(struct request *r, const char *status, const char *why)
{
	struct login *l = r->login;

	authd_guard_failed(r, why, sasl_session_token(l->sasl));
	l->is_told = true;
	login_sasl_next(
		r, sasl_session_refuse_token(l->sasl, status, authd_config(r->ad)->oauth_scope));
}

static void on_user(struct userdb_query *q, enum userdb_status status,
		    const struct user_record *record)
{
	struct request *r = q->owner;
	struct login *l = r->login;

	if (!login_take_user(r, status, record))
		return;
	if (!l->has_record)
		refuse_token(r, "invalid_token", "unknown-user");
	else if (scheme_is_locked(l->record.secret))
		refuse_token(r, "invalid_token", "locked");
	else
		login_grant(r, false);
}

bool authd_is_same_user(const struct authd *ad, const char *one, const char *other)
{
	char a[LIMIT_USER + 1];
	char b[LIMIT_USER + 1];

	return span_eq_nocase(authd_canonical(ad, one, a), authd_canonical(ad, other, b));
}

void oauth_answered(struct request *r, const struct token_verdict *v)
{
	switch (v->status) {
	case TOKEN_UNDECIDED:
		login_refuse(r, IPC_TEMPORARY, v->why);
		return;
	case TOKEN_INVALID:
		refuse_token(r, "invalid_token", v->why);
		return;
	case TOKEN_INSUFFICIENT_SCOPE:
		refuse_token(r, "insufficient_scope", v->why);
		return;
	case TOKEN_GOOD:
		break;
	}
	if (!login_is_wanted(r, v->user)) {
		refuse_token(r, "invalid_token", "token-of-another-user");
		return;
	}
	login_prove(r, v->user);
	login_look_up(r, on_user);
}

/* ---- what the authorization server has said lately ---- */

/*
 * Under whom the client wants to be, for nothing else is known before the answer: without a
 * device, for tokens are people's. (One whose name looks as if it had a device is asked about
 * each time.) And under all
 * that the answer was held against, which a reload may change.
 */
static bool make_key(struct request *r)
{
	const struct config *c = authd_config(r->ad);
	struct login *l = r->login;
	char name[LIMIT_USER + 1];
	char canonical[LIMIT_USER + 1];
	char what[sizeof(c->oauth_introspection_url) + sizeof(c->oauth_issuer) +
		  sizeof(c->oauth_audience) + sizeof(c->oauth_scope) + sizeof(c->oauth_user_claim)];
	const struct span user = authd_canonical(r->ad, l->name.user, name);

	l->has_key = false;
	if (c->oauth_cache_seconds == 0 || user.n == 0)
		return false;
	memcpy(canonical, user.p, user.n);
	canonical[user.n] = '\0';
	(void)snprintf(what, sizeof(what), "%s\n%s\n%s\n%s\n%s", c->oauth_introspection_url,
		       c->oauth_issuer, c->oauth_audience, c->oauth_scope, c->oauth_user_claim);
	l->has_key = auth_cache_key(r->ad->cache, canonical, what, sasl_session_token(l->sasl),
				    &l->key);
	return l->has_key;
}

static void remember(struct request *r, uint64_t expires)
{
	const uint64_t now = clock_mono_ms();
	const uint64_t wall = clock_wall_ns() / 1000000000;
	const uint64_t left = expires > wall ? expires - wall : 0;
	uint64_t seconds = authd_config(r->ad)->oauth_cache_seconds;

	if (left < seconds)
		seconds = left;
	if (r->login->has_key)
		auth_cache_put(r->ad->cache, &r->login->key, now, now + seconds * 1000);
}

void oauth_introspected(struct request *r, const struct token_verdict *v)
{
	request_uncount_trier(r);
	if (v->status == TOKEN_GOOD && authd_is_same_user(r->ad, r->login->name.user, v->user))
		remember(r, v->expires);
	oauth_answered(r, v);
}

void oauth_verify(struct request *r)
{
	struct authd *ad = r->ad;
	struct login *l = r->login;
	const char *token = sasl_session_token(l->sasl);
	const struct token_rules rules = oauth_rules(ad);
	struct token_verdict v = {.status = TOKEN_GOOD};

	if (ad->token_keys != NULL && token_is_jwt(span_str(token))) {
		v = token_verify_jwt(ad->token_keys, span_str(token), &rules);
		oauth_answered(r, &v);
	} else if (ad->introspector == NULL) {
		v = (struct token_verdict){.status = TOKEN_INVALID, .why = "token-not-a-jwt"};
		oauth_answered(r, &v);
	} else if (make_key(r) && auth_cache_has(ad->cache, &l->key, clock_mono_ms())) {
		memcpy(v.user, l->name.user, sizeof(v.user));
		oauth_answered(r, &v);
	} else if (!request_count_trier(r)) {
		login_refuse(r, IPC_TOO_MANY, "too-many-logins-of-user");
	} else if (!introspector_ask(ad->introspector, r, token)) {
		login_refuse(r, IPC_TEMPORARY, "no-memory");
	}
}
