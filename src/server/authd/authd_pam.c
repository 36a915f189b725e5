/* SPDX-License-Identifier: MIT */
/*
 * What is asked of the process that speaks with PAM, and who waits for the answer. It gives
 * each its time, so none is counted here: an answer comes, or the channel ends.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "server/authd/authd_priv.h"

struct pam_link {
	struct authd *ad;
	struct ipc_channel ch;
};

struct pam_question {
	TAILQ_ENTRY(pam_question) all;
	uint64_t id;
	struct userdb_query *q;
	bool verifies;
};

static struct pam_question *find(struct authd *ad, uint64_t id)
{
	struct pam_question *p;

	TAILQ_FOREACH(p, &ad->pam_questions, all)
	{
		if (p->id == id)
			return p;
	}
	return NULL;
}

static void forget(struct authd *ad, struct pam_question *p)
{
	TAILQ_REMOVE(&ad->pam_questions, p, all);
	free(p);
}

/* ---- answers ---- */

static void answer(struct authd *ad, struct pam_question *p, enum userdb_status status,
		   const struct system_user *user)
{
	struct userdb_query *q = p->q;

	forget(ad, p);
	userdb_pam_answer(q, status, user);
	/* The database may have waited for nothing else. */
	authd_users_settle(ad);
}

static enum userdb_status status_of(const struct ipc_pam_answer *m)
{
	switch ((enum ipc_status)m->status) {
	case IPC_OK:
		return USERDB_FOUND;
	case IPC_NO_USER:
	case IPC_BAD_CREDENTIALS:
		return USERDB_UNKNOWN;
	default:
		return USERDB_AWAY;
	}
}

static void on_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	const struct pam_link *l = ch->owner;
	struct pam_question *p = find(l->ad, m->head.session);
	struct system_user user;

	(void)fd; /* ipc_check(): there is none */
	if (p == NULL)
		return; /* it has crossed our IPC_PAM_CANCEL */

	const enum userdb_status status = status_of(&m->pam_answer);

	if (status != USERDB_FOUND || p->verifies) {
		answer(l->ad, p, status, NULL);
		return;
	}
	memcpy(user.name, m->pam_answer.user, sizeof(user.name));
	memcpy(user.home, m->pam_answer.home, sizeof(user.home));
	user.uid = m->pam_answer.uid;
	user.gid = m->pam_answer.gid;
	answer(l->ad, p, USERDB_FOUND, &user);
}

/* Those who wait now; who asks again meanwhile finds that nobody is there. */
static void give_up(struct authd *ad)
{
	struct pam_question *p;

	while ((p = TAILQ_FIRST(&ad->pam_questions)) != NULL)
		answer(ad, p, USERDB_AWAY, NULL);
}

static void on_link_closed(uv_handle_t *handle)
{
	const struct ipc_channel *ch = handle->data;

	free(ch->owner);
}

static void on_channel_closed(struct ipc_channel *ch)
{
	struct pam_link *l = ch->owner;

	log_event(LOG_LEVEL_WARN, "pam-gone");
	l->ad->pam = NULL;
	give_up(l->ad);
	free(l);
}

void authd_pam_link(struct authd *ad, uint32_t peer_id, int fd)
{
	struct pam_link *l = calloc(1, sizeof(*l));
	int r;

	authd_pam_close(ad);
	give_up(ad);
	if (l == NULL) {
		(void)close(fd);
		return;
	}
	l->ad = ad;
	l->ch = (struct ipc_channel){
		.owner = l,
		.self = IPC_AUTH,
		.peer = IPC_PAM,
		.peer_id = peer_id,
		.on_message = on_message,
		.on_closed = on_channel_closed,
	};
	r = ipc_channel_open(&l->ch, &ad->process->loop, fd);
	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		free(l);
		return;
	}
	ad->pam = l;
}

void authd_pam_close(struct authd *ad)
{
	if (ad->pam != NULL)
		ipc_channel_close(&ad->pam->ch, on_link_closed);
	ad->pam = NULL;
}

/* ---- questions ---- */

static void send_find(struct authd *ad, uint64_t id, const struct userdb_pam_question *question)
{
	union ipc_msg *m = authd_out(IPC_PAM_FIND, id);

	(void)snprintf(m->pam_find.user, sizeof(m->pam_find.user), "%s", question->name);
	ipc_channel_send(&ad->pam->ch, m, -1);
}

static void send_verify(struct authd *ad, uint64_t id, const struct userdb_pam_question *question)
{
	union ipc_msg *m = authd_out(IPC_PAM_VERIFY, id);
	struct ipc_pam_verify *v = &m->pam_verify;

	(void)snprintf(v->user, sizeof(v->user), "%s", question->name);
	(void)snprintf(v->service, sizeof(v->service), "%s", question->service);
	(void)snprintf(v->remote, sizeof(v->remote), "%s", question->remote);
	(void)snprintf(v->password, sizeof(v->password), "%s", question->password);
	ipc_channel_send(&ad->pam->ch, m, -1);
	secret_wipe(v, sizeof(*v));
}

static bool ask(void *arg, struct userdb_query *q, const struct userdb_pam_question *question)
{
	struct authd *ad = arg;
	struct pam_question *p = ad->pam == NULL ? NULL : calloc(1, sizeof(*p));

	if (p == NULL)
		return false;
	p->id = ++ad->pam_last_id;
	p->q = q;
	p->verifies = question->password != NULL;
	TAILQ_INSERT_TAIL(&ad->pam_questions, p, all);
	if (p->verifies)
		send_verify(ad, p->id, question);
	else
		send_find(ad, p->id, question);
	return true;
}

static void cancel(void *arg, struct userdb_query *q)
{
	struct authd *ad = arg;
	struct pam_question *p;

	TAILQ_FOREACH(p, &ad->pam_questions, all)
	{
		if (p->q == q)
			break;
	}
	assert(p != NULL);
	if (ad->pam != NULL)
		ipc_channel_send(&ad->pam->ch, authd_out(IPC_PAM_CANCEL, p->id), -1);
	forget(ad, p);
}

struct userdb_pam_asker authd_pam_asker(struct authd *ad)
{
	return (struct userdb_pam_asker){.arg = ad, .ask = ask, .forget = cancel};
}
