/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/log.h"
#include "server/authd/authd_priv.h"

static void answer(struct request *r, enum ipc_status status, bool quota)
{
	union ipc_msg *m = authd_out(IPC_AUTH_RCPT_REPLY, r->id);

	m->rcpt_reply.status = status;
	m->rcpt_reply.quota = quota;
	ipc_channel_send(&r->link->ch, m, -1);
	request_free(r);
}

static void on_looked_up(struct userdb_query *q, enum userdb_status status,
			 const struct user_record *record)
{
	struct request *r = q->owner;
	enum ipc_status reply = IPC_TEMPORARY;
	bool quota = false;

	authd_users_found(r->ad, status);
	switch (status) {
	case USERDB_FOUND:
		/* Storage first: the listener may ask for the delivery as soon as it has the reply.
		 */
		reply = grant_deliver(r, record, &quota);
		break;
	case USERDB_UNKNOWN:
		reply = IPC_NO_USER;
		break;
	case USERDB_AWAY:
		break;
	}
	log_event(LOG_LEVEL_DEBUG, "recipient", log_hex("session", r->id),
		  log_str("address", r->login->address), log_str("status", ipc_status_name(reply)));
	answer(r, reply, quota);
}

void rcpt_lookup(struct link *l, const struct ipc_rcpt *m)
{
	const bool room = l->n_requests < authd_config(l->ad)->max_connections;
	struct request *r = room ? request_new(l, m->head.session) : NULL;

	if (r == NULL) {
		union ipc_msg *out = authd_out(IPC_AUTH_RCPT_REPLY, m->head.session);

		out->rcpt_reply.status = IPC_TEMPORARY;
		ipc_channel_send(&l->ch, out, -1);
		return;
	}
	r->login->transaction = m->transaction;
	memcpy(r->login->address, m->address, sizeof(m->address));
	r->login->query.owner = r;
	r->login->query.done = on_looked_up;
	userdb_lookup_address(l->ad->userdb, &r->login->query, r->login->address);
}
