/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP: auth and storage take the new configuration as they are; listeners are
 * replaced, so that sessions keep the certificate and the limits that they began
 * with. Old and new listen on the same sockets until the new ones are ready:
 *
 *	new sockets bound -> IPC_CONFIG -> new listeners started
 *	                  -> all ready: IPC_DRAIN to the old ones, old sockets closed
 *	                  -> an old generation's last listener has gone: IPC_DRAIN to its signer
 *
 * No connection is refused meanwhile: a socket that stays is never closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/master/master_priv.h"

/* What is fixed when processes and sockets are made. */
#define FIXED(m)                                                                   \
	{                                                                          \
#m, offsetof(struct config, m), sizeof(((struct config *)NULL)->m) \
	}
static const struct fixed {
	const char *name;
	size_t at;
	size_t size;
} fixed[] = {
	FIXED(server_user),
	FIXED(mail_user),
	FIXED(store_driver),
	FIXED(storage_threads),
	FIXED(auth_threads),
	FIXED(pid_file),
	FIXED(app_passwords_file),
	FIXED(oauth_introspection_url),
	FIXED(oauth_client_secret_file),
	FIXED(userdb),
};
#undef FIXED

static void keep_fixed(struct config *fresh, const struct config *old)
{
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		char *const to = (char *)fresh + fixed[i].at;
		const char *const from = (const char *)old + fixed[i].at;

		if (memcmp(to, from, fixed[i].size) == 0)
			continue;
		memcpy(to, from, fixed[i].size);
		log_event(LOG_LEVEL_WARN, "reload-needs-restart", log_str("option", fixed[i].name));
	}
}

static int make_memfd(const struct config *config)
{
	const int fd = memfd_create("restante-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, config, sizeof(*config)) != (ssize_t)sizeof(*config) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		const int r = errno != 0 ? -errno : -EIO;

		(void)close(fd);
		return r;
	}
	return fd;
}

static void tell_config(struct master *m, int fd)
{
	static union ipc_msg msg;

	ipc_start(&msg, IPC_CONFIG, 0);
	for (struct child *c = m->children; c != NULL; c = c->next) {
		/* To one of another program it would be a struct of another kind. */
		if (!c->foreign &&
		    (c->role == IPC_AUTH || c->role == IPC_STORAGE || c->role == IPC_PAM))
			master_tell(c, &msg, fd);
	}
}

bool master_tell_auth(struct master *m)
{
	static union ipc_msg msg;
	const int fd = make_memfd(&m->config);

	if (fd < 0) {
		log_event(LOG_LEVEL_ERROR, "renewal-failed", log_str("error", strerror(-fd)));
		return false;
	}
	ipc_start(&msg, IPC_CONFIG, 0);
	for (struct child *c = m->children; c != NULL; c = c->next) {
		if (!c->foreign && c->role == IPC_AUTH)
			master_tell(c, &msg, fd);
	}
	(void)close(fd);
	return true;
}

/* max_connections may have grown, and auth and storage go on. */
static void raise_fd_limits(const struct master *m)
{
	struct rlimit limit;

	master_raise_fd_limit(&m->config);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	for (const struct child *c = m->children; c != NULL; c = c->next) {
		if (prlimit(c->pid, RLIMIT_NOFILE, &limit, NULL) < 0)
			log_event(LOG_LEVEL_DEBUG, "few-descriptors", log_num("id", c->id),
				  log_str("error", strerror(errno)));
	}
}

/* From here on they are replaced; they go on until master.c finds the new ones ready. */
static void retire_listeners(struct master *m)
{
	/* And the signer, with its keys; and the monitor: its addresses may be others now. */
	for (unsigned i = SLOT_SIGNER; i < m->n_slots; i++) {
		struct slot *const s = &m->slots[i];

		if (s->child != NULL)
			s->child->slot = -1;
		*s = (struct slot){.child = NULL};
	}
}

static int reload(struct master *m, struct err *err)
{
	static struct config fresh;
	struct sockets sockets;
	int r = config_load(m->path, &fresh, err);

	if (r < 0)
		return r;
	master_own_users(&fresh);
	keep_fixed(&fresh, &m->config);
	if (fresh.listeners != 0 && fresh.listeners != m->config.listeners)
		log_event(LOG_LEVEL_WARN, "reload-needs-restart", log_str("option", "listeners"));
	fresh.listeners = m->config.listeners;

	/* Before they are read: what changes in between is noticed later. */
	const uint64_t files = master_renewal_look(&fresh);

	r = sockets_add_given(&m->sockets, &fresh, err);
	if (r == 0)
		r = master_check(&fresh, err);
	if (r < 0)
		return r;
	r = sockets_bind(&fresh, &m->sockets, m->n_slots - SLOT_LISTENER, &sockets, err);
	if (r < 0)
		return r;

	const int fd = make_memfd(&fresh);

	if (fd < 0) {
		sockets_drop_new(&sockets, &m->sockets);
		return err_sys(err, -fd, "cannot pass on the configuration");
	}
	m->config = fresh;
	master_renewal_begin(m, files);
	raise_fd_limits(m);
	sockets_replace(&m->sockets, &sockets);
	tell_config(m, fd);
	(void)close(fd);
	return 0;
}

void master_renew_listeners(struct master *m)
{
	retire_listeners(m);
	m->generation++;
	m->reloading = true;
	master_start_due(m);
}

void master_reload(struct master *m)
{
	struct err err;

	if (m->state >= MASTER_DRAINING)
		return;
	if (reload(m, &err) < 0) {
		metric_add(METRIC_RELOADS + METRIC_REFUSED, 1);
		log_event(LOG_LEVEL_ERROR, "reload-failed", log_str("error", err.text),
			  log_str("effect", "the old configuration stays"));
		master_notify("READY=1\nSTATUS=The last reload failed: %s", err.text);
		return;
	}
	log_init(m->config.log_target, m->config.log_format, m->config.log_level, "master");
	for (unsigned i = 0; config_warning(&m->config, i) != NULL; i++)
		log_event(LOG_LEVEL_WARN, "config",
			  log_str("notice", config_warning(&m->config, i)));
	m->reloaded = clock_wall_ns() / 1000000000;
	metric_add(METRIC_RELOADS + METRIC_OK, 1);
	master_renew_listeners(m);
}
