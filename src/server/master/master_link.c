/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/master/master_priv.h"

static union ipc_msg message;

static void tell_link(struct child *to, const struct child *peer, int fd)
{
	ipc_start(&message, IPC_LINK, 0);
	message.link.peer_role = (uint32_t)peer->role;
	message.link.peer_id = peer->id;
	master_tell(to, &message, fd);
}

/* Lower hears of the link first. */
static int rank(enum ipc_role role)
{
	return role == IPC_STORAGE || role == IPC_PAM ? 0 : role == IPC_LISTENER ? 2 : 1;
}

/*
 * Storage first, the listener last: storage then knows a listener before auth can
 * grant it anything, and auth before the listener can ask.
 */
static void link_two(struct child *a, struct child *b)
{
	int pair[2];

	/* Certificates of one generation, and keys of the same. */
	if ((a->role == IPC_SIGNER || b->role == IPC_SIGNER) && a->generation != b->generation)
		return;

	if (rank(a->role) > rank(b->role)) {
		struct child *const other = a;

		a = b;
		b = other;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(errno)));
		return;
	}
	tell_link(a, b, pair[0]);
	tell_link(b, a, pair[1]);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/*
 * Again storage is to know a listener before auth can grant it anything: so a new
 * storage is connected with auth last, anybody else with storage first. The monitor
 * speaks with listeners alone, and only for an operator: see is_linked(). The signer
 * speaks with listeners alone too.
 */
static const enum ipc_role links[IPC_ROLES][IPC_ROLES] = {
	/* ends with IPC_MASTER, which is connected with everybody */
	[IPC_STORAGE] = {IPC_LISTENER, IPC_AUTH},
	[IPC_AUTH] = {IPC_STORAGE, IPC_PAM, IPC_LISTENER},
	[IPC_PAM] = {IPC_AUTH},
	[IPC_LISTENER] = {IPC_STORAGE, IPC_AUTH, IPC_SIGNER, IPC_MONITOR},
	[IPC_MONITOR] = {IPC_LISTENER},
	[IPC_SIGNER] = {IPC_LISTENER},
};

/*
 * Without a control socket there is nothing that a monitor has to ask a listener, and a monitor
 * that was taken over by HTTP can ask for nothing. One that was replaced has nobody to ask for.
 */
static bool is_linked(const struct master *m, const struct child *a, const struct child *b)
{
	const struct child *const monitor = a->role == IPC_MONITOR   ? a
					    : b->role == IPC_MONITOR ? b
								     : NULL;

	if (a->control < 0 || b->control < 0 || a->foreign != b->foreign)
		return false;
	return monitor == NULL || (m->config.control[0] != '\0' && monitor->slot >= 0);
}

void master_link_all(struct master *m, struct child *c)
{
	for (const enum ipc_role *role = links[c->role]; *role != IPC_MASTER; role++) {
		for (struct child *other = m->children; other != NULL; other = other->next) {
			if (other != c && other->role == *role && is_linked(m, c, other))
				link_two(c, other);
		}
	}
}
