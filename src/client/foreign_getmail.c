/* SPDX-License-Identifier: MIT */
/*
 * getmailrc: sections of "name = value", an account a file (getmail's configuration guide).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "base/secret.h"
#include "client/foreign_config_priv.h"

struct reading {
	struct foreign_config *c;
	struct foreign_account values;
	unsigned line;
	char section[32];
	char type[64];        /* the retriever's */
	char destination[64]; /* its type */
	char path[LIMIT_PATH];
	bool deletes;
	bool reads_all;
	char delete_after[32];
	struct err *err;
};

static bool is_yes(const char *text)
{
	return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 ||
	       strcasecmp(text, "on") == 0 || strcmp(text, "1") == 0;
}

/* ("program", "argument", ...), as Python has it, for a shell. False: it isn't that. */
static bool command_of(const char *tuple, char *ret_command, size_t cap)
{
	struct out o = {.p = ret_command, .cap = cap - 1};
	bool ok = true;

	for (const char *p = tuple; ok && *p != '\0'; p++) {
		const char quote = *p;

		if (strchr("(), \t", quote) != NULL)
			continue;
		ok = quote == '"' || quote == '\'';
		ok = ok && (o.n == 0 || out_char(&o, ' ')) && out_char(&o, '\'');
		while (ok && *++p != quote)
			ok = *p != '\0' && *p != '\\' &&
			     (*p == '\'' ? out_put(&o, SPAN_LIT("'\\''")) : out_char(&o, *p));
		ok = ok && out_char(&o, '\'');
	}
	ret_command[o.n] = '\0';
	return ok && o.n > 0;
}

static bool retriever(struct reading *r, const char *name, const char *value)
{
	static const struct {
		const char *name;
		const char *option;
	} options[] = {{"server", "host"},         {"port", "port"},       {"username", "user"},
		       {"password", "password"},   {"timeout", "timeout"}, {"ca_certs", NULL},
		       {"password_command", NULL}, {"type", NULL}};
	struct account *const a = &r->values.account;
	size_t i = 0;

	while (i < sizeof(options) / sizeof(options[0]) && strcmp(options[i].name, name) != 0)
		i++;
	if (i == sizeof(options) / sizeof(options[0]))
		return strcmp(name, "use_apop") == 0 && !is_yes(value);
	if (options[i].option != NULL)
		foreign_set(r->c, &r->values, options[i].option, r->line, value);
	else if (strcmp(name, "type") == 0)
		(void)snprintf(r->type, sizeof(r->type), "%.63s", value);
	else if (strcmp(name, "ca_certs") == 0)
		foreign_path(r->c, value, a->cafile);
	else
		return command_of(value, a->password_command, sizeof(a->password_command));
	return true;
}

static bool destination(struct reading *r, const char *name, const char *value)
{
	if (strcmp(name, "type") == 0) {
		(void)snprintf(r->destination, sizeof(r->destination), "%.63s", value);
		return strcasecmp(value, "Maildir") == 0;
	}
	if (strcmp(name, "path") != 0)
		return false;
	foreign_path(r->c, value, r->path);
	return true;
}

static bool option(struct reading *r, const char *name, const char *value)
{
	if (strcmp(name, "delete") == 0)
		r->deletes = is_yes(value);
	else if (strcmp(name, "read_all") == 0)
		r->reads_all = is_yes(value);
	else if (strcmp(name, "delete_after") == 0)
		(void)snprintf(r->delete_after, sizeof(r->delete_after), "%.20sd", value);
	else if (strcmp(name, "max_messages_per_session") == 0)
		foreign_set(r->c, &r->values, "max_messages", r->line, value);
	else if (strcmp(name, "max_message_size") == 0)
		foreign_set(r->c, &r->values, "max_size", r->line, value);
	else
		return strcmp(name, "verbose") == 0;
	return true;
}

