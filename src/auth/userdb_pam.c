/* SPDX-License-Identifier: MIT */
#include "auth/userdb_pam.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/user_name.h"
#include "auth/userdb_priv.h"

struct pam {
	struct userdb_pam_asker asker; /* ask NULL: we look ourselves */
	uint32_t first_uid;
	userdb_notice *notice;
	void *notice_arg;
	char title[128];
	const char *service; /* the end of title */
};

/* In front of what tells one account from another with its name: no scheme has this name. */
static void fill(struct user_record *r, const struct system_user *user)
{
	userdb_record_begin(r, "");
	(void)user_name_normalise(span_str(user->name), r->name);
	(void)snprintf(r->secret, sizeof(r->secret), "{PAM}%u", user->uid);
	r->verifies = true;
	(void)snprintf(r->home, sizeof(r->home), "%s", user->home);
	r->uid = user->uid;
	r->gid = user->gid;
}

static enum userdb_status lookup_here(const struct pam *p, const char *name,
				      struct user_record *ret_record)
{
	struct system_user user;
	struct err err;
	char text[ERR_TEXT_MAX + 160];
	const int r = system_user_find(name, p->first_uid, &user, &err);

	if (r < 0 && p->notice != NULL) {
		(void)snprintf(text, sizeof(text), "%s: %s", p->title, err.text);
		p->notice(p->notice_arg, text);
	}
	if (r > 0)
		fill(ret_record, &user);
	return r < 0 ? USERDB_AWAY : r > 0 ? USERDB_FOUND : USERDB_UNKNOWN;
}

static enum userdb_status lookup(void *state, struct userdb_query *q, const char *name,
				 struct user_record *ret_record)
{
	const struct pam *p = state;
	const struct userdb_pam_question question = {.name = name};

	if (p->asker.ask == NULL)
		return lookup_here(p, name, ret_record);
	return p->asker.ask(p->asker.arg, q, &question) ? USERDB_LATER : USERDB_AWAY;
}

static enum userdb_status verify(void *state, struct userdb_query *q,
				 const struct user_record *record, const char *password,
				 const char *remote)
{
	const struct pam *p = state;
	const struct userdb_pam_question question = {
		.name = record->name,
		.service = p->service,
		.password = password,
		.remote = remote,
	};

	/* Whatever a module takes an empty one for. */
	if (password[0] == '\0')
		return USERDB_UNKNOWN;
	if (p->asker.ask == NULL || !p->asker.ask(p->asker.arg, q, &question))
		return USERDB_AWAY;
	return USERDB_LATER;
}

void userdb_pam_answer(struct userdb_query *q, enum userdb_status status,
		       const struct system_user *user)
{
	struct user_record record;

	if (user == NULL) {
		userdb_answer(q, status, NULL);
		return;
	}
	fill(&record, user);
	userdb_answer(q, status, &record);
}

static void cancel(void *state, struct userdb_query *q)
{
	const struct pam *p = state;

	p->asker.forget(p->asker.arg, q);
}

static void refresh(void *state)
{
	(void)state;
}

/* Without the service's file PAM takes "other", which says what other programs may do. */
static int check(void *state, struct err *err)
{
	static const char *const folders[] = {"/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d",
					      "/usr/etc/pam.d"};
	const struct pam *p = state;
	char path[160];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folders[i], p->service);
		if (access(path, F_OK) == 0)
			return 0;
	}
	return err_set(err, ENOENT, "%s: there is no /etc/pam.d/%s", p->title, p->service);
}

static bool decoy(void *state, const char *name, struct user_record *record)
{
	(void)state;
	(void)name;
	(void)record;
	return false;
}

static int list(void *state, userdb_name *say, void *arg, struct err *err)
{
	const struct pam *p = state;

	(void)err;
	system_user_list(p->first_uid, say, arg);
	return 0;
}

static const struct userdb_source_ops ops = {
	.lookup = lookup,
	.verify = verify,
	.cancel = cancel,
	.refresh = refresh,
	.check = check,
	.decoy = decoy,
	.list = list,
	.free = free,
};

int userdb_pam_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		    struct err *err)
{
	struct pam *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", spec->title);
	p->asker = spec->pam;
	p->first_uid = spec->first_uid;
	p->notice = spec->notice;
	p->notice_arg = spec->notice_arg;
	(void)snprintf(p->title, sizeof(p->title), "%s", spec->title);
	p->service = p->title + (spec->argument - spec->title);
	*ret_source = (struct userdb_source){.ops = &ops, .state = p};
	return 0;
}
