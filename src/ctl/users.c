/* SPDX-License-Identifier: MIT */
/* restantectl user: the file of users, one line at a time. */
#include "ctl/users.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/num.h"
#include "base/out.h"
#include "base/secret.h"
#include "auth/passwd_file.h"
#include "auth/sasl_server.h"
#include "auth/scheme.h"
#include "auth/user_name.h"
#include "auth/userdb.h"
#include "ctl/databases.h"
#include "ctl/prompt.h"

bool users_can_edit(const struct ctl *ctl)
{
	if (config_reads_users_file(&ctl->config))
		return true;
	(void)ctl_complain(EX_CONFIG,
			   "userdb doesn't name \"passwd-file:%s\": users of another database are "
			   "changed there",
			   ctl->config.users_file);
	return false;
}

int users_read_names(const struct ctl *ctl, struct names *ret)
{
	const struct span name = span_str(ctl->name);
	const struct span ours = span_str(ctl->config.default_domain);
	const struct span domain = user_name_domain(name);
	struct err err;

	ret->alias[0] = '\0';
	if (user_name_check(name, &err) < 0)
		return ctl_complain(EX_DATAERR, "'%s': %s", ctl->name, err.text);
	if (name.p[0] == '#')
		return ctl_complain(EX_DATAERR,
				    "'%s': the user name begins with '#', as comments do",
				    ctl->name);
	(void)user_name_normalise(name, ret->name);
	if (ours.n > 0 && domain.n == 0) {
		char whole[LIMIT_USER + 1];
		struct out out = {.p = whole, .cap = LIMIT_USER};

		if (out_put(&out, name) && out_char(&out, '@') && out_put(&out, ours))
			(void)user_name_normalise(out_span(&out), ret->alias);
	} else if (ours.n > 0 && span_eq_nocase(domain, ours)) {
		(void)user_name_normalise(user_name_local(name), ret->alias);
	}
	return EX_OK;
}

bool users_find(const struct users_edit *e, const struct names *names, struct users_line *ret_line,
		const char **ret_name)
{
	*ret_name = names->name;
	if (users_edit_find(e, names->name, ret_line))
		return true;
	*ret_name = names->alias;
	return names->alias[0] != '\0' && users_edit_find(e, names->alias, ret_line);
}

int users_no_such(const struct ctl *ctl)
{
	return ctl_complain(
		EX_NOUSER, "there is no user '%s' in '%s'%s", ctl->name, ctl->config.users_file,
		ctl->config.userdb.n > 1 ? ": users of another database are changed there" : "");
}

/* A scheme that can be made, or NULL after saying which there are. */
static const char *scheme_of(const struct ctl *ctl)
{
	const char *wanted = ctl->scheme != NULL ? ctl->scheme : SCHEME_DEFAULT;
	char all[256] = "";
	struct out out = {.p = all, .cap = sizeof(all) - 1};

	for (unsigned i = 0; scheme_made(i) != NULL; i++) {
		if (span_eq_nocase(span_str(scheme_made(i)), span_str(wanted)))
			return scheme_made(i);
		(void)(i == 0 || out_put(&out, SPAN_LIT(", ")));
		(void)out_put(&out, span_str(scheme_made(i)));
	}
	all[out.n] = '\0';
	(void)ctl_complain(EX_USAGE, "cannot make the scheme '%s', only: %s", wanted, all);
	return NULL;
}

/* What is stored of a password. Wiped after use. */
struct made {
	char secret[SCHEME_STORED_MAX];
	char keys[SCRAM_HASHES * (SCRAM_TEXT_MAX + 32)]; /* words for the end of the line, or "" */
};

/* One word for each hash. They are for who sends no password, as the secret is for who does. */
static int make_keys(const char *password, struct made *ret, struct err *err)
{
	struct out out = {.p = ret->keys, .cap = sizeof(ret->keys) - 1};
	bool ok = true;

	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
		struct scram_keys keys;

		if (!scram_keys_make(hash, password, &keys))
			return err_set(err, ENOMEM, "cannot make keys for %s", scram_name(hash));
		ok = ok && (out.n == 0 || out_char(&out, ' ')) &&
		     out_put(&out, span_str(scram_word(hash))) && out_char(&out, '=') &&
		     scram_keys_put(&out, hash, &keys);
		secret_wipe(&keys, sizeof(keys));
	}
	assert(ok);
	ret->keys[out.n] = '\0';
	return 0;
}

