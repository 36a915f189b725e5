/* SPDX-License-Identifier: MIT */
#include "server/authd/authd.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"
#include "auth/app_password_use.h"
#include "server/authd/authd_priv.h"

union ipc_msg *authd_out(enum ipc_type type, uint64_t session)
{
	static union ipc_msg out;

	ipc_start(&out, type, session);
	return &out;
}

void authd_check_drained(struct authd *ad)
{
	if (ad->draining && ad->n_requests == 0 && TAILQ_EMPTY(&ad->listeners))
		process_quit(ad->process);
}

/* ---- links ---- */

static void on_link_closed(uv_handle_t *handle)
{
	const struct ipc_channel *ch = handle->data;

	free(ch->owner);
}

/* Nothing is done for it any more, and nothing finds it. */
static void forget_link(struct link *l)
{
	struct authd *ad = l->ad;
	struct request *r;

	while ((r = TAILQ_FIRST(&l->requests)) != NULL)
		request_cancel(r);
	l->closing = true;
	if (ad->storage == l)
		ad->storage = NULL;
	else
		TAILQ_REMOVE(&ad->listeners, l, links);
	authd_check_drained(ad);
}

static void close_link(struct link *l)
{
	forget_link(l);
	ipc_channel_close(&l->ch, on_link_closed);
}

/* It broke the rules. */
static void refuse_link(struct link *l, const union ipc_msg *m)
{
	log_event(LOG_LEVEL_ERROR, "listener-refused", log_num("listener", l->ch.peer_id),
		  log_str("message", ipc_type_name(m->head.type)),
		  log_hex("session", m->head.session));
	close_link(l);
}

static void on_channel_closed(struct ipc_channel *ch)
{
	struct link *l = ch->owner;

	if (l->ad->storage == l)
		log_event(LOG_LEVEL_WARN, "storage-gone");
	forget_link(l);
	free(l);
}

static void on_storage_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	/* ipc_check() lets storage say nothing to auth. */
	(void)ch;
	(void)m;
	(void)fd;
}

static void on_listener_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	struct link *l = ch->owner;
	struct request *r = request_find(l->ad, l, m->head.session);

	(void)fd; /* ipc_check(): there is none */
	if (l->closing)
		return;
	switch ((enum ipc_type)m->head.type) {
	case IPC_AUTH_CANCEL:
		/* It may have crossed the answer. */
		if (r != NULL)
			request_cancel(r);
		return;
	case IPC_AUTH_SASL_STEP:
		if (r == NULL || r->state != REQUEST_CHALLENGED)
			refuse_link(l, m);
		else
			login_sasl_step(r, &m->sasl);
		return;
	default:
		break;
	}
	/* One question at a time in each session. */
	if (r != NULL) {
		refuse_link(l, m);
		return;
	}
	switch ((enum ipc_type)m->head.type) {
	case IPC_AUTH_PASS:
		login_pass(l, &m->pass);
		return;
	case IPC_AUTH_EXTERNAL:
		login_external(l, &m->external);
		return;
	case IPC_AUTH_APOP:
		login_apop(l, &m->apop);
		return;
	case IPC_AUTH_SASL_START:
		login_sasl_start(l, &m->sasl);
		return;
	case IPC_AUTH_RCPT:
		rcpt_lookup(l, &m->rcpt);
		return;
	default:
		refuse_link(l, m);
		return;
	}
}

static struct link *new_link(struct authd *ad, enum ipc_role peer, uint32_t peer_id, int fd)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		(void)close(fd);
		return NULL;
	}
	l->ad = ad;
	l->ch = (struct ipc_channel){
		.owner = l,
		.self = IPC_AUTH,
		.peer = peer,
		.peer_id = peer_id,
		.on_message = peer == IPC_STORAGE ? on_storage_message : on_listener_message,
		.on_closed = on_channel_closed,
	};
	TAILQ_INIT(&l->requests);

	const int r = ipc_channel_open(&l->ch, &ad->process->loop, fd);

	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		free(l);
		return NULL;
	}
	return l;
}

