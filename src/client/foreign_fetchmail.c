/* SPDX-License-Identifier: MIT */
/*
 * .fetchmailrc: entries of a server and its users, in words (fetchmail(1), "THE RUN CONTROL FILE").
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "client/foreign_config_priv.h"

enum takes { NOTHING, ONE, LIST };

/* What is done with a word. IGNORED is the same with restante, or is about nothing of it. */
enum deed {
	IGNORED,
	LEFT_OUT,
	ENTRY,
	DEFAULTS,
	GLOBAL,
	NO,
	USER,
	PROTOCOL,
	PORT,
	VIA,
	SSL,
	SSLPROTO,
	SSLCERTCK,
	KEEP,
	OPTION, /* an account's, of that name */
};

static const struct keyword {
	const char *word;
	enum takes takes;
	enum deed deed;
	const char *option;
} keywords[] = {
	{"poll", ONE, ENTRY, NULL},
	{"server", ONE, ENTRY, NULL},
	{"skip", ONE, ENTRY, NULL},
	{"defaults", NOTHING, DEFAULTS, NULL},
	{"set", NOTHING, GLOBAL, NULL},
	{"no", NOTHING, NO, NULL},
	{"user", ONE, USER, NULL},
	{"username", ONE, USER, NULL},
	{"proto", ONE, PROTOCOL, NULL},
	{"protocol", ONE, PROTOCOL, NULL},
	{"port", ONE, PORT, NULL},
	{"service", ONE, PORT, NULL},
	{"via", ONE, VIA, NULL},
	{"timeout", ONE, OPTION, "timeout"},
	{"pass", ONE, OPTION, "password"},
	{"password", ONE, OPTION, "password"},
	{"limit", ONE, OPTION, "max_size"},
	{"fetchlimit", ONE, OPTION, "max_messages"},
	{"sslcertfile", ONE, OPTION, "cafile"},
	{"ssl", NOTHING, SSL, NULL},
	{"sslproto", ONE, SSLPROTO, NULL},
	{"sslcertck", NOTHING, SSLCERTCK, NULL},
	{"keep", NOTHING, KEEP, NULL},
	{"and", NOTHING, IGNORED, NULL},
	{"with", NOTHING, IGNORED, NULL},
	{"has", NOTHING, IGNORED, NULL},
	{"wants", NOTHING, IGNORED, NULL},
	{"options", NOTHING, IGNORED, NULL},
	{"here", NOTHING, IGNORED, NULL},
	{"there", NOTHING, IGNORED, NULL},
	{"uidl", NOTHING, IGNORED, NULL},
	{"fastuidl", ONE, IGNORED, NULL},
	{"dns", NOTHING, IGNORED, NULL},
	{"is", LIST, IGNORED, NULL},
	{"to", LIST, LEFT_OUT, NULL},
	{"aka", LIST, LEFT_OUT, NULL},
	{"localdomains", LIST, LEFT_OUT, NULL},
	{"folder", LIST, LEFT_OUT, NULL},
	{"smtphost", LIST, LEFT_OUT, NULL},
	{"smtp", LIST, LEFT_OUT, NULL},
	{"fetchdomains", LIST, LEFT_OUT, NULL},
	{"antispam", LIST, LEFT_OUT, NULL},
	{"mda", ONE, LEFT_OUT, NULL},
	{"bsmtp", ONE, LEFT_OUT, NULL},
	{"lmtp", NOTHING, LEFT_OUT, NULL},
	{"smtpaddress", ONE, LEFT_OUT, NULL},
	{"smtpname", ONE, LEFT_OUT, NULL},
	{"auth", ONE, LEFT_OUT, NULL},
	{"authenticate", ONE, LEFT_OUT, NULL},
	{"interval", ONE, LEFT_OUT, NULL},
	{"envelope", ONE, LEFT_OUT, NULL},
	{"qvirtual", ONE, LEFT_OUT, NULL},
	{"interface", ONE, LEFT_OUT, NULL},
	{"monitor", ONE, LEFT_OUT, NULL},
	{"plugin", ONE, LEFT_OUT, NULL},
	{"plugout", ONE, LEFT_OUT, NULL},
	{"principal", ONE, LEFT_OUT, NULL},
	{"esmtpname", ONE, LEFT_OUT, NULL},
	{"esmtppassword", ONE, LEFT_OUT, NULL},
	{"badheader", ONE, LEFT_OUT, NULL},
	{"sslcert", ONE, LEFT_OUT, NULL},
	{"sslkey", ONE, LEFT_OUT, NULL},
	{"sslcertpath", ONE, LEFT_OUT, NULL},
	{"sslcommonname", ONE, LEFT_OUT, NULL},
	{"sslfingerprint", ONE, LEFT_OUT, NULL},
	{"preconnect", ONE, LEFT_OUT, NULL},
	{"postconnect", ONE, LEFT_OUT, NULL},
	{"warnings", ONE, LEFT_OUT, NULL},
	{"batchlimit", ONE, LEFT_OUT, NULL},
	{"fetchsizelimit", ONE, LEFT_OUT, NULL},
	{"expunge", ONE, LEFT_OUT, NULL},
	{"properties", ONE, LEFT_OUT, NULL},
	{"checkalias", NOTHING, LEFT_OUT, NULL},
	{"tracepolls", NOTHING, LEFT_OUT, NULL},
	{"flush", NOTHING, LEFT_OUT, NULL},
	{"limitflush", NOTHING, LEFT_OUT, NULL},
	{"fetchall", NOTHING, LEFT_OUT, NULL},
	{"rewrite", NOTHING, LEFT_OUT, NULL},
	{"stripcr", NOTHING, LEFT_OUT, NULL},
	{"forcecr", NOTHING, LEFT_OUT, NULL},
	{"pass8bits", NOTHING, LEFT_OUT, NULL},
	{"dropstatus", NOTHING, LEFT_OUT, NULL},
	{"dropdelivered", NOTHING, LEFT_OUT, NULL},
	{"mimedecode", NOTHING, LEFT_OUT, NULL},
	{"idle", NOTHING, LEFT_OUT, NULL},
};