/* True when SCRAM works by the secret itself. */
static bool has_own_keys(const char *secret)
{
	struct scram_keys keys;
	char password[LIMIT_PASSWORD + 2];
	bool has = scheme_plain(secret, password, sizeof(password));

	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		has = has || scheme_scram(secret, hash, &keys);
	secret_wipe(password, sizeof(password));
	secret_wipe(&keys, sizeof(keys));
	return has;
}

/* Asks for a password and makes what is stored of it. An exit status. */
static int make_secret(const struct ctl *ctl, const char *scheme, const char *name,
		       struct made *ret)
{
	char password[LIMIT_PASSWORD + 2];
	char prepared[LIMIT_PASSWORD + 2];
	struct err err;
	int r = prompt_new_password(name, password, LIMIT_PASSWORD + 1, &err);

	if (r < 0)
		return r == -EINVAL ? ctl_complain(EX_DATAERR, "%s", err.text) : ctl_fail(r, &err);
	/*
	 * In the form that SASL's clients send (RFC 4616 section 2). Clients that send
	 * it as it was typed get in too: the server tries both.
	 */
	const bool other = sasl_prepare_password(password, prepared, sizeof(prepared));

	ret->keys[0] = '\0';
	r = scheme_make(scheme, other ? prepared : password, ret->secret, sizeof(ret->secret),
			&err);
	if (r == 0 && !ctl->no_scram && !has_own_keys(ret->secret))
		r = make_keys(other ? prepared : password, ret, &err);
	secret_wipe(password, sizeof(password));
	secret_wipe(prepared, sizeof(prepared));
	return r < 0 ? ctl_fail(r, &err) : EX_OK;
}

/* A file that root makes must be readable by those who check passwords. */
gid_t ctl_server_group(const struct ctl *ctl)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(ctl->config.server_user) : NULL;

	return pw != NULL ? pw->pw_gid : (gid_t)-1;
}

static bool is_id(const char *text)
{
	uint64_t id;

	return text == NULL || num_parse_u64(span_str(text), PASSWD_BAD_ID - 1, &id);
}

static bool options_are_right(const struct ctl *ctl)
{
	if (!is_id(ctl->uid) || !is_id(ctl->gid)) {
		(void)ctl_complain(EX_USAGE, "--uid and --gid want numbers");
		return false;
	}
	if ((ctl->uid == NULL) != (ctl->gid == NULL)) {
		(void)ctl_complain(EX_USAGE, "--uid and --gid belong together");
		return false;
	}
	if (ctl->home != NULL && (ctl->home[0] != '/' || strpbrk(ctl->home, ":\r\n") != NULL)) {
		(void)ctl_complain(EX_USAGE, "--home wants an absolute path without ':'");
		return false;
	}
	return true;
}

/* name:secret:uid:gid:gecos:home:shell:keys, without the empty fields at its end. */
static bool put_line(struct out *out, const struct ctl *ctl, const char *name,
		     const struct made *made)
{
	const char *const fields[] = {name, made->secret, ctl->uid, ctl->gid,
				      "",   ctl->home,    "",       made->keys};
	size_t n = sizeof(fields) / sizeof(fields[0]);

	while (fields[n - 1] == NULL || fields[n - 1][0] == '\0')
		n--;
	for (size_t i = 0; i < n; i++) {
		if ((i > 0 && !out_char(out, ':')) ||
		    (fields[i] != NULL && !out_put(out, span_str(fields[i]))))
			return false;
	}
	return true;
}

static int add(struct ctl *ctl, const struct names *names, const struct made *made)
{
	char line[PASSWD_LINE_MAX];
	struct out out = {.p = line, .cap = sizeof(line)};
	struct users_edit edit;
	struct users_line there;
	const char *name;
	struct err err;
	int r;

	if (!put_line(&out, ctl, names->name, made))
		return ctl_complain(EX_DATAERR, "the user's line would be too long");
	r = users_edit_begin(ctl->config.users_file, true, ctl_server_group(ctl), &edit, &err);
	if (r < 0)
		return ctl_fail(r, &err);
	/* Once more, for now nobody else can add it. */
	if (users_find(&edit, names, &there, &name)) {
		r = ctl_complain(EX_CANTCREAT, "the user '%s' exists already", name);
	} else {
		r = users_edit_append(&edit, out_span(&out), &err);
		if (r < 0)
			r = ctl_fail(r, &err);
		else
			(void)printf("added '%s'\n", names->name);
	}
	users_edit_done(&edit);
	secret_wipe(line, sizeof(line));
	return r != EX_OK ? r : ctl_printed();
}

