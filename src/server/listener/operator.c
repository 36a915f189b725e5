/* SPDX-License-Identifier: MIT */
/*
 * operator.c - which sessions there are, for an operator who asks the monitor, and their end when
 * the operator wants it.
 */
#include <string.h>

#include "base/log.h"
#include "server/listener/listener_priv.h"

/* Whether it is one of those that are meant; *info is what there is to say of it. */
static bool is_meant(const struct session *s, const struct ipc_select *select,
		     struct ipc_session *info)
{
	if (!session_describe_to(s, info))
		return false;
	if (select->head.type == IPC_KICK && select->id != 0 && select->id != info->id)
		return false;
	return (select->user[0] == '\0' || strcmp(select->user, info->user) == 0) &&
	       (select->remote[0] == '\0' || strcmp(select->remote, info->remote) == 0);
}

static void answer(struct ipc_channel *ch, const struct ipc_select *select, uint32_t n,
		   uint64_t next)
{
	struct listener *const l = ch->owner;

	ipc_start(&l->msg, IPC_DONE, select->head.session);
	l->msg.done.status = IPC_OK;
	l->msg.done.n = n;
	l->msg.done.next = next;
	ipc_channel_send(ch, &l->msg, -1);
}

/*
 * Younger sessions come first in the list, and have greater ids: but for a wrap of 2^64, which
 * the difference bears. The one that the last page ended with may have gone meanwhile.
 */
static bool is_after(const struct session *s, uint64_t id)
{
	return id == 0 || (int64_t)(s->log_id - id) < 0;
}

static void list_sessions(struct ipc_channel *ch, const struct ipc_select *select)
{
	struct listener *const l = ch->owner;
	uint64_t last = 0;
	uint32_t n = 0;

	for (const struct session *s = l->sessions; s != NULL; s = s->next) {
		if (!is_after(s, select->id))
			continue;
		if (n == IPC_PAGE) {
			answer(ch, select, n, last);
			return;
		}
		ipc_start(&l->msg, IPC_SESSION, select->head.session);
		if (!is_meant(s, select, &l->msg.session))
			continue;
		ipc_channel_send(ch, &l->msg, -1);
		last = s->log_id;
		n++;
	}
	answer(ch, select, n, 0);
}

static void kick(struct ipc_channel *ch, const struct ipc_select *select)
{
	struct listener *const l = ch->owner;
	struct ipc_session info;
	uint32_t n = 0;

	/* Everybody is never meant. */
	const bool some = select->id != 0 || select->user[0] != '\0' || select->remote[0] != '\0';

	for (struct session *s = l->sessions, *next; some && s != NULL; s = next) {
		next = s->next;
		memset(&info, 0, sizeof(info));
		if (!is_meant(s, select, &info))
			continue;
		session_kick(s);
		n++;
	}
	answer(ch, select, n, 0);
}

void operator_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	/* It is wiped when this returns, and l->msg is needed for what follows. */
	const struct ipc_select select = m->select;

	(void)fd; /* no row of the monitor's has one */
	if (m->head.type == IPC_KICK)
		kick(ch, &select);
	else
		list_sessions(ch, &select);
}
