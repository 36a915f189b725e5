/* SPDX-License-Identifier: MIT */
/*
 * EXTERNAL (RFC 4422 appendix A): users who have a certificate. The listener has seen in the
 * handshake that the client has its key; whether the certificate is good, and whose it is, is
 * decided here and not believed.
 */
#include <string.h>

#include "base/log.h"
#include "server/authd/authd_priv.h"

/* NULL when the configuration asks nobody for a certificate, or the file can't be used. */
struct client_authority *external_open(const struct config *c)
{
	struct client_authority *a;
	struct err err;

	if (c->tls_client_ca[0] == '\0')
		return NULL;
	if (client_authority_new(c->tls_client_ca, &a, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "client-ca", log_str("error", err.text));
		return NULL;
	}
	return a;
}

static void on_user(struct userdb_query *q, enum userdb_status status,
		    const struct user_record *record)
{
	struct request *r = q->owner;
	struct login *l = r->login;

	if (!login_take_user(r, status, record))
		return;
	if (!l->has_record)
		login_refuse(r, IPC_BAD_CREDENTIALS, "unknown-user");
	else if (scheme_is_locked(l->record.secret))
		login_refuse(r, IPC_BAD_CREDENTIALS, "locked");
	else
		login_grant(r, false);
}

/* The name that the client wants to be, or the first. NULL: none of the certificate's. */
static const char *choose(const struct request *r, const struct client_names *names)
{
	/* To the letter comes first, as everywhere. */
	for (size_t i = 0; i < names->n; i++) {
		if (authd_is_same_user(r->ad, names->name[i], r->login->name.whole))
			return names->name[i];
	}
	for (size_t i = 0; i < names->n; i++) {
		if (login_is_wanted(r, names->name[i]))
			return names->name[i];
	}
	return NULL;
}

void login_external(struct link *l, const struct ipc_external *m)
{
	struct authd *ad = l->ad;
	struct request *r = login_begin(l, m->head.session, &m->origin, "EXTERNAL");
	const enum client_name_field field = authd_config(ad)->tls_client_name == CONFIG_CLIENT_CN
						     ? CLIENT_NAME_CN
						     : CLIENT_NAME_EMAIL;
	struct client_names names;

	if (r == NULL)
		return;
	login_call(r, m->authzid);
	if (ad->authority == NULL) {
		login_refuse(r, IPC_PERMANENT, "no-client-ca");
		return;
	}

	const char *const why = client_certificate_names(
		ad->authority, span_of((const char *)m->certificate, m->n), field, &names);

	if (why != NULL) {
		login_refuse(r, IPC_BAD_CREDENTIALS, why);
		return;
	}

	const char *const user = choose(r, &names);

	if (user == NULL) {
		login_refuse(r, IPC_BAD_CREDENTIALS, "certificate-of-another-user");
		return;
	}
	login_prove(r, user);
	login_look_up(r, on_user);
}
