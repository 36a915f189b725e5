/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/log.h"
#include "server/authd/authd_priv.h"

static struct userdb_place place_of(const struct request *r)
{
	const struct config *config = authd_config(r->ad);

	return (struct userdb_place){
		.mail_location = config->mail_location,
		.default_domain = config->default_domain,
		.own_ids = config->mail_user[0] == '\0',
		.rules = &config->rules,
		.bounds = config_bounds(config),
	};
}

/*
 * Whose view of the maildrop it is, and for how much of it. Who has a password that is a device's
 * is that device, whatever the login's name says. What is recent is so for all of them alike, and
 * each view costs a file.
 */
static void take_view(const struct request *r, struct maildrop_rules *rules)
{
	const struct login *l = r->login;

	_Static_assert(sizeof(l->app.device) == sizeof(rules->device), "device");
	_Static_assert(sizeof(l->device) == sizeof(rules->device), "device");
	if (l->name.recent)
		rules->recent_days = rules->recent_offer;
	else
		memcpy(rules->device, l->app.device[0] != '\0' ? l->app.device : l->device,
		       sizeof(rules->device));
}

bool grant_rules(const struct request *r, struct maildrop_rules *ret_rules)
{
	const struct userdb_place place = place_of(r);
	struct userdb_maildrop maildrop;

	if (userdb_maildrop(&r->login->record, &place, &maildrop, NULL) < 0)
		return false;
	*ret_rules = maildrop.rules;
	take_view(r, ret_rules);
	return true;
}

/* The message for storage, or why there can't be one. */
static enum ipc_status make_grant(const struct request *r, const struct user_record *record,
				  enum ipc_type type, union ipc_msg **ret_m)
{
	const struct userdb_place place = place_of(r);
	struct userdb_maildrop maildrop;
	struct err err;

	if (r->ad->storage == NULL) {
		log_event(LOG_LEVEL_WARN, "storage-away", log_hex("session", r->id),
			  log_str("user", record->name));
		return IPC_TEMPORARY;
	}
	if (userdb_maildrop(record, &place, &maildrop, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "no-maildrop", log_hex("session", r->id),
			  log_str("user", record->name), log_str("error", err.text));
		return IPC_PERMANENT;
	}

	union ipc_msg *m = authd_out(type, r->id);

	m->grant.listener = r->link->ch.peer_id;
	m->grant.uid = maildrop.uid;
	m->grant.gid = maildrop.gid;
	m->grant.rules = maildrop.rules;
	memcpy(m->grant.user, record->name, sizeof(m->grant.user));
	memcpy(m->grant.path, maildrop.path, sizeof(m->grant.path));
	*ret_m = m;
	return IPC_OK;
}

static bool has_storage(const struct request *r)
{
	const struct link *const storage = r->ad->storage;

	return storage != NULL && storage->ch.peer_id == r->login->origin.storage;
}

/*
 * The listener waits for the storage that it had when it asked. A grant to another one
 * that is dead, and whose end only we haven't noticed yet, would be heard by nobody.
 */
enum ipc_status grant_open(const struct request *r)
{
	union ipc_msg *m;

	if (!has_storage(r))
		process_read_control(r->ad->process);
	if (!has_storage(r)) {
		log_event(LOG_LEVEL_WARN, "storage-away", log_hex("session", r->id),
			  log_str("user", r->login->record.name));
		return IPC_TEMPORARY;
	}

	const enum ipc_status status = make_grant(r, &r->login->record, IPC_GRANT_OPEN, &m);

	if (status != IPC_OK)
		return status;
	take_view(r, &m->grant.rules);
	ipc_channel_send(&r->ad->storage->ch, m, -1);
	return IPC_OK;
}

enum ipc_status grant_deliver(const struct request *r, const struct user_record *record,
			      bool *ret_quota)
{
	union ipc_msg *m;
	const enum ipc_status status = make_grant(r, record, IPC_GRANT_DELIVER, &m);

	/* The operator can mend what is wrong with a user, and the sender shall not hear of it. */
	if (status != IPC_OK)
		return IPC_TEMPORARY;
	m->grant.transaction = r->login->transaction;
	memcpy(m->grant.address, r->login->address, sizeof(m->grant.address));
	*ret_quota = maildrop_rules_has_quota(&m->grant.rules);
	ipc_channel_send(&r->ad->storage->ch, m, -1);
	return IPC_OK;
}
