/* SPDX-License-Identifier: MIT */
/* A passwd-file as a user database. It always answers at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "auth/passwd_file.h"
#include "auth/userdb_priv.h"

struct source {
	struct passwd_file *file; /* Owned */
	char *path;               /* Owned */
	userdb_notice *notice;
	void *notice_arg;
	char trouble[ERR_TEXT_MAX]; /* what was said last; "" when all is well */
};

/* Says it once, however many lookups meet it. "" when there is no trouble any more. */
static void report(struct source *s, const char *trouble)
{
	char text[ERR_TEXT_MAX];

	if (strcmp(s->trouble, trouble) == 0)
		return;
	if (trouble[0] == '\0')
		(void)snprintf(text, sizeof(text), "'%s' is well again", s->path);
	else
		(void)snprintf(text, sizeof(text), "%s%s", trouble,
			       passwd_file_count(s->file) > 0
				       ? "; the users that were read before stay"
				       : "; no user is known");
	(void)snprintf(s->trouble, sizeof(s->trouble), "%s", trouble);
	if (s->notice != NULL)
		s->notice(s->notice_arg, text);
}

static void refresh(void *state)
{
	struct source *s = state;
	struct err err;

	if (passwd_file_refresh(s->file, &err) < 0)
		report(s, err.text);
	else if (passwd_file_count(s->file) == 0)
		/*
		 * Perhaps a new server, perhaps an editor in the middle of writing. Nobody
		 * can log in either way, but no sender is told that a user is unknown.
		 */
		report(s, "the file of users is empty");
	else
		report(s, "");
}

static int check(void *state, struct err *err)
{
	const struct source *s = state;

	return passwd_file_refresh(s->file, err);
}

/* What doesn't fit could not be used either: "?" is no path and no secret. */
static void copy(char *to, size_t cap, const char *from)
{
	const size_t n = strlen(from);

	if (n < cap)
		memcpy(to, from, n + 1);
	else
		memcpy(to, "?", 2);
}

static void copy_secrets(struct user_record *to, const struct passwd_user *from)
{
	copy(to->secret, sizeof(to->secret), from->secret);
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		copy(to->scram[hash], sizeof(to->scram[hash]), from->scram[hash]);
}

static enum userdb_status lookup(void *state, struct userdb_query *q, const char *name,
				 struct user_record *ret_record)
{
	struct source *s = state;
	struct passwd_user user;

	refresh(s);
	if (passwd_file_count(s->file) == 0)
		return USERDB_AWAY;
	if (!passwd_file_find(s->file, name, &user))
		return q->_by_address && passwd_file_may_be_unfinished(s->file) ? USERDB_AWAY
										: USERDB_UNKNOWN;
	copy(ret_record->name, sizeof(ret_record->name), user.name);
	copy_secrets(ret_record, &user);
	copy(ret_record->home, sizeof(ret_record->home), user.home);
	copy(ret_record->mail, sizeof(ret_record->mail), user.mail);
	ret_record->uid = user.uid;
	ret_record->gid = user.gid;
	/* What is wrong was said when the file was read, and is remembered in the rules. */
	(void)maildrop_own_rules_read(&ret_record->rules, user.extra, NULL);
	return USERDB_FOUND;
}

static bool decoy(void *state, const char *name, struct user_record *record)
{
	struct source *s = state;
	struct passwd_user user;

	if (!passwd_file_decoy(s->file, name, &user))
		return false;
	copy_secrets(record, &user);
	return true;
}

static int list(void *state, userdb_name *say, void *arg, struct err *err)
{
	struct source *s = state;
	const int r = passwd_file_refresh(s->file, err);
	const char *name;

	for (size_t i = 0; r == 0 && (name = passwd_file_name(s->file, i)) != NULL; i++) {
		struct passwd_user user;

		/* Of two lines for one name only the first is a user. */
		if (passwd_file_find(s->file, name, &user) && user.name == name)
			say(arg, name);
	}
	return r;
}

static void source_free(void *state)
{
	struct source *s = state;

	passwd_file_free(s->file);
	free(s->path);
	free(s);
}

static const struct userdb_source_ops ops = {
	.lookup = lookup,
	.refresh = refresh,
	.check = check,
	.decoy = decoy,
	.list = list,
	.free = source_free,
};

int userdb_passwd_open(const char *path, userdb_notice *notice, void *arg,
		       struct userdb_source *ret_source)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->path = strdup(path);
	s->file = passwd_file_new(path, notice, arg);
	if (s->path == NULL || s->file == NULL) {
		source_free(s);
		return -ENOMEM;
	}
	s->notice = notice;
	s->notice_arg = arg;
	*ret_source = (struct userdb_source){.ops = &ops, .state = s};
	return 0;
}
