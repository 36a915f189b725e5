/* SPDX-License-Identifier: MIT */
#include "ctl/maildrops.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/secret.h"
#include "auth/passwd_file.h"
#include "auth/userdb.h"

struct walk {
	const struct ctl *ctl;
	struct userdb *db;
	uid_t uid; /* of mail_user; -1: each user's own, or ours */
	gid_t gid;
	int (*each)(void *arg, const struct ctl_maildrop *m);
	void *arg;
	int status; /* of the user that was asked for last */
};

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	(void)ctl_complain(0, "%s", text);
}

static void quiet_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void found(struct userdb_query *q, enum userdb_status status,
		  const struct user_record *record)
{
	struct walk *const w = q->owner;
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

	if (status != USERDB_FOUND) {
		w->status = status == USERDB_AWAY ? EX_TEMPFAIL : EX_NOUSER;
		return;
	}
	if (userdb_maildrop(record, &place, &maildrop, &err) < 0) {
		w->status = ctl_complain(EX_CONFIG, "%s: %s", record->name, err.text);
		return;
	}
	(void)snprintf(m.user, sizeof(m.user), "%s", record->name);
	(void)snprintf(m.path, sizeof(m.path), "%s", maildrop.path);
	(void)snprintf(m.home, sizeof(m.home), "%s", record->home);
	m.owner = (struct store_owner){
		.user = m.user,
		.path = m.path,
		.uid = place.own_ids ? maildrop.uid : w->uid,
		.gid = place.own_ids ? maildrop.gid : w->gid,
	};
	w->status = w->each(w->arg, &m);
}

static int ask(struct walk *w, const char *name)
{
	struct userdb_query q = {.done = found, .owner = w};

	w->status = EX_TEMPFAIL;
	userdb_lookup_login(w->db, &q, name);
	if (w->status == EX_NOUSER)
		return ctl_complain(EX_NOUSER, "there is no user '%s'", name);
	return w->status;
}

static int ask_all(struct walk *w)
{
	struct passwd_file *const f = passwd_file_new(w->ctl->config.users_file, quiet_notice,
						      NULL);
	struct err err = {.text = "no memory"};
	const int r = f == NULL ? -ENOMEM : passwd_file_refresh(f, &err);
	int status = EX_OK;
	const char *name;

	if (r < 0) {
		passwd_file_free(f);
		return ctl_fail(r, &err);
	}
	for (size_t i = 0; (name = passwd_file_name(f, i)) != NULL; i++) {
		struct passwd_user user;

		/* Of two lines for one name only the first is a user. */
		if (!passwd_file_find(f, name, &user) || user.name != name)
			continue;

		const int one = ask(w, name);

		status = status == EX_OK ? one : status;
	}
	passwd_file_free(f);
	return status;
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
	const struct userdb_rules rules = {
		.default_domain = ctl->config.default_domain,
		.recipient_delimiter = "",
	};
	struct walk w = {.ctl = ctl, .each = each, .arg = arg};
	int status = find_mail_user(&w);

	if (status != EX_OK)
		return status;
	w.db = userdb_new(&rules, on_notice, NULL);
	if (w.db == NULL || userdb_add_passwd_file(w.db, ctl->config.users_file) < 0)
		status = ctl_complain(EX_OSERR, "no memory");
	else
		status = ctl->all ? ask_all(&w) : ask(&w, ctl->name);
	userdb_free(w.db);
	return status;
}