#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

struct entry {
	struct foreign_account values;
	bool ssl;   /* TLS from the first octet */
	bool clear; /* "sslproto ''": no TLS at all */
	bool pop3;  /* the protocol was said to be POP3 */
	bool other; /* or another one */
};

struct reading {
	struct foreign_config *c;
	struct foreign_reader words;
	struct entry defaults;
	struct entry server; /* what stood before the first user */
	struct entry user;
	struct entry *now; /* one of these three */
	char id_file[LIMIT_PATH];
	char interval[32]; /* of "set daemon" */
	struct err *err;
};

/* "nokeep" is "no keep". */
static const struct keyword *find(const struct foreign_word *w, bool *ret_no)
{
	const char *text = w->text;

	*ret_no = false;
	if (w->quoted)
		return NULL;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < KEYWORDS; i++) {
			if (strcmp(keywords[i].word, text) == 0)
				return &keywords[i];
		}
		if (strncmp(text, "no", 2) != 0)
			return NULL;
		text += 2;
		*ret_no = true;
	}
	return NULL;
}

static int end_user(struct reading *r)
{
	struct entry *const e = r->now;
	struct foreign_account *a;

	if (e == &r->defaults)
		return 0;
	r->now = &r->defaults;
	if (e->other || e->values.account.user[0] == '\0' || e->values.account.host[0] == '\0') {
		foreign_remark(r->c, e->values.line, "%s left out: %s", e->values.account.host,
			       e->other ? "it isn't POP3" : "it names no server or user");
		return 0;
	}
	a = foreign_add(r->c, &e->values, e->values.line);
	if (a == NULL)
		return err_sys(r->err, ENOMEM, "%u", e->values.line);
	if (!e->pop3)
		foreign_remark(r->c, a->line,
			       "no protocol is named, which may mean IMAP: taken for POP3");
	a->account.tls = e->ssl     ? ACCOUNT_TLS_IMPLICIT
			 : e->clear ? ACCOUNT_TLS_NONE
				    : ACCOUNT_TLS_STLS;
	if (e->clear && !e->ssl)
		foreign_remark(r->c, a->line,
			       "no TLS, as it was: everybody on the way can read "
			       "the mail, and perhaps the password");
	else if (!e->ssl)
		foreign_remark(r->c, a->line,
			       "without STLS fetchmail may go on in clear; restante doesn't");
	if (r->interval[0] != '\0')
		foreign_set(r->c, a, "interval", a->line, r->interval);
	memcpy(a->seen_file, r->id_file, sizeof(a->seen_file));
	return 0;
}

