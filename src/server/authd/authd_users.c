/* SPDX-License-Identifier: MIT */
/*
 * The databases that users are looked for in, and those of the configuration before, as long as
 * somebody waits for an answer of theirs.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "server/authd/authd_priv.h"

struct users {
	LIST_ENTRY(users) all;
	struct authd *ad;
	struct userdb *db; /* Owned */
	uv_poll_t poll;    /* when one of its answers may come later */
	bool polls;
	bool closing;
};

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_WARN, "users", log_str("reason", text));
}

static void free_users(struct users *u)
{
	userdb_free(u->db);
	free(u);
}

static void on_closed(uv_handle_t *handle)
{
	free_users(handle->data);
}

/* No query runs in it. */
static void close_users(struct users *u)
{
	u->closing = true;
	LIST_REMOVE(u, all);
	if (u->polls)
		uv_close((uv_handle_t *)&u->poll, on_closed);
	else
		free_users(u);
}

static void close_if_retired(struct users *u)
{
	if (u != u->ad->users && !u->closing && userdb_is_idle(u->db))
		close_users(u);
}

static void on_answers(uv_poll_t *poll, int status, int events)
{
	struct users *u = poll->data;

	(void)status;
	(void)events;
	userdb_dispatch(u->db);
	close_if_retired(u);
}

/* One that can't be opened now, though it could when the configuration was checked, is away. */
static void add_all(struct userdb *db, const struct config *c)
{
	static struct config_databases databases;

	config_databases(c, &databases);
	for (uint32_t i = 0; i < databases.n; i++) {
		struct err err;

		if (userdb_add(db, databases.spec[i], &err) == 0)
			continue;
		log_event(LOG_LEVEL_ERROR, "users", log_str("reason", err.text),
			  log_str("effect", "its users can't log in until a reload"));
		userdb_add_away(db);
	}
}

void authd_users_settle(struct authd *ad)
{
	struct users *u;
	struct users *next;

	for (u = LIST_FIRST(&ad->all_users); u != NULL; u = next) {
		next = LIST_NEXT(u, all);
		close_if_retired(u);
	}
}

int authd_users_open(struct authd *ad)
{
	const struct config *c = authd_config(ad);
	const struct userdb_rules rules = {
		.default_domain = c->default_domain,
		.recipient_delimiter = c->recipient_delimiter,
		.first_uid = c->pam_first_uid,
	};
	const struct userdb_pam_asker asker = authd_pam_asker(ad);
	struct users *u = calloc(1, sizeof(*u));
	int r = -ENOMEM;

	if (u == NULL)
		return r;
	u->ad = ad;
	u->db = userdb_new(&rules, on_notice, NULL);
	if (u->db == NULL)
		goto fail;
	userdb_use_pam(u->db, &asker);
	add_all(u->db, c);
	u->polls = userdb_fd(u->db) >= 0;
	u->poll.data = u;
	if (u->polls) {
		r = uv_poll_init(&ad->process->loop, &u->poll, userdb_fd(u->db));
		if (r < 0)
			goto fail;
		(void)uv_poll_start(&u->poll, UV_READABLE, on_answers);
	}
	LIST_INSERT_HEAD(&ad->all_users, u, all);
	ad->users = u;
	ad->userdb = u->db;
	authd_users_settle(ad);
	return 0;

fail:
	free_users(u);
	return r;
}

void authd_users_close(struct authd *ad)
{
	struct users *u;

	ad->users = NULL;
	ad->userdb = NULL;
	while ((u = LIST_FIRST(&ad->all_users)) != NULL)
		close_users(u);
}

void authd_users_found(struct authd *ad, enum userdb_status status)
{
	const bool away = status == USERDB_AWAY;

	if (away && !ad->users_away)
		metric_add(METRIC_USERS_AWAY, 1);
	else if (!away && ad->users_away)
		metric_sub(METRIC_USERS_AWAY, 1);
	ad->users_away = away;
}