static int read_line(struct reading *r, struct span line)
{
	char text[LIMIT_PATH];
	char *value;
	size_t n;
	bool taken;

	if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
		return 0;
	if (line.n >= sizeof(text) || memchr(line.p, '\0', line.n) != NULL)
		return err_set(r->err, EINVAL, "%u: a line that is too long, or has a NUL",
			       r->line);
	memcpy(text, line.p, line.n);
	text[line.n] = '\0';
	if (text[0] == '[') {
		text[strcspn(text, "]")] = '\0';
		(void)snprintf(r->section, sizeof(r->section), "%.31s", text + 1);
		return 0;
	}
	n = strcspn(text, "=:");
	if (text[n] == '\0') {
		foreign_remark(r->c, r->line, "left out: %s", text);
		return 0;
	}
	value = text + n + 1 + strspn(text + n + 1, " \t");
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	text[n] = '\0';
	for (char *p = text; *p != '\0'; p++)
		*p = span_ascii_lower(*p);
	taken = strcmp(r->section, "retriever") == 0     ? retriever(r, text, value)
		: strcmp(r->section, "destination") == 0 ? destination(r, text, value)
		: strcmp(r->section, "options") == 0     ? option(r, text, value)
							 : false;
	if (!taken)
		foreign_remark(r->c, r->line, "left out: [%s] %s", r->section, text);
	return 0;
}

/* oldmail-SERVER-PORT-USER, where what could be no file's name is a dash. */
static void seen_file(const struct reading *r, struct foreign_account *a)
{
	char name[LIMIT_PATH];
	size_t n = 0;
	bool dash = false;

	(void)snprintf(name, sizeof(name), "oldmail-%s-%u-%s", a->account.host,
		       (unsigned)account_port(&a->account), a->account.user);
	for (const char *p = name; *p != '\0'; p++) {
		const bool odd = strchr("/:;<>|", *p) != NULL;

		if (!odd || !dash)
			name[n++] = odd ? '-' : *p;
		dash = odd;
	}
	name[n] = '\0';
	foreign_path(r->c, name, a->seen_file);
}

static int end(struct reading *r)
{
	struct foreign_account *a;

	if (strstr(r->type, "POP3") == NULL || r->values.account.host[0] == '\0' ||
	    r->values.account.user[0] == '\0') {
		foreign_remark(r->c, r->line, "left out: %s",
			       strstr(r->type, "POP3") == NULL ? "it isn't POP3"
							       : "no server or username");
		return 0;
	}
	a = foreign_add(r->c, &r->values, 1);
	if (a == NULL)
		return err_sys(r->err, ENOMEM, "%u", r->line);
	a->account.tls = strstr(r->type, "SSL") != NULL ? ACCOUNT_TLS_IMPLICIT : ACCOUNT_TLS_NONE;
	if (a->account.tls == ACCOUNT_TLS_NONE)
		foreign_remark(r->c, 1,
			       "no TLS, as it was: everybody on the way can read the "
			       "mail, and perhaps the password");
	if (strcasecmp(r->destination, "Maildir") == 0)
		memcpy(a->account.maildir, r->path, sizeof(r->path));
	a->account.on_server = r->deletes ? ACCOUNT_DELETE : ACCOUNT_KEEP;
	if (!r->deletes && r->delete_after[0] != '\0' && strcmp(r->delete_after, "0d") != 0)
		foreign_set(r->c, a, "delete_after", r->line, r->delete_after);
	if (!r->deletes && r->reads_all)
		foreign_remark(r->c, 1,
			       "getmail fetched everything each time; restante what is new");
	memcpy(a->seen_host, a->account.host, sizeof(a->seen_host));
	seen_file(r, a);
	return 0;
}

int foreign_getmail(struct foreign_config *c, struct span text, struct err *err)
{
	struct reading *const r = calloc(1, sizeof(*r));
	struct span line;
	int e = 0;

	if (r == NULL)
		return err_sys(err, ENOMEM, "cannot read it");
	r->c = c;
	r->err = err;
	r->reads_all = true;
	account_init(&r->values.account);
	while (e == 0 && foreign_line(&text, &line)) {
		r->line++;
		e = read_line(r, line);
	}
	if (e == 0)
		e = end(r);
	secret_wipe(r, sizeof(*r));
	free(r);
	return e;
}