/* Before a password is asked for: is there a user of this name? An exit status. */
static int look(const struct ctl *ctl, const struct names *names, bool *ret_exists,
		const char **ret_name)
{
	struct users_edit edit;
	struct users_line line;
	struct err err;
	const int r = users_edit_begin(ctl->config.users_file, false, (gid_t)-1, &edit, &err);

	*ret_exists = false;
	if (r == -ENOENT)
		return EX_OK;
	if (r < 0)
		return ctl_fail(r, &err);
	*ret_exists = users_find(&edit, names, &line, ret_name);
	/* The lock is not held while somebody thinks about a password. */
	users_edit_done(&edit);
	return EX_OK;
}

int ctl_user_add(struct ctl *ctl)
{
	const char *scheme = scheme_of(ctl);
	struct made made;
	struct names names;
	const char *name;
	bool exists;
	int r;

	if (scheme == NULL || !options_are_right(ctl))
		return EX_USAGE;
	if (!users_can_edit(ctl))
		return EX_CONFIG;
	r = users_read_names(ctl, &names);
	if (r == EX_OK)
		r = look(ctl, &names, &exists, &name);
	if (r != EX_OK)
		return r;
	if (exists)
		return ctl_complain(EX_CANTCREAT, "the user '%s' exists already", name);
	r = make_secret(ctl, scheme, names.name, &made);
	if (r == EX_OK)
		r = add(ctl, &names, &made);
	secret_wipe(&made, sizeof(made));
	return r;
}

static int set_secret(const struct ctl *ctl, const struct names *names, const struct made *made)
{
	struct users_edit edit;
	struct users_line line;
	const char *name;
	struct err err;
	int r = users_edit_begin(ctl->config.users_file, false, (gid_t)-1, &edit, &err);

	if (r < 0)
		return ctl_fail(r, &err);
	if (!users_find(&edit, names, &line, &name)) {
		r = users_no_such(ctl);
	} else {
		r = users_edit_replace_secret(&edit, &line, made->secret, made->keys, &err);
		if (r < 0)
			r = ctl_fail(r, &err);
		else
			(void)printf("changed the password of '%s'\n", name);
	}
	users_edit_done(&edit);
	return r != EX_OK ? r : ctl_printed();
}

int ctl_user_passwd(struct ctl *ctl)
{
	const char *scheme = scheme_of(ctl);
	struct made made;
	struct names names;
	const char *name;
	bool exists;
	int r;

	if (scheme == NULL)
		return EX_USAGE;
	if (!users_can_edit(ctl))
		return EX_CONFIG;
	r = users_read_names(ctl, &names);
	if (r == EX_OK)
		r = look(ctl, &names, &exists, &name);
	if (r != EX_OK)
		return r;
	if (!exists)
		return users_no_such(ctl);
	r = make_secret(ctl, scheme, name, &made);
	if (r == EX_OK)
		r = set_secret(ctl, &names, &made);
	secret_wipe(&made, sizeof(made));
	return r;
}

int ctl_user_remove(struct ctl *ctl)
{
	struct users_edit edit;
	struct users_line line;
	struct names names;
	const char *name;
	struct err err;
	int r = users_can_edit(ctl) ? users_read_names(ctl, &names) : EX_CONFIG;

	if (r != EX_OK)
		return r;
	r = users_edit_begin(ctl->config.users_file, false, (gid_t)-1, &edit, &err);
	if (r < 0)
		return ctl_fail(r, &err);
	if (!users_find(&edit, &names, &line, &name)) {
		r = users_no_such(ctl);
	} else {
		/* First: or they would be those of the next user of this name. */
		r = ctl_app_password_forget(ctl, name);
		if (r == EX_OK && (r = users_edit_remove(&edit, name, &err)) < 0)
			r = ctl_fail(r, &err);
		else if (r == EX_OK)
			(void)printf("removed '%s'; the mail stays where it is\n", name);
	}
	users_edit_done(&edit);
	return r != EX_OK ? r : ctl_printed();
}

/* ---- reading ---- */

static void say_name(void *arg, const char *name)
{
	(void)arg;
	(void)printf("%s\n", name);
}

