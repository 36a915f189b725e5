/* SPDX-License-Identifier: MIT */
#include "server/pamd/pamd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "server/pamd/pamd_priv.h"

static union ipc_msg out;

/* ---- auth ---- */

void pamd_answer(struct pamd *pd, uint64_t id, const struct verdict *v)
{
	struct ipc_pam_answer *const a = &out.pam_answer;

	if (pd->auth == NULL)
		return;
	ipc_start(&out, IPC_PAM_ANSWER, id);
	a->status = v->status;
	a->uid = v->user.uid;
	a->gid = v->user.gid;
	memcpy(a->user, v->user.name, sizeof(a->user));
	memcpy(a->home, v->user.home, sizeof(a->home));
	ipc_channel_send(&pd->auth->ch, &out, -1);
}

static void refuse(struct pamd *pd, uint64_t id)
{
	const struct verdict away = {.status = IPC_TEMPORARY};

	pamd_answer(pd, id, &away);
}

static void find(struct pamd *pd, const struct ipc_pam_find *m)
{
	struct job *const j = pamd_job_new(pd, m->head.session);

	if (j == NULL) {
		refuse(pd, m->head.session);
		return;
	}
	memcpy(j->q.user, m->user, sizeof(m->user));
	pamd_run(pd);
}

static void verify(struct pamd *pd, const struct ipc_pam_verify *m)
{
	struct job *j;

	/* Auth asks for no other; whoever speaks in its place shall not choose. */
	if (!config_is_pam_service(pd->process->config, m->service)) {
		log_event(LOG_LEVEL_ERROR, "pam-refused", log_str("service", m->service));
		refuse(pd, m->head.session);
		return;
	}
	j = pamd_job_new(pd, m->head.session);
	if (j == NULL) {
		refuse(pd, m->head.session);
		return;
	}
	j->q.verifies = true;
	memcpy(j->q.user, m->user, sizeof(m->user));
	memcpy(j->q.service, m->service, sizeof(m->service));
	memcpy(j->q.remote, m->remote, sizeof(m->remote));
	memcpy(j->q.password, m->password, sizeof(m->password));
	pamd_run(pd);
}

static void on_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	const struct auth_link *l = ch->owner;

	(void)fd; /* ipc_check(): there is none */
	switch ((enum ipc_type)m->head.type) {
	case IPC_PAM_FIND:
		find(l->pd, &m->pam_find);
		break;
	case IPC_PAM_VERIFY:
		verify(l->pd, &m->pam_verify);
		break;
	case IPC_PAM_CANCEL:
		pamd_cancel(l->pd, m->head.session);
		break;
	default:
		/* ipc_check() lets auth say nothing else. */
		break;
	}
}

static void on_link_closed(uv_handle_t *handle)
{
	const struct ipc_channel *ch = handle->data;

	free(ch->owner);
}

static void on_channel_closed(struct ipc_channel *ch)
{
	struct auth_link *l = ch->owner;

	l->pd->auth = NULL;
	pamd_cancel_all(l->pd);
	free(l);
}

static void close_auth(struct pamd *pd)
{
	if (pd->auth != NULL)
		ipc_channel_close(&pd->auth->ch, on_link_closed);
	pd->auth = NULL;
	pamd_cancel_all(pd);
}

static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	struct pamd *const pd = p->owner;
	struct auth_link *const l = peer == IPC_AUTH ? calloc(1, sizeof(*l)) : NULL;
	int r;

	if (l == NULL) {
		(void)close(fd);
		return;
	}
	/* The old one's end may not have been read yet. */
	close_auth(pd);
	l->pd = pd;
	l->ch = (struct ipc_channel){
		.owner = l,
		.self = IPC_PAM,
		.peer = IPC_AUTH,
		.peer_id = peer_id,
		.on_message = on_message,
		.on_closed = on_channel_closed,
	};
	r = ipc_channel_open(&l->ch, &p->loop, fd);
	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		free(l);
		return;
	}
	pd->auth = l;
}

/* ---- the process ---- */

static int start(struct process *p, struct err *err)
{
	struct pamd *const pd = calloc(1, sizeof(*pd));
	int r;

	if (pd == NULL)
		return err_sys(err, ENOMEM, "cannot start");
	p->owner = pd;
	pd->process = p;
	TAILQ_INIT(&pd->jobs);
	(void)uv_timer_init(&p->loop, &pd->timer);
	pd->timer.data = pd;
	r = uv_signal_init(&p->loop, &pd->ended);
	pd->ended.data = pd;
	if (r == 0)
		r = uv_signal_start(&pd->ended, pamd_on_child, SIGCHLD);
	if (r < 0)
		return err_sys(err, -r, "cannot wait for children");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* The modules of a process that isn't root can't read what they verify against. */
	if (geteuid() != 0)
		log_event(LOG_LEVEL_WARN, "pam", log_str("reason", "not started by root"),
			  log_str("effect", "pam_unix and its like can verify no password"));
	return 0;
}

static void on_config(struct process *p)
{
	pamd_run(p->owner);
}

/* The last listener has gone: nobody waits for an answer. */
static void on_drain(struct process *p)
{
	process_quit(p);
}

static void on_signal_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void stop(struct process *p)
{
	struct pamd *const pd = p->owner;

	close_auth(pd);
	pamd_drop_jobs(pd);
	uv_close((uv_handle_t *)&pd->timer, NULL);
	/* Its memory is the last that the loop uses. */
	uv_close((uv_handle_t *)&pd->ended, on_signal_closed);
}

const struct process_ops pamd_ops = {
	.role = IPC_PAM,
	.sandbox = &sandbox_pam,
	.start = start,
	.on_link = on_link,
	.on_config = on_config,
	.on_drain = on_drain,
	.stop = stop,
};