/* "set NAME VALUE". */
static int global(struct reading *r)
{
	struct foreign_word name;
	struct foreign_word value;
	static const char *const flags[] = {"syslog",     "nosyslog",  "bouncemail", "softbounce",
					    "spambounce", "invisible", "showdots",   "no"};
	int e = foreign_next(&r->words, &name, r->err);

	if (e <= 0)
		return e;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!foreign_is(&name, flags[i]))
			continue;
		if (strcmp(flags[i], "no") == 0)
			e = foreign_next(&r->words, &name, r->err);
		foreign_remark(r->c, name.line, "left out: set %s", name.text);
		return e;
	}
	e = foreign_next(&r->words, &value, r->err);
	if (e <= 0)
		return e;
	if (foreign_is(&name, "daemon"))
		(void)snprintf(r->interval, sizeof(r->interval), "%.20s", value.text);
	else if (foreign_is(&name, "idfile"))
		foreign_path(r->c, value.text, r->id_file);
	else
		foreign_remark(r->c, name.line, "left out: set %s", name.text);
	return 1;
}

static void protocol(struct entry *e, const char *text)
{
	e->pop3 = strcasecmp(text, "pop3") == 0 || strcasecmp(text, "apop") == 0;
	e->other = !e->pop3 && strcasecmp(text, "auto") != 0;
	if (strcasecmp(text, "apop") == 0)
		memcpy(e->values.account.auth, "apop", sizeof("apop"));
}

static int begin_user(struct reading *r, const struct foreign_word *value)
{
	int e = 0;

	if (r->now == &r->user) {
		e = end_user(r);
		r->user = r->server;
	} else if (r->now == &r->server) {
		r->user = r->server;
	} else {
		return err_set(r->err, EINVAL, "%u: a user without a server", value->line);
	}
	r->now = &r->user;
	r->user.values.line = value->line;
	foreign_set(r->c, &r->user.values, "user", value->line, value->text);
	return e;
}

static int begin_server(struct reading *r, const struct foreign_word *value, bool skipped)
{
	const int e = end_user(r);

	r->server = r->defaults;
	r->now = &r->server;
	r->server.values.line = value->line;
	foreign_set(r->c, &r->server.values, "host", value->line, value->text);
	(void)snprintf(r->server.values.seen_host, sizeof(r->server.values.seen_host), "%.255s",
		       value->text);
	if (skipped)
		foreign_remark(r->c, value->line,
			       "fetchmail passes over %s unless it is named; restante doesn't",
			       value->text);
	return e;
}

static void port(struct reading *r, const struct foreign_word *value)
{
	const char *text = value->text;

	if (strcmp(text, "pop3") == 0)
		text = "110";
	else if (strcmp(text, "pop3s") == 0)
		text = "995";
	foreign_set(r->c, &r->now->values, "port", value->line, text);
}

