/* SPDX-License-Identifier: MIT */
/*
 * SCRAM (RFC 5802): the client hears a salt before it has proved anything. So everybody
 * gets one, always the same for the same name, also who doesn't exist, is locked, or has
 * a hash that no keys can be made of:
 *
 *	keys in the file	iterations and salt from there
 *	{PLAIN}			keys are made in the pool, with a salt that is made up
 *	none, or nobody		the way that somebody else's login takes, with a salt that
 *				is made up and keys that fit no password
 */
#include <string.h>

#include "base/rand.h"
#include "base/secret.h"
#include "auth/user_name.h"
#include "server/authd/authd_priv.h"

struct span authd_canonical(const struct authd *ad, const char *name, char ret_name[LIMIT_USER + 1])
{
	const struct span domain = span_str(authd_config(ad)->default_domain);

	if (!user_name_normalise(span_str(name), ret_name))
		return span_str(name);

	const struct span whole = span_str(ret_name);

	return domain.n > 0 && span_eq_nocase(user_name_domain(whole), domain)
		       ? user_name_local(whole)
		       : whole;
}

static bool make_up_salt(const struct request *r, const char *name, struct scram_keys *keys)
{
	char normal[LIMIT_USER + 1];
	struct login_name parts;

	/* Nobody's devices have the salt of nobody, as somebody's have that of somebody. */
	login_name_read(name, config_device_separator(authd_config(r->ad)), &parts);
	return scram_salt_make_up(r->ad->salt_key, r->login->hash,
				  authd_canonical(r->ad, parts.user, normal), keys);
}

static void use_keys(struct request *r)
{
	struct login *l = r->login;

	if (l->why_not != NULL) {
		rand_fill(l->keys.stored, sizeof(l->keys.stored));
		rand_fill(l->keys.server, sizeof(l->keys.server));
	}
	login_sasl_next(r, sasl_session_keys(l->sasl, &l->keys));
}

/* Keys of login->password: the user's, or somebody's whose login takes as long. */
static void derive(struct request *r)
{
	struct login *l = r->login;

	if (sasl_prepare_password(l->password, l->prepared, sizeof(l->prepared)))
		memcpy(l->password, l->prepared, sizeof(l->prepared));
	if (request_count_trier(r))
		authd_pool_derive(r);
	else
		login_refuse(r, IPC_TOO_MANY, "too-many-logins-of-user");
}

void scram_derived(struct request *r)
{
	struct login *l = r->login;

	request_uncount_trier(r);
	secret_wipe(l->password, sizeof(l->password));
	secret_wipe(l->prepared, sizeof(l->prepared));
	if (r->link == NULL)
		request_free(r);
	else if (l->verified != 1)
		login_refuse(r, IPC_TEMPORARY, "cannot-make-keys");
	else
		use_keys(r);
}

static const char *why_not(const struct login *l)
{
	if (!l->has_record)
		return "unknown-user";
	return scheme_is_locked(l->record.secret) ? "locked" : "no-scram-keys";
}

static void on_user(struct userdb_query *q, enum userdb_status status,
		    const struct user_record *record)
{
	struct request *r = q->owner;
	struct login *l = r->login;

	if (!login_take_user(r, status, record))
		return;

	bool kept = l->has_record && userdb_scram(&l->record, l->hash, &l->keys);
	bool plain = l->has_record && !kept &&
		     scheme_plain(l->record.secret, l->password, sizeof(l->password));

	if (!kept && !plain) {
		l->why_not = why_not(l);
		userdb_decoy(r->ad->userdb, l->name.user, &l->record);
		kept = userdb_scram(&l->record, l->hash, &l->keys);
		plain = !kept && scheme_plain(l->record.secret, l->password, sizeof(l->password));
	}
	if (!kept) {
		l->keys.iterations = SCRAM_ITERATIONS;
		l->keys.n_salt = SCRAM_SALT;
	}
	if ((!kept || l->why_not != NULL) &&
	    !make_up_salt(r, l->why_not != NULL ? l->user : l->record.name, &l->keys))
		login_refuse(r, IPC_TEMPORARY, "no-memory");
	else if (plain)
		derive(r);
	else
		use_keys(r);
}

void scram_lookup(struct request *r)
{
	login_look_up(r, on_user);
}
