/* SPDX-License-Identifier: MIT */
/*
 * .mpoprc: a command and its argument in each line (mpop(1), "COMMANDS").
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "client/foreign_config_priv.h"

struct entry {
	char name[ACCOUNT_NAME_MAX + 1];
	struct foreign_account values;
	bool tls;
	bool no_starttls;
};

struct reading {
	struct foreign_config *c;
	struct entry *entries; /* the first are the defaults. Owned */
	size_t n;
	unsigned line;
	struct err *err;
};

/* Commands that are a restante option of the same meaning. */
static const struct {
	const char *command;
	const char *option;
} options[] = {
	{"host", "host"},
	{"port", "port"},
	{"user", "user"},
	{"password", "password"},
	{"passwordeval", "password_command"},
	{"skipsize", "max_size"},
};

static struct entry *last(struct reading *r)
{
	return &r->entries[r->n - 1];
}

/* "NAME" or "NAME : OTHER,...": with what the others, or the defaults, have. */
static int begin(struct reading *r, const char *argument)
{
	const size_t n = strcspn(argument, " \t:");
	const char *parents = argument + n + strspn(argument + n, " \t:");
	struct entry *const more = r->n > FOREIGN_ACCOUNTS_MAX ? NULL
							       : calloc(r->n + 1, sizeof(*more));
	size_t like = 0;

	if (more == NULL)
		return err_sys(r->err, ENOMEM, "%u", r->line);
	/* The old ones are wiped where they were: they hold passwords. */
	if (r->n > 0) {
		memcpy(more, r->entries, r->n * sizeof(*more));
		secret_wipe(r->entries, r->n * sizeof(*more));
	}
	free(r->entries);
	r->entries = more;
	if (strchr(parents, ',') != NULL)
		foreign_remark(r->c, r->line, "left out: all but the first of %s", parents);
	for (size_t i = 1; i < r->n; i++) {
		if (parents[0] != '\0' && strlen(more[i].name) == strcspn(parents, " \t,") &&
		    strncmp(more[i].name, parents, strlen(more[i].name)) == 0)
			like = i;
	}
	if (r->n > 0)
		more[r->n] = more[like];
	(void)snprintf(more[r->n].name, sizeof(more[r->n].name), "%.*s",
		       n > ACCOUNT_NAME_MAX ? ACCOUNT_NAME_MAX : (int)n, argument);
	more[r->n++].values.line = r->line;
	return 0;
}

static void auth(struct reading *r, const char *argument)
{
	if (strcmp(argument, "on") != 0)
		foreign_set(r->c, &last(r)->values, "auth", r->line, argument);
}

static void delivery(struct reading *r, const char *argument)
{
	if (strncmp(argument, "maildir ", 8) == 0)
		foreign_path(r->c, argument + 8 + strspn(argument + 8, " \t"),
			     last(r)->values.account.maildir);
	else
		foreign_remark(r->c, r->line, "left out: delivery %s", argument);
}

static void trust(struct reading *r, const char *argument)
{
	if (strcmp(argument, "system") != 0)
		foreign_path(r->c, argument, last(r)->values.account.cafile);
}

/* False: restante has nothing of that name. */
static bool command(struct reading *r, const char *name, const char *argument)
{
	struct entry *const e = last(r);
	const bool on = argument[0] == '\0' || strcmp(argument, "on") == 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].command, name) == 0) {
			foreign_set(r->c, &e->values, options[i].option, r->line, argument);
			return true;
		}
	}
	if (strcmp(name, "keep") == 0)
		e->values.account.on_server = on ? ACCOUNT_KEEP : ACCOUNT_DELETE;
	else if (strcmp(name, "tls") == 0)
		e->tls = on;
	else if (strcmp(name, "tls_starttls") == 0)
		e->no_starttls = !on;
	else if (strcmp(name, "tls_trust_file") == 0)
		trust(r, argument);
	else if (strcmp(name, "auth") == 0)
		auth(r, argument);
	else if (strcmp(name, "delivery") == 0)
		delivery(r, argument);
	else if (strcmp(name, "uidls_file") == 0)
		(void)snprintf(e->values.seen_file, sizeof(e->values.seen_file), "%.1023s",
			       argument);
	else if (strcmp(name, "timeout") == 0 && strcmp(argument, "off") != 0)
		foreign_set(r->c, &e->values, "timeout", r->line, argument);
	else
		return strcmp(name, "only_new") == 0 && on;
	return true;
}

