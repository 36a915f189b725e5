/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/span.h"
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
	if (is_unix(&b->listen) && !b->given)
		(void)unlink(b->listen.host);
	free(b);
}

static const char *const protocol_names[] = {
	[CONFIG_POP3] = "pop3", [CONFIG_POP3S] = "pop3s",     [CONFIG_LMTP] = "lmtp",
	[CONFIG_SMTP] = "smtp", [CONFIG_METRICS] = "metrics", [CONFIG_CONTROL] = "control",
};

const char *sockets_protocol(enum config_protocol protocol)
{
	return protocol_names[protocol];
}

bool sockets_protocol_find(const char *name, enum config_protocol *ret_protocol)
{
	for (size_t i = 0; i < CONFIG_PROTOCOLS; i++) {
		if (strcmp(name, protocol_names[i]) == 0) {
			*ret_protocol = (enum config_protocol)i;
			return true;
		}
	}
	return false;
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
	log_event(LOG_LEVEL_INFO, "listening", log_str("protocol", protocol_names[l->protocol]),
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
	b->n = is_unix(l) || l->protocol > CONFIG_SMTP ? 1 : listeners;
	if (l->protocol == CONFIG_CONTROL) {
		r = listen_unix_packets(l->host, 0600, b->fds, err);
	} else if (is_unix(l)) {
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

/* ---- sockets that are there already ---- */

/* The first one; those of sd_listen_fds(3) come one behind the other. */
#define GIVEN_FIRST 3

/* The word of a list with colons that stands at *at, which moves on. */
static struct span next_name(const char **at)
{
	const struct span name = span_of(*at, strcspn(*at, ":"));

	*at += name.n + ((*at)[name.n] != '\0');
	return name;
}

/* SMTP only where the configuration names the address, and has seen that it is loopback. */
static bool protocol_of(struct span name, enum config_protocol *ret_protocol)
{
	for (size_t i = 0; i < CONFIG_SMTP; i++) {
		if (span_eq(name, span_str(protocol_names[i]))) {
			*ret_protocol = (enum config_protocol)i;
			return true;
		}
	}
	return false;
}

static int take_given(int fd, struct span name, struct bound **ret_bound, struct err *err)
{
	struct bound *const b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return err_sys(err, ENOMEM, "cannot listen");
	b->given = true;
	b->n = 1;
	b->fds[0] = fd;
	b->nameless = !protocol_of(name, &b->listen.protocol);
	r = listen_adopt(fd, b->listen.host, sizeof(b->listen.host), &b->listen.port, err);
	if (r < 0) {
		free(b);
		return r;
	}
	*ret_bound = b;
	return 0;
}

static bool env_number(const char *name, uint64_t max, uint64_t *ret_number)
{
	const char *const text = getenv(name);

	return text != NULL && num_parse_u64(span_str(text), max, ret_number);
}

int sockets_given(struct sockets *ret_sockets, struct err *err)
{
	const char *names = getenv("LISTEN_FDNAMES");
	uint64_t pid;
	uint64_t n;

	*ret_sockets = (struct sockets){.n = 0};
	if (!env_number("LISTEN_PID", INT32_MAX, &pid) || pid != (uint64_t)getpid() ||
	    !env_number("LISTEN_FDS", UINT32_MAX, &n))
		return 0;
	if (n > CONFIG_LISTEN_MAX)
		return err_set(err, EINVAL, "LISTEN_FDS: more than %d sockets", CONFIG_LISTEN_MAX);
	if (names == NULL)
		names = "";
	for (int i = 0; i < (int)n; i++) {
		struct bound *b;
		const int r = take_given(GIVEN_FIRST + i, next_name(&names), &b, err);

		if (r < 0)
			return r;
		ret_sockets->bound[ret_sockets->n++] = b;
	}
	return 0;
}

static bool is_named(const struct config *config, const struct config_listen *l)
{
	for (uint32_t i = 0; i < config->n_listen; i++) {
		if (is_same(&config->listen[i], l))
			return true;
	}
	return false;
}

int sockets_add_given(const struct sockets *s, struct config *config, struct err *err)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct bound *const b = s->bound[i];

		if (!b->given || is_named(config, &b->listen))
			continue;
		if (b->nameless)
			return err_set(
				err, EINVAL,
				"the socket for '%s' port %u is neither in the configuration "
				"nor called pop3, pop3s or lmtp (FileDescriptorName=)",
				b->listen.host, b->listen.port);
		if (config->n_listen == CONFIG_LISTEN_MAX)
			return err_set(err, EINVAL, "more than %d addresses to listen on",
				       CONFIG_LISTEN_MAX);
		if (b->listen.protocol == CONFIG_POP3S && config->tls_certificate[0] == '\0')
			return err_set(err, EINVAL, "a pop3s socket needs tls_certificate");
		config->listen[config->n_listen++] = b->listen;
	}
	return 0;
}

void sockets_of(const struct sockets *s, enum ipc_role role, unsigned i, int *ret_fds)
{
	for (uint32_t k = 0; k < s->n; k++) {
		const struct bound *const b = s->bound[k];
		const bool is_mail = b->listen.protocol <= CONFIG_SMTP;

		ret_fds[k] = is_mail == (role == IPC_LISTENER) ? b->fds[b->n == 1 ? 0 : i] : -1;
	}
}
