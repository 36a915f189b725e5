/* SPDX-License-Identifier: MIT */
#include "ctl/maildrops.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/secret.h"
#include "auth/userdb.h"
#include "ctl/databases.h"

struct walk {
	const struct ctl *ctl;
	struct userdb *db;
	uid_t uid; /* of mail_user; -1: each user's own, or ours */
	gid_t gid;
	int (*each)(void *arg, const struct ctl_maildrop *m);
	void *arg;
	int status; /* of all: the first that is no success */
};

static int visit(struct walk *w, const struct user_record *record)
{
	const struct config *const c = &w->ctl->config;
	const struct userdb_place place = {
		.mail_location = c->mail_location,
		.default_domain = c->default_domain,
		.own_ids = c->mail_user[0] == '\0',
		.rules = &c->rules,
	};
	struct userdb_maildrop maildrop;
	struct ctl_maildrop m;
	struct err err;

	if (userdb_maildrop(record, &place, &maildrop, &err) < 0)
		return ctl_complain(EX_CONFIG, "%s: %s", record->name, err.text);
	(void)snprintf(m.user, sizeof(m.user), "%s", record->name);
	(void)snprintf(m.path, sizeof(m.path), "%s", maildrop.path);
	(void)snprintf(m.home, sizeof(m.home), "%s", record->home);
	m.owner = (struct store_owner){
		.user = m.user,
		.path = m.path,
		.uid = place.own_ids ? maildrop.uid : w->uid,
		.gid = place.own_ids ? maildrop.gid : w->gid,
		.rules = maildrop.rules,
	};
	return w->each(w->arg, &m);
}

static int ask(struct walk *w, const char *name)
{
	struct user_record record;
	int status;

	switch (databases_find(w->db, name, &record)) {
	case USERDB_FOUND:
		status = visit(w, &record);
		secret_wipe(&record, sizeof(record));
		return status;
	case USERDB_UNKNOWN:
		return ctl_complain(EX_NOUSER, "there is no user '%s'", name);
	case USERDB_AWAY:
		break;
	}
	return EX_TEMPFAIL;
}

static void ask_one(void *arg, const char *name)
{
	struct walk *const w = arg;
	const int status = ask(w, name);

	w->status = w->status == EX_OK ? status : w->status;
}

static int ask_all(struct walk *w)
{
	struct err err;
	const int r = userdb_list(w->db, ask_one, w, &err);

	return r < 0 ? ctl_fail(r, &err) : w->status;
}

/* Whose the mail is when it is one user's for all. An exit status. */
static int find_mail_user(struct walk *w)
{
	const char *const name = w->ctl->config.mail_user;
	const struct passwd *pw;

	w->uid = (uid_t)-1;
	w->gid = (gid_t)-1;
	/* Who isn't root can be nobody else, and the server is run by him too. */
	if (name[0] == '\0' || geteuid() != 0)
		return EX_OK;
	pw = getpwnam(name);
	if (pw == NULL)
		return ctl_complain(EX_CONFIG, "there is no account '%s' (mail_user)", name);
	w->uid = pw->pw_uid;
	w->gid = pw->pw_gid;
	return EX_OK;
}

int ctl_each_maildrop(struct ctl *ctl, int (*each)(void *arg, const struct ctl_maildrop *m),
		      void *arg)
{
	struct walk w = {.ctl = ctl, .each = each, .arg = arg, .status = EX_OK};
	bool noticed;
	int status = find_mail_user(&w);

	if (status != EX_OK)
		return status;
	w.db = databases_open(ctl, &noticed, &status);
	if (w.db == NULL)
		return status;
	status = ctl->name == NULL ? ask_all(&w) : ask(&w, ctl->name);
	userdb_free(w.db);
	return status;
}
