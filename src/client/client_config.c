/* SPDX-License-Identifier: MIT */
#include "client/client_config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/comment.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/span.h"
#include "base/text_file.h"

#define FILE_MAX (1U << 20)
#define ACCOUNTS_MAX 1000
#define OPTIONS_MAX 64

enum file_option { STATE_FILE, PARALLEL, FILE_OPTIONS };

static const struct account_option file_options[FILE_OPTIONS] = {
	[STATE_FILE] = {"state_file", "string", "",
			"what was fetched; empty: $XDG_STATE_HOME/restante/state.db", "FILE"},
	[PARALLEL] = {"parallel", "number", "4", "accounts that are fetched at the same time", "N"},
};

/*
 * libconfuse's callbacks have no argument of ours: one file is read at a time, and
 * this is it. A section's values come before the section itself, so the last account
 * is the one that is being read until that ends.
 */
static struct {
	const char *path;
	struct client_config *config;
	struct err *err;
	bool failed;
	bool in_account;
	bool has_password;
	int file_line[FILE_OPTIONS]; /* where options were given; 0: nowhere */
	int line[OPTIONS_MAX];       /* and the account's */
} reading;

const struct account_option *client_config_option(unsigned i)
{
	return i < FILE_OPTIONS ? &file_options[i] : NULL;
}

/* The first thing that is wrong with the file is what the user is told. */
__attribute__((format(printf, 2, 3))) static void complain(int line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX / 2];
	va_list ap;

	if (reading.failed)
		return;
	reading.failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line > 0)
		(void)err_set(reading.err, EINVAL, "%s:%d: %s", reading.path, line, text);
	else
		(void)err_set(reading.err, EINVAL, "%s: %s", reading.path, text);
}

/* What libconfuse itself finds: unknown options, syntax. */
__attribute__((format(printf, 2, 0))) static void on_confuse_error(cfg_t *cfg, const char *fmt,
								   va_list ap)
{
	char text[ERR_TEXT_MAX / 2];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	complain(cfg->line, "%s", text);
}

/* Room for one account more. The old ones are wiped where they were: they hold passwords. */
static bool grow(struct client_config *c)
{
	struct account *const more = calloc(c->n + 1, sizeof(*more));

	if (more == NULL)
		return false;
	if (c->n > 0) {
		memcpy(more, c->accounts, c->n * sizeof(*more));
		secret_wipe(c->accounts, c->n * sizeof(*more));
	}
	free(c->accounts);
	c->accounts = more;
	return true;
}

/* The account that the section's values belong to, made at the first of them. */
static struct account *current_account(void)
{
	struct client_config *const c = reading.config;

	if (reading.in_account)
		return &c->accounts[c->n - 1];
	if (c->n == ACCOUNTS_MAX) {
		complain(0, "there are more than %d accounts", ACCOUNTS_MAX);
		return NULL;
	}
	if (!grow(c)) {
		complain(0, "no memory");
		return NULL;
	}
	account_init(&c->accounts[c->n]);
	memset(reading.line, 0, sizeof(reading.line));
	reading.in_account = true;
	return &c->accounts[c->n++];
}

static bool given_twice(const char *name, int *line, int here)
{
	if (*line != 0) {
		complain(here, "%s is given twice (first in line %d)", name, *line);
		return true;
	}
	*line = here;
	return false;
}

/* Called by libconfuse for each value in a section, while it stands on the value's line. */
static int on_account_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct account *const a = current_account();
	struct err why;
	unsigned i = 0;

	if (a == NULL)
		return -1;
	while (strcmp(account_option(i)->name, opt->name) != 0)
		i++;
	if (given_twice(opt->name, &reading.line[i], cfg->line))
		return -1;
	*(const char **)result = value;
	if (account_set(a, i, value, &why)) {
		reading.has_password = reading.has_password || a->password[0] != '\0' ||
				       strchr(a->proxy, '@') != NULL;
		return 0;
	}
	complain(cfg->line, "%s", why.text);
	return -1;
}

static int on_file_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const bool state = strcmp(opt->name, file_options[STATE_FILE].name) == 0;
	struct err why;

	if (given_twice(opt->name, &reading.file_line[state ? STATE_FILE : PARALLEL], cfg->line))
		return -1;
	*(const char **)result = value;
	if (state ? client_config_set_state_file(reading.config, value, &why)
		  : client_config_set_parallel(reading.config, value, &why))
		return 0;
	complain(cfg->line, "%s", why.text);
	return -1;
}

static const char *wrong_name(const char *name)
{
	if (name[0] == '\0')
		return "an account needs a name";
	if (strlen(name) > ACCOUNT_NAME_MAX)
		return "the account's name is too long";
	for (const char *c = name; *c != '\0'; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return "the account's name has a space or a control character";
	}
	return name[0] == '-' ? "the account's name looks like an option" : NULL;
}

