/* SPDX-License-Identifier: MIT */
/*
 * .fdm.conf: statements of words (fdm.conf(5)). Its rules are a language of their own, which
 * restante hasn't; accounts and the one Maildir are what can be taken over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "client/foreign_config_priv.h"

#define MACROS_MAX 64

struct macro {
	char name[64]; /* with its '$' or '%' */
	char value[LIMIT_PATH];
};

struct reading {
	struct foreign_config *c;
	struct foreign_reader words;
	struct foreign_word word; /* the one that is looked at */
	bool over;
	struct macro macros[MACROS_MAX];
	size_t n;
	char maildir[LIMIT_PATH]; /* of the first action that has one */
	unsigned maildirs;
	char timeout[32];
	struct err *err;
};

static int next(struct reading *r)
{
	const int e = foreign_next(&r->words, &r->word, r->err);

	r->over = e == 0;
	return e < 0 ? e : 0;
}

/* "${name}" in strings, and "$name" as a word; "%h" is home. */
static void expand(const struct reading *r, char text[static LIMIT_PATH])
{
	char made[LIMIT_PATH] = "";
	const char *const home = getenv("HOME");
	size_t n = 0;

	for (const char *p = text; *p != '\0';) {
		const char *with = NULL;
		size_t used = 0;

		if (p[0] == '%' && p[1] == 'h' && home != NULL) {
			with = home;
			used = 2;
		}
		for (size_t i = 0; i < r->n && with == NULL; i++) {
			const char *const name = r->macros[i].name;
			const size_t length = strlen(name) - 1;

			if (p[0] != name[0])
				continue;
			if (p[1] == '{' && strncmp(p + 2, name + 1, length) == 0 &&
			    p[2 + length] == '}')
				used = length + 3;
			else if (p == text && strcmp(p, name) == 0)
				used = length + 1;
			else
				continue;
			with = r->macros[i].value;
		}
		if (with == NULL) {
			with = p;
			used = 1;
		}

		const size_t more = used == 1 ? 1 : strlen(with);

		if (more > sizeof(made) - 1 - n)
			return;
		memcpy(made + n, with, more);
		n += more;
		p += used;
	}
	made[n] = '\0';
	memcpy(text, made, n + 1);
}

static bool is(const struct reading *r, const char *word)
{
	return foreign_is(&r->word, word);
}

static bool begins_statement(const struct reading *r)
{
	return r->over || is(r, "account") || is(r, "action") || is(r, "match") || is(r, "set") ||
	       is(r, "include") || (!r->word.quoted && strchr("$%", r->word.text[0]) != NULL);
}

static int macro(struct reading *r)
{
	struct macro m;
	int e;

	memset(&m, 0, sizeof(m));
	(void)snprintf(m.name, sizeof(m.name), "%.63s", r->word.text);
	e = next(r);
	if (e < 0 || !is(r, "="))
		return e;
	e = next(r);
	if (e < 0 || r->over)
		return e;
	expand(r, r->word.text);
	memcpy(m.value, r->word.text, sizeof(m.value));
	if (r->n == MACROS_MAX || m.name[1] == '\0')
		foreign_remark(r->c, r->word.line, "left out: %s", m.name);
	else
		r->macros[r->n++] = m;
	return next(r);
}

/* The words of a statement that nothing is done with. */
static int pass_over(struct reading *r)
{
	int e = next(r);

	/* A "$macro" in the middle of a rule only looks like the beginning of one. */
	while (e == 0 && !begins_statement(r))
		e = next(r);
	return e;
}

static int set(struct reading *r)
{
	const unsigned line = r->word.line;
	char name[64];
	int e = next(r);

	if (e < 0 || r->over)
		return e;
	(void)snprintf(name, sizeof(name), "%.63s", r->word.text);
	e = next(r);
	if (strcmp(name, "timeout") == 0 && e == 0) {
		(void)snprintf(r->timeout, sizeof(r->timeout), "%.31s", r->word.text);
		return next(r);
	}
	foreign_remark(r->c, line, "left out: set %s", name);
	while (e == 0 && !begins_statement(r))
		e = next(r);
	return e;
}

static int action(struct reading *r)
{
	const unsigned line = r->word.line;
	char name[64];
	int e = next(r);

	(void)snprintf(name, sizeof(name), "%.63s", r->word.text);
	if (e == 0)
		e = next(r);
	if (e == 0 && is(r, "maildir")) {
		e = next(r);
		if (e == 0) {
			expand(r, r->word.text);
			if (r->maildirs++ == 0)
				foreign_path(r->c, r->word.text, r->maildir);
			else
				foreign_remark(r->c, line, "left out: action %s, a second Maildir",
					       name);
		}
		return e < 0 ? e : pass_over(r);
	}
	foreign_remark(r->c, line, "left out: action %s", name);
	while (e == 0 && !begins_statement(r))
		e = next(r);
	return e;
}