int ctl_user_list(struct ctl *ctl)
{
	bool noticed;
	int status;
	struct userdb *db = databases_open(ctl, &noticed, &status);
	struct err err;

	if (db == NULL)
		return status;

	const int r = userdb_list(db, say_name, NULL, &err);

	userdb_free(db);
	return r < 0 ? ctl_fail(r, &err) : ctl_printed();
}

static void print_id(const char *what, uint32_t id)
{
	if (id == PASSWD_NO_ID)
		(void)printf("%s: none\n", what);
	else if (id == PASSWD_BAD_ID)
		(void)printf("%s: not a number\n", what);
	else
		(void)printf("%s: %u\n", what, id);
}

/* Which SCRAM the user can log in by. */
static void print_scram(const struct user_record *record)
{
	char password[LIMIT_PASSWORD + 2];
	const bool plain = scheme_plain(record->secret, password, sizeof(password));
	struct scram_keys keys;
	bool none = true;

	secret_wipe(password, sizeof(password));
	(void)printf("scram:");
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
		if (!plain && !userdb_scram(record, hash, &keys))
			continue;
		(void)printf(" %s", scram_name(hash));
		none = false;
	}
	(void)printf("%s\n", none ? " none" : "");
	secret_wipe(&keys, sizeof(keys));
}

static void print_maildrop(const struct ctl *ctl, const struct user_record *record)
{
	const struct userdb_place place = {
		.mail_location = ctl->config.mail_location,
		.default_domain = ctl->config.default_domain,
		.own_ids = ctl->config.mail_user[0] == '\0',
		.rules = &ctl->config.rules,
		.bounds = config_bounds(&ctl->config),
	};
	struct userdb_maildrop maildrop;
	struct err err;

	if (userdb_maildrop(record, &place, &maildrop, &err) < 0) {
		(void)printf("maildrop: none: %s\n", err.text);
		return;
	}
	(void)printf("maildrop: %s\n", maildrop.path);
	users_print_usage(ctl, &maildrop);
}

static void print_user(const struct ctl *ctl, const struct user_record *record)
{
	(void)printf("name: %s\n", record->name);
	if (record->verifies)
		(void)printf("scheme: none, the database verifies passwords\n");
	else
		(void)printf("scheme: %s\n", scheme_name(record->secret));
	print_scram(record);
	(void)printf("application passwords: %zu\n", ctl_app_password_count(ctl, record->name));
	print_maildrop(ctl, record);
	print_id("uid", record->uid);
	print_id("gid", record->gid);
	if (ctl->config.mail_user[0] != '\0')
		(void)printf("owner: %s (mail_user)\n", ctl->config.mail_user);
	if (record->home[0] != '\0')
		(void)printf("home: %s\n", record->home);
	users_print_rules(ctl, &record->rules);
}

/* In whatever database it is. The caller wipes the record. An exit status. */
static int find_record(const struct ctl *ctl, const struct names *names,
		       struct user_record *ret_record)
{
	bool noticed;
	int status;
	struct userdb *db = databases_open(ctl, &noticed, &status);

	if (db == NULL)
		return status;

	const enum userdb_status found = databases_find(db, names->name, ret_record);

	if (found == USERDB_FOUND)
		status = EX_OK;
	/* A file is away, too, when it's empty: then there is no such user. */
	else if (found == USERDB_AWAY && userdb_may_be_away(db))
		status = ctl_complain(EX_TEMPFAIL, "not every database could be asked for '%s'",
				      ctl->name);
	else
		status = ctl->config.userdb.n > 0
				 ? ctl_complain(EX_NOUSER, "there is no user '%s'", ctl->name)
				 : users_no_such(ctl);
	userdb_free(db);
	return status;
}

int ctl_find_user(const struct ctl *ctl, char ret_name[LIMIT_USER + 1])
{
	struct user_record record;
	struct names names;
	int status = users_read_names(ctl, &names);

	if (status == EX_OK)
		status = find_record(ctl, &names, &record);
	if (status != EX_OK)
		return status;
	memcpy(ret_name, record.name, sizeof(record.name));
	secret_wipe(&record, sizeof(record));
	return EX_OK;
}

int ctl_user_show(struct ctl *ctl)
{
	struct user_record record;
	struct names names;
	int status = users_read_names(ctl, &names);

	if (status == EX_OK)
		status = find_record(ctl, &names, &record);
	if (status != EX_OK)
		return status;
	print_user(ctl, &record);
	secret_wipe(&record, sizeof(record));
	return ctl_printed();
}
