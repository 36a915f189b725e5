/* SPDX-License-Identifier: MIT */
#include "ctl/old_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/num.h"
#include "base/out.h"
#include "base/secret.h"
#include "auth/user_name.h"

#define PASSWORDS_MAX ((size_t)16 << 20)

static int read_where(struct ctl_server *s, const char *where)
{
	const struct span all = span_str(where);
	const char *const colon = strrchr(where, ':');
	/* An IPv6 address has colons of its own; without brackets there is no port behind it. */
	const bool bracketed = where[0] == '[';
	const bool has_port = colon != NULL &&
			      (bracketed ? colon[-1] == ']' : strchr(where, ':') == colon);
	struct span host = has_port ? span_of(where, (size_t)(colon - where)) : all;
	uint64_t port = 0;

	if (bracketed && host.n > 2 && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (host.n == 0 || host.n > LIMIT_ADDRESS ||
	    (has_port && (!num_parse_u64(span_str(colon + 1), UINT16_MAX, &port) || port == 0)))
		return ctl_complain(EX_USAGE, "'%s' isn't HOST or HOST:PORT", where);
	memcpy(s->host, host.p, host.n);
	s->host[host.n] = '\0';
	s->server.host = s->host;
	s->server.port = (uint16_t)port;
	return EX_OK;
}

static int read_tls(struct ctl_server *s, const char *tls)
{
	static const struct {
		const char *word;
		enum import_tls tls;
	} words[] = {
		{"implicit", IMPORT_TLS_IMPLICIT},
		{"stls", IMPORT_TLS_STARTTLS},
		{"send-passwords-in-clear", IMPORT_TLS_NONE},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (tls == NULL || strcmp(words[i].word, tls) == 0) {
			s->server.tls = words[i].tls;
			return EX_OK;
		}
	}
	return ctl_complain(EX_USAGE,
			    "TLS is 'implicit', 'stls' or 'send-passwords-in-clear', and not '%s'",
			    tls);
}

int ctl_server_init(struct ctl_server *s, const char *where, const char *tls, const char *cafile,
		    const char *login, const char *passwords)
{
	struct err err;
	int status = read_where(s, where);

	if (status == EX_OK)
		status = read_tls(s, tls);
	if (status != EX_OK)
		return status;
	s->server.cafile = cafile;
	s->login = login;
	s->passwords_path = passwords;
	if (passwords == NULL)
		return EX_OK;

	const int r = text_file_read(passwords, PASSWORDS_MAX, &s->passwords, &err);

	if (r < 0)
		return ctl_fail(r, &err);
	if (s->passwords.others_may)
		return ctl_complain(EX_NOPERM, "'%s' has passwords, and others may read it",
				    passwords);
	return EX_OK;
}

void ctl_server_done(struct ctl_server *s)
{
	if (s->passwords.text != NULL)
		secret_wipe(s->passwords.text, s->passwords.n);
	free(s->passwords.text);
	secret_wipe(s->asked, sizeof(s->asked));
	*s = (struct ctl_server){.login = NULL};
}

static bool make_login(const char *pattern, const struct ctl *ctl, const char *user,
		       char ret_login[static LIMIT_USER + 1])
{
	struct out out = {.p = ret_login, .cap = LIMIT_USER};
	const struct span name = span_str(user);
	const struct span domain = user_name_domain(name);
	bool ok = true;

	for (const char *p = pattern; *p != '\0' && ok; p++) {
		if (*p != '%') {
			ok = out_char(&out, *p);
			continue;
		}
		p++;
		if (*p == 'u')
			ok = out_put(&out, name);
		else if (*p == 'n')
			ok = out_put(&out, user_name_local(name));
		else if (*p == 'd')
			ok = out_put(&out,
				     domain.n > 0 ? domain : span_str(ctl->config.default_domain));
		else
			ok = *p == '%' && out_char(&out, '%');
	}
	ret_login[out.n] = '\0';
	return ok && out.n > 0;
}

int ctl_server_login(const char *pattern, const struct ctl *ctl, const char *user,
		     char ret_login[static LIMIT_USER + 1])
{
	if (make_login(pattern != NULL ? pattern : "%u", ctl, user, ret_login))
		return EX_OK;
	return ctl_complain(EX_USAGE, "'%s' makes no login of '%s'", pattern, user);
}

/* The line "user:password", or "*:password" for those that have none of their own. */
static bool find_password(const struct text_file *f, const char *user, struct span *ret_password)
{
	struct span rest = span_of(f->text, f->n);
	bool found = false;

	while (rest.n > 0) {
		const size_t n = span_find(rest, '\n');
		struct span line = span_of(rest.p, n);
		const size_t colon = span_find(line, ':');

		span_skip(&rest, n < rest.n ? n + 1 : n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 || line.p[0] == '#' || colon >= line.n)
			continue;

		const struct span name = span_of(line.p, colon);

		if (span_eq_nocase(name, span_str(user)) ||
		    (!found && span_eq(name, SPAN_LIT("*")))) {
			*ret_password = span_of(line.p + colon + 1, line.n - colon - 1);
			found = true;
			if (name.p[0] != '*')
				return true;
		}
	}
	return found;
}

static int ask(struct ctl_server *s, const char *login)
{
	char prompt[LIMIT_USER + LIMIT_ADDRESS + 32];
	struct err err;
	int r;

	if (s->asked[0] != '\0')
		return EX_OK;
	(void)snprintf(prompt, sizeof(prompt), "Password of %s at %s: ", login, s->host);
	r = isatty(STDIN_FILENO) ? ask_password(prompt, s->asked, LIMIT_PASSWORD + 1, &err)
				 : ask_password_line(s->asked, LIMIT_PASSWORD + 1, &err);
	return r < 0 ? ctl_fail(r, &err) : EX_OK;
}

int ctl_server_user(struct ctl_server *s, const struct ctl *ctl, const struct ctl_maildrop *m,
		    char ret_login[static LIMIT_USER + 1],
		    char ret_password[static LIMIT_PASSWORD + 2], struct import_server *ret_server)
{
	struct span password = span_of(NULL, 0);
	int status = ctl_server_login(s->login, ctl, m->user, ret_login);

	if (status != EX_OK)
		return status;
	if (s->passwords_path == NULL) {
		status = ask(s, ret_login);
		if (status != EX_OK)
			return status;
		password = span_str(s->asked);
	} else if (!find_password(&s->passwords, m->user, &password)) {
		return ctl_complain(EX_NOUSER, "%s: there is no password in '%s'", m->user,
				    s->passwords_path);
	}
	if (password.n > LIMIT_PASSWORD)
		return ctl_complain(EX_DATAERR, "%s: the password is too long", m->user);
	memcpy(ret_password, password.n == 0 ? "" : password.p, password.n);
	ret_password[password.n] = '\0';
	*ret_server = s->server;
	ret_server->user = ret_login;
	ret_server->password = ret_password;
	return EX_OK;
}