/* What is done with the mail stands at its end: "action NAME" or "actions { NAME ... }". */
static int match(struct reading *r)
{
	const unsigned line = r->word.line;
	bool acted = false;
	int e = next(r);

	if (e == 0 && !is(r, "all"))
		foreign_remark(r->c, line, "left out: a rule: match %s", r->word.text);
	while (e == 0 && (!begins_statement(r) || (is(r, "action") && !acted))) {
		acted = acted || is(r, "action") || is(r, "actions");
		e = next(r);
	}
	return e;
}

/* A word behind which its value stands. *ret_taken: it was such a one. */
static int value(struct reading *r, struct foreign_account *a, bool *ret_taken)
{
	static const struct {
		const char *word;
		const char *option; /* NULL: the cache */
	} words[] = {{"server", "host"},
		     {"port", "port"},
		     {"user", "user"},
		     {"pass", "password"},
		     {"cache", NULL}};
	size_t i = 0;
	int e;

	while (i < sizeof(words) / sizeof(words[0]) && !is(r, words[i].word))
		i++;
	*ret_taken = i < sizeof(words) / sizeof(words[0]);
	if (!*ret_taken)
		return 0;
	e = next(r);
	if (e < 0 || r->over)
		return e;
	expand(r, r->word.text);
	if (words[i].option == NULL)
		foreign_path(r->c, r->word.text, a->seen_file);
	else if (strcmp(r->word.text, "pop3") == 0 || strcmp(r->word.text, "pop3s") == 0)
		foreign_set(r->c, a, words[i].option, r->word.line,
			    r->word.text[4] == '\0' ? "110" : "995");
	else
		foreign_set(r->c, a, words[i].option, r->word.line, r->word.text);
	return next(r);
}

static int details(struct reading *r, struct foreign_account *a)
{
	bool taken;
	int e = 0;

	while (e == 0 && !begins_statement(r)) {
		e = value(r, a, &taken);
		if (taken)
			continue;
		if (is(r, "keep"))
			a->account.on_server = ACCOUNT_KEEP;
		else if (is(r, "starttls"))
			a->account.tls = ACCOUNT_TLS_STLS;
		else if (is(r, "no-verify"))
			foreign_remark(r->c, r->word.line,
				       "restante verifies certificates, always");
		else if (!is(r, "new-only") && !is(r, "no-apop"))
			foreign_remark(r->c, r->word.line, "left out: %s", r->word.text);
		e = next(r);
	}
	return e;
}

static int account(struct reading *r)
{
	struct foreign_account a;
	struct foreign_account *added;
	int e = next(r);

	memset(&a, 0, sizeof(a));
	account_init(&a.account);
	a.account.on_server = ACCOUNT_DELETE;
	a.line = r->word.line;
	(void)snprintf(a.account.name, sizeof(a.account.name), "%.64s", r->word.text);
	if (e == 0)
		e = next(r);
	if (e == 0 && is(r, "disabled"))
		e = next(r);
	if (e < 0)
		return e;
	if (!is(r, "pop3") && !is(r, "pop3s")) {
		foreign_remark(r->c, a.line, "%s left out: it isn't POP3", a.account.name);
		return pass_over(r);
	}
	a.account.tls = is(r, "pop3s") ? ACCOUNT_TLS_IMPLICIT : ACCOUNT_TLS_NONE;
	e = next(r);
	if (e == 0)
		e = details(r, &a);
	if (e < 0)
		return e;
	if (a.account.host[0] == '\0' || a.account.user[0] == '\0') {
		foreign_remark(r->c, a.line, "%s left out: no server or user", a.account.name);
		return 0;
	}
	if (a.account.tls == ACCOUNT_TLS_NONE)
		foreign_remark(r->c, a.line,
			       "no TLS, as it was: everybody on the way can read "
			       "the mail, and perhaps the password");
	memcpy(a.seen_host, a.account.host, sizeof(a.seen_host));
	added = foreign_add(r->c, &a, a.line);
	secret_wipe(&a, sizeof(a));
	return added == NULL ? err_sys(r->err, ENOMEM, "%u", r->word.line) : 0;
}

static int statement(struct reading *r)
{
	if (is(r, "account"))
		return account(r);
	if (is(r, "action"))
		return action(r);
	if (is(r, "match"))
		return match(r);
	if (is(r, "set"))
		return set(r);
	if (!r->word.quoted && strchr("$%", r->word.text[0]) != NULL)
		return macro(r);
	foreign_remark(r->c, r->word.line, "left out: %s", r->word.text);
	return pass_over(r);
}

int foreign_fdm(struct foreign_config *c, struct span text, struct err *err)
{
	struct reading *const r = calloc(1, sizeof(*r));
	int e;

	if (r == NULL)
		return err_sys(err, ENOMEM, "cannot read it");
	r->c = c;
	r->err = err;
	r->words = (struct foreign_reader){text, 1, "", "={}()"};
	e = next(r);
	while (e == 0 && !r->over)
		e = statement(r);
	for (size_t i = 0; i < c->n && e == 0; i++) {
		memcpy(c->accounts[i].account.maildir, r->maildir, sizeof(r->maildir));
		if (r->timeout[0] != '\0')
			foreign_set(c, &c->accounts[i], "timeout", 1, r->timeout);
	}
	secret_wipe(r, sizeof(*r));
	free(r);
	return e;
}