static int apply(struct reading *r, const struct keyword *k, const struct foreign_word *word,
		 bool no, const struct foreign_word *value)
{
	struct entry *const e = r->now;

	switch (k->deed) {
	case IGNORED:
	case NO:
		break;
	case ENTRY:
		return begin_server(r, value, strcmp(k->word, "skip") == 0);
	case DEFAULTS:
		return end_user(r);
	case GLOBAL: {
		const int ended = end_user(r);

		return ended < 0 ? ended : global(r);
	}
	case USER:
		return begin_user(r, value);
	case PROTOCOL:
		protocol(e, value->text);
		break;
	case PORT:
		port(r, value);
		break;
	case VIA:
		foreign_set(r->c, &e->values, "host", value->line, value->text);
		break;
	case SSL:
		e->ssl = !no;
		break;
	case SSLPROTO:
		e->clear = value->text[0] == '\0';
		break;
	case SSLCERTCK:
		if (no)
			foreign_remark(r->c, word->line, "restante verifies certificates, always");
		break;
	case KEEP:
		e->values.account.on_server = no ? ACCOUNT_DELETE : ACCOUNT_KEEP;
		break;
	case OPTION:
		foreign_set(r->c, &e->values, k->option, value->line, value->text);
		break;
	case LEFT_OUT:
		if (!no)
			foreign_remark(r->c, word->line, "left out: %s%s%s", k->word,
				       value->text[0] == '\0' ? "" : " ",
				       strcmp(k->word, "esmtppassword") == 0 ? "" : value->text);
		break;
	}
	return 0;
}

/* All words up to the next keyword, of which the first is shown. */
static int read_list(struct reading *r, struct foreign_word *ret_value)
{
	struct foreign_word w;
	bool no;

	memset(ret_value, 0, sizeof(*ret_value));
	for (;;) {
		const struct foreign_reader before = r->words;
		const int e = foreign_next(&r->words, &w, r->err);

		if (e <= 0)
			return e;
		if (find(&w, &no) != NULL) {
			r->words = before;
			return 0;
		}
		if (ret_value->n == 0)
			*ret_value = w;
	}
}

static int read_word(struct reading *r, const struct foreign_word *word, bool *no)
{
	struct foreign_word value;
	bool glued;
	const struct keyword *const k = find(word, &glued);
	int e = 0;

	memset(&value, 0, sizeof(value));
	if (k == NULL)
		return err_set(r->err, EINVAL, "%u: '%s' is no word of fetchmail's", word->line,
			       word->text);
	if (k->takes == ONE && !*no && !glued) {
		e = foreign_next(&r->words, &value, r->err);
		if (e == 0)
			return err_set(r->err, EINVAL, "%u: nothing follows %s", word->line,
				       word->text);
	} else if (k->takes == LIST) {
		e = read_list(r, &value);
	} else if (k->takes == ONE) {
		*no = k->deed == NO;
		return 0;
	}
	if (e >= 0)
		e = apply(r, k, word, *no || glued, &value);
	*no = k->deed == NO;
	return e;
}

static int read_all(struct reading *r)
{
	struct foreign_word word;
	bool no = false;
	int e;

	while ((e = foreign_next(&r->words, &word, r->err)) > 0) {
		e = read_word(r, &word, &no);
		if (e < 0)
			break;
	}
	return e < 0 ? e : end_user(r);
}

int foreign_fetchmail(struct foreign_config *c, struct span text, struct err *err)
{
	struct reading *const r = calloc(1, sizeof(*r));
	int e;

	if (r == NULL)
		return err_sys(err, ENOMEM, "cannot read it");
	r->c = c;
	r->err = err;
	r->words = (struct foreign_reader){text, 1, ":;,=", ""};
	account_init(&r->defaults.values.account);
	r->defaults.values.account.on_server = ACCOUNT_DELETE;
	r->now = &r->defaults;
	foreign_path(c, "~/.fetchids", r->id_file);
	e = read_all(r);
	/* What came after the accounts is for all of them. */
	for (size_t i = 0; i < c->n && e == 0; i++)
		memcpy(c->accounts[i].seen_file, r->id_file, sizeof(r->id_file));
	secret_wipe(r, sizeof(*r));
	free(r);
	return e;
}
