/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listen.h"
#include "server/master/master_priv.h"

static bool is_unix(const struct config_listen *l)
{
	return l->port == 0;
}

static bool is_same(const struct config_listen *a, const struct config_listen *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static struct bound *find(const struct sockets *s, const struct config_listen *l)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (is_same(&s->bound[i]->listen, l))
			return s->bound[i];
	}
	return NULL;
}

static void bound_free(struct bound *b)
{
	for (unsigned i = 0; i < b->n; i++)
		(void)close(b->fds[i]);
	if (is_unix(&b->listen))
		(void)unlink(b->listen.host);
	free(b);
}

static int find_group(const char *name, gid_t *ret_gid, struct err *err)
{
	struct group group;
	struct group *found;
	char text[8192];

	*ret_gid = (gid_t)-1;
	if (name[0] == '\0')
		return 0;

	const int r = getgrnam_r(name, &group, text, sizeof(text), &found);

	if (r != 0)
		return err_sys(err, r, "cannot look up group '%s'", name);
	if (found == NULL)
		return err_set(err, ENOENT, "there is no group '%s' (lmtp_socket_group)", name);
	*ret_gid = group.gr_gid;
	return 0;
}

static void log_bound(const struct config_listen *l)
{
	static const char *const protocols[] = {
		[CONFIG_POP3] = "pop3",
		[CONFIG_POP3S] = "pop3s",
		[CONFIG_LMTP] = "lmtp",
		[CONFIG_SMTP] = "smtp",
	};

	log_event(LOG_LEVEL_INFO, "listening", log_str("protocol", protocols[l->protocol]),
		  log_str("address", l->host), log_num(is_unix(l) ? NULL : "port", l->port));
}

static int bind_one(const struct config *config, const struct config_listen *l, unsigned listeners,
		    struct bound **ret_bound, struct err *err)
{
	struct bound *const b = calloc(1, sizeof(*b));
	gid_t group;
	int r;

	if (b == NULL)
		return err_sys(err, ENOMEM, "cannot listen");
	b->listen = *l;
	b->n = is_unix(l) ? 1 : listeners;
	if (is_unix(l)) {
		r = find_group(config->lmtp_socket_group, &group, err);
		if (r == 0)
			r = listen_unix(l->host, (mode_t)config->lmtp_socket_mode, group, b->fds,
					err);
	} else {
		r = listen_tcp(l->host, l->port, b->fds, b->n, err);
	}
	if (r < 0) {
		free(b);
		return r;
	}
	*ret_bound = b;
	log_bound(l);
	return 0;
}

int sockets_bind(const struct config *config, const struct sockets *keep, unsigned listeners,
		 struct sockets *ret_sockets, struct err *err)
{
	struct sockets fresh = {.n = 0};

	for (uint32_t i = 0; i < config->n_listen; i++) {
		struct bound *b = find(keep, &config->listen[i]);

		if (b == NULL) {
			const int r = bind_one(config, &config->listen[i], listeners, &b, err);

			if (r < 0) {
				sockets_drop_new(&fresh, keep);
				return r;
			}
		}
		fresh.bound[fresh.n++] = b;
	}
	*ret_sockets = fresh;
	return 0;
}

void sockets_replace(struct sockets *old, const struct sockets *fresh)
{
	for (uint32_t i = 0; i < old->n; i++) {
		if (find(fresh, &old->bound[i]->listen) != old->bound[i])
			bound_free(old->bound[i]);
	}
	*old = *fresh;
}

void sockets_drop_new(const struct sockets *fresh, const struct sockets *keep)
{
	for (uint32_t i = 0; i < fresh->n; i++) {
		if (find(keep, &fresh->bound[i]->listen) != fresh->bound[i])
			bound_free(fresh->bound[i]);
	}
}

void sockets_of_listener(const struct sockets *s, unsigned i, int *ret_fds)
{
	for (uint32_t k = 0; k < s->n; k++)
		ret_fds[k] = s->bound[k]->fds[s->bound[k]->n == 1 ? 0 : i];
}