static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	struct authd *ad = p->owner;
	struct link *old;

	if (peer == IPC_PAM) {
		authd_pam_link(ad, peer_id, fd);
		return;
	}
	if (peer != IPC_LISTENER && peer != IPC_STORAGE) {
		log_event(LOG_LEVEL_ERROR, "link-refused", log_num("role", (uint64_t)peer));
		(void)close(fd);
		return;
	}

	struct link *l = new_link(ad, peer, peer_id, fd);

	if (l == NULL)
		return;
	if (peer == IPC_STORAGE) {
		/* The old one's end may not have been read yet. */
		if (ad->storage != NULL)
			close_link(ad->storage);
		ad->storage = l;
		return;
	}
	TAILQ_FOREACH(old, &ad->listeners, links)
	{
		if (old->ch.peer_id == peer_id) {
			close_link(old);
			break;
		}
	}
	TAILQ_INSERT_TAIL(&ad->listeners, l, links);
}

/* ---- the process ---- */

static void on_apps_notice(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_WARN, "app-passwords", log_str("reason", text));
}

/* False when there is no memory. */
static bool open_apps(struct authd *ad)
{
	const char *path = ad->process->config->app_passwords_file;

	if (path[0] == '\0')
		return true;
	ad->apps = app_passwords_new(path, on_apps_notice, NULL);
	return ad->apps != NULL;
}

static unsigned threads_for(const struct config *c)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->auth_threads != 0)
		return c->auth_threads;
	return cores > 0 && cores <= 128 ? (unsigned)cores : 1;
}

static void free_authd(struct authd *ad)
{
	sasl_context_free(ad->sasl);
	auth_cache_free(ad->cache);
	login_times_free(ad->times);
	guard_free(ad->guard);
	known_users_free(ad->known);
	app_passwords_free(ad->apps);
	token_keys_free(ad->token_keys);
	client_authority_free(ad->authority);
	if (ad->client_secret != NULL)
		secret_wipe(ad->client_secret, strlen(ad->client_secret));
	free(ad->client_secret);
	if (ad->apps_used >= 0)
		(void)close(ad->apps_used);
	free(ad);
}

/* The one file that is written: without it, a last use is not seen, and all else goes on. */
static int open_apps_used(const char *path)
{
	struct err err;
	const int fd = path[0] != '\0' ? app_password_use_open(path, &err) : -1;

	if (fd < 0 && path[0] != '\0')
		log_event(LOG_LEVEL_WARN, "app-passwords", log_str("reason", err.text),
			  log_str("consequence", "last uses are not kept"));
	return fd < 0 ? -1 : fd;
}

/* What a sealed process can't get back, so a reload can't change it either. */
static bool needs_network(const struct config *c)
{
	static struct config_databases databases;

	if (c->oauth_introspection_url[0] != '\0')
		return true;
	config_databases(c, &databases);
	for (uint32_t i = 0; i < databases.n; i++) {
		if (userdb_needs_network(databases.spec[i]))
			return true;
	}
	return false;
}

static int prepare(struct process *p, struct err *err)
{
	struct authd *ad = calloc(1, sizeof(*ad));

	if (ad == NULL)
		return err_sys(err, ENOMEM, "cannot start");
	p->threads = threads_for(p->config);
	ad->process = p;
	ad->apps_used = open_apps_used(p->config->app_passwords_file);
	if (needs_network(p->config))
		p->sandbox = &sandbox_auth_network;
	p->owner = ad;
	return introspector_read_secret(p->config->oauth_client_secret_file, &ad->client_secret,
					err);
}

/* False when there is no memory. */
static bool open_introspector(struct authd *ad)
{
	const struct config *c = ad->process->config;

	if (c->oauth_introspection_url[0] == '\0')
		return true;
	ad->introspector = introspector_new(&ad->process->loop, ad->client_secret);
	if (ad->introspector != NULL)
		ad->client_secret = NULL;
	return ad->introspector != NULL;
}