static int read_line(struct reading *r, struct span line)
{
	char text[LIMIT_PATH];
	char *argument;
	size_t n;

	if (line.n == 0 || line.p[0] == '#')
		return 0;
	if (line.n >= sizeof(text) || memchr(line.p, '\0', line.n) != NULL)
		return err_set(r->err, EINVAL, "%u: a line that is too long, or has a NUL",
			       r->line);
	memcpy(text, line.p, line.n);
	text[line.n] = '\0';
	n = strcspn(text, " \t");
	argument = text + n + strspn(text + n, " \t");
	text[n] = '\0';
	n = strlen(argument);
	if (n >= 2 && argument[0] == '"' && argument[n - 1] == '"') {
		argument[n - 1] = '\0';
		argument++;
	}
	if (strcmp(text, "account") == 0)
		return begin(r, argument);
	if (strcmp(text, "defaults") == 0) {
		if (r->n > 1)
			foreign_remark(r->c, r->line, "left out: defaults behind accounts");
		return 0;
	}
	if (!command(r, text, argument))
		foreign_remark(r->c, r->line, "left out: %s%s%s", text,
			       argument[0] == '\0' ? "" : " ",
			       strcmp(text, "proxy_password") == 0 ? "" : argument);
	return 0;
}

/* "%U" is the user and "%H" the host. */
static void seen_file(const struct reading *r, struct foreign_account *a)
{
	char pattern[LIMIT_PATH];
	char name[LIMIT_PATH];
	size_t n = 0;

	(void)snprintf(pattern, sizeof(pattern), "%s",
		       a->seen_file[0] == '\0' ? "~/.mpop_uidls/%U_at_%H" : a->seen_file);
	for (const char *p = pattern; *p != '\0' && n < sizeof(name) - LIMIT_USER - 1; p++) {
		const char *const with = p[0] != '%'   ? NULL
					 : p[1] == 'U' ? a->account.user
					 : p[1] == 'H' ? a->account.host
						       : NULL;

		if (with == NULL) {
			name[n++] = *p;
			continue;
		}
		memcpy(name + n, with, strlen(with));
		n += strlen(with);
		p++;
	}
	name[n] = '\0';
	foreign_path(r->c, name, a->seen_file);
}

static int end(struct reading *r, const struct entry *e)
{
	struct foreign_account *a;

	if (e->values.account.host[0] == '\0' || e->values.account.user[0] == '\0') {
		foreign_remark(r->c, e->values.line, "%s left out: no host or user", e->name);
		return 0;
	}
	a = foreign_add(r->c, &e->values, e->values.line);
	if (a == NULL)
		return err_sys(r->err, ENOMEM, "%u", e->values.line);
	memcpy(a->account.name, e->name, sizeof(e->name));
	memcpy(a->seen_host, a->account.host, sizeof(a->seen_host));
	a->account.tls = !e->tls          ? ACCOUNT_TLS_NONE
			 : e->no_starttls ? ACCOUNT_TLS_IMPLICIT
					  : ACCOUNT_TLS_STLS;
	if (!e->tls)
		foreign_remark(r->c, a->line,
			       "no TLS, as it was: everybody on the way can read "
			       "the mail, and perhaps the password");
	seen_file(r, a);
	return 0;
}

int foreign_mpop(struct foreign_config *c, struct span text, struct err *err)
{
	struct reading r = {.c = c, .err = err};
	struct span line;
	int e = begin(&r, "");

	if (e == 0) {
		account_init(&r.entries[0].values.account);
		r.entries[0].values.account.on_server = ACCOUNT_DELETE;
	}
	while (e == 0 && foreign_line(&text, &line)) {
		r.line++;
		e = read_line(&r, line);
	}
	/* Without any "account" it is one, of no name. */
	for (size_t i = r.n == 1 ? 0 : 1; i < r.n && e == 0; i++)
		e = end(&r, &r.entries[i]);
	if (r.entries != NULL)
		secret_wipe(r.entries, r.n * sizeof(*r.entries));
	free(r.entries);
	return e;
}