/* A section has come to its end. */
static int on_account(cfg_t *cfg, cfg_opt_t *opt)
{
	struct client_config *const c = reading.config;
	struct account *const a = current_account();
	const char *const name = cfg_title(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	const char *wrong = wrong_name(name);
	char identity[ACCOUNT_IDENTITY_MAX + 1];
	char other[ACCOUNT_IDENTITY_MAX + 1];

	if (a == NULL)
		return -1;
	reading.in_account = false;
	if (wrong != NULL) {
		complain(cfg->line, "%s", wrong);
		return -1;
	}
	memcpy(a->name, name, strlen(name) + 1);
	wrong = account_check(a);
	if (wrong != NULL) {
		complain(cfg->line, "account %s: %s", name, wrong);
		return -1;
	}
	account_identity(a, identity);
	for (size_t i = 0; i + 1 < c->n; i++) {
		/* One would be told of messages that the other has. */
		account_identity(&c->accounts[i], other);
		if (strcmp(identity, other) == 0) {
			complain(cfg->line, "accounts %s and %s are the same mailbox, %s",
				 c->accounts[i].name, name, identity);
			return -1;
		}
	}
	return 0;
}

/*
 * libconfuse takes the file's end for a section's: a file that was cut off would be
 * taken without the options that it has lost.
 */
static bool check_closed(const char *text)
{
	int depth = 0;
	int line = 1;
	char quote = '\0';

	for (const char *p = text; *p != '\0'; p++) {
		line += *p == '\n';
		if (quote != '\0') {
			if (*p == '\\' && p[1] != '\0')
				p++;
			else if (*p == quote)
				quote = '\0';
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else {
			depth += (*p == '{') - (*p == '}');
		}
	}
	if (depth > 0)
		complain(line, "the last section isn't closed");
	return depth == 0;
}

static bool parse(char *text)
{
	cfg_opt_t in_account[OPTIONS_MAX];
	cfg_opt_t outside[FILE_OPTIONS + 2];
	bool ok;
	int plus;

	memset(in_account, 0, sizeof(in_account));
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		assert(i + 1 < OPTIONS_MAX);
		in_account[i].name = account_option(i)->name;
		in_account[i].type = CFGT_STR;
		in_account[i].flags = CFGF_NODEFAULT;
		in_account[i].parsecb = on_account_value;
	}
	memset(outside, 0, sizeof(outside));
	for (unsigned i = 0; i < FILE_OPTIONS; i++) {
		outside[i].name = file_options[i].name;
		outside[i].type = CFGT_STR;
		outside[i].flags = CFGF_NODEFAULT;
		outside[i].parsecb = on_file_value;
	}
	outside[FILE_OPTIONS].name = "account";
	outside[FILE_OPTIONS].type = CFGT_SEC;
	outside[FILE_OPTIONS].flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	outside[FILE_OPTIONS].subopts = in_account;
	outside[FILE_OPTIONS].validcb = on_account;

	cfg_t *const cfg = cfg_init(outside, CFGF_NONE);

	if (cfg == NULL) {
		complain(0, "no memory");
		return false;
	}
	(void)cfg_set_error_function(cfg, on_confuse_error);
	comment_blank(text);
	plus = comment_lone_plus(text);
	if (plus != 0)
		complain(plus, "unexpected token '+': a value with it stands in quotes");
	ok = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	cfg_free(cfg);
	if (!ok)
		complain(0, "it cannot be understood");
	return ok && check_closed(text) && !reading.failed;
}

int client_config_load(const char *path, struct client_config *ret_config, struct err *err)
{
	struct client_config c = {.n = 0};
	struct text_file file;
	int r = text_file_read(path, FILE_MAX, &file, err);

	if (r < 0)
		return r;
	memset(&reading, 0, sizeof(reading));
	reading.path = path;
	reading.config = &c;
	reading.err = err;
	if (!parse(file.text))
		r = -EINVAL;
	else if (reading.has_password && file.others_may)
		r = err_set(err, EPERM, "%s holds a password and others may read it: chmod 600 %s",
			    path, path);
	secret_wipe(file.text, file.n);
	free(file.text);
	memset(&reading, 0, sizeof(reading));
	if (r < 0)
		client_config_done(&c);
	else
		*ret_config = c;
	return r;
}

void client_config_done(struct client_config *c)
{
	if (c->accounts != NULL)
		secret_wipe(c->accounts, c->n * sizeof(*c->accounts));
	free(c->accounts);
	memset(c, 0, sizeof(*c));
}

struct account *client_config_find(const struct client_config *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->accounts[i].name, name) == 0)
			return &c->accounts[i];
	}
	return NULL;
}

bool client_config_set_state_file(struct client_config *c, const char *text, struct err *err)
{
	return account_path(file_options[STATE_FILE].name, text, sizeof(c->state_file),
			    c->state_file, err);
}

bool client_config_set_parallel(struct client_config *c, const char *text, struct err *err)
{
	uint64_t n;

	if (!num_parse_u64((struct span){text, strlen(text)}, CLIENT_PARALLEL_MAX, &n) || n == 0) {
		(void)err_set(err, EINVAL, "%s: '%s' is no number from 1 to %d",
			      file_options[PARALLEL].name, text, CLIENT_PARALLEL_MAX);
		return false;
	}
	c->parallel = (uint32_t)n;
	return true;
}