static int start(struct process *p, struct err *err)
{
	struct authd *ad = p->owner;

	/*
	 * What is freed is overwritten: the libraries' own copies of passwords too.
	 * Large blocks, Argon2's, go back to the kernel as they are; it wipes them.
	 */
	(void)mallopt(M_PERTURB, 0x55);
	ad->seed = rand_u64() | 1;
	ad->hashing_max = p->threads;
	TAILQ_INIT(&ad->listeners);
	TAILQ_INIT(&ad->turns);
	TAILQ_INIT(&ad->delayed);
	TAILQ_INIT(&ad->pam_questions);
	ad->cache = auth_cache_new();
	ad->times = login_times_new();
	ad->guard = guard_new();
	ad->known = known_users_new();
	ad->sasl = sasl_context_new(p->config->hostname);
	LIST_INIT(&ad->all_users);
	if (ad->cache == NULL || ad->times == NULL || ad->guard == NULL || ad->known == NULL ||
	    ad->sasl == NULL || !open_apps(ad) || authd_users_open(ad) < 0 ||
	    !scram_salt_key(p->config->hostname, ad->salt_key)) {
		(void)err_sys(err, ENOMEM, "cannot start");
		goto free;
	}

	ad->authority = external_open(p->config);
	if (!oauth_open_keys(p->config, &ad->token_keys) || !open_introspector(ad)) {
		(void)err_sys(err, ENOMEM, "cannot start");
		goto free;
	}

	const int r = authd_delay_init(ad);

	if (r < 0) {
		(void)err_sys(err, -r, "cannot make a timer");
		goto free;
	}
	return 0;

free:
	authd_users_close(ad);
	free_authd(ad);
	return -ENOMEM;
}

static void reload_keys(struct authd *ad)
{
	struct token_keys *fresh;

	if (!oauth_open_keys(ad->process->config, &fresh)) {
		log_event(LOG_LEVEL_ERROR, "reload-failed", log_str("error", "no memory"));
		return;
	}
	token_keys_free(ad->token_keys);
	ad->token_keys = fresh;
}

/* The databases are opened anew, since any option of them may have changed. */
static void on_config(struct process *p)
{
	struct authd *ad = p->owner;
	const unsigned threads = threads_for(p->config);
	const int r = authd_users_open(ad);

	if (r < 0)
		log_event(LOG_LEVEL_ERROR, "reload-failed", log_str("error", strerror(-r)));
	reload_keys(ad);
	client_authority_free(ad->authority);
	ad->authority = external_open(p->config);
	/* libuv's pool has the size that it was started with: fewer can be used, not more. */
	ad->hashing_max = threads < p->threads ? threads : p->threads;
	if (p->config->auth_cache_seconds == 0) {
		auth_cache_clear(ad->cache);
		known_users_clear(ad->known);
	}
}

static void on_drain(struct process *p)
{
	struct authd *ad = p->owner;

	ad->draining = true;
	authd_check_drained(ad);
}

static void on_timer_closed(uv_handle_t *timer)
{
	free_authd(timer->data);
}

static void stop(struct process *p)
{
	struct authd *ad = p->owner;

	/* authd_check_drained() has seen to that. */
	assert(ad->n_requests == 0 && TAILQ_EMPTY(&ad->listeners));
	/* Closing the last link must not stop the loop once more: it has handles to close. */
	ad->draining = false;
	if (ad->storage != NULL)
		close_link(ad->storage);
	introspector_close(ad->introspector);
	authd_pam_close(ad);
	authd_users_close(ad);
	/* The timer's memory is the last that the loop uses. */
	uv_close((uv_handle_t *)&ad->delay_timer, on_timer_closed);
}

const struct process_ops authd_ops = {
	.role = IPC_AUTH,
	.sandbox = &sandbox_auth,
	.prepare = prepare,
	.start = start,
	.on_link = on_link,
	.on_config = on_config,
	.on_drain = on_drain,
	.stop = stop,
};
