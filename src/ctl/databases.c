/* SPDX-License-Identifier: MIT */
#include "ctl/databases.h"

#include <errno.h>
#include <poll.h>
#include <sysexits.h>

static void on_notice(void *arg, const char *text)
{
	*(bool *)arg = true;
	(void)ctl_complain(0, "%s", text);
}

struct userdb *databases_open(const struct ctl *ctl, bool *noticed, int *ret_status)
{
	static struct config_databases databases;
	const struct userdb_rules rules = {
		.default_domain = ctl->config.default_domain,
		.recipient_delimiter = ctl->config.recipient_delimiter,
		.first_uid = ctl->config.pam_first_uid,
	};
	struct userdb *db = userdb_new(&rules, on_notice, noticed);
	struct err err = {.text = "no memory"};
	int r = db == NULL ? -ENOMEM : 0;

	config_databases(&ctl->config, &databases);
	for (uint32_t i = 0; r == 0 && i < databases.n; i++)
		r = userdb_check(db, databases.spec[i], &err);
	if (r == 0)
		return db;
	*ret_status = ctl_fail(r, &err);
	userdb_free(db);
	return NULL;
}

struct waiting {
	struct user_record *record;
	enum userdb_status status;
	bool done;
};

static void on_found(struct userdb_query *q, enum userdb_status status,
		     const struct user_record *record)
{
	struct waiting *w = q->owner;

	w->done = true;
	w->status = status;
	if (record != NULL)
		*w->record = *record;
}

enum userdb_status databases_find(struct userdb *db, const char *name,
				  struct user_record *ret_record)
{
	struct waiting w = {.record = ret_record};
	struct userdb_query q = {.done = on_found, .owner = &w};

	userdb_lookup_login(db, &q, name);
	while (!w.done) {
		struct pollfd p = {.fd = userdb_fd(db), .events = POLLIN};

		(void)poll(&p, 1, -1);
		userdb_dispatch(db);
	}
	return w.status;
}
