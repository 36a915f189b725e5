/* SPDX-License-Identifier: MIT */
#include "client/foreign_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "client/foreign_config_priv.h"

static const struct {
	const char *name;
	int (*parse)(struct foreign_config *c, struct span text, struct err *err);
} programs[FOREIGN_PROGRAMS] = {
	[FOREIGN_FETCHMAIL] = {"fetchmail", foreign_fetchmail},
	[FOREIGN_MPOP] = {"mpop", foreign_mpop},
	[FOREIGN_GETMAIL] = {"getmail", foreign_getmail},
	[FOREIGN_FDM] = {"fdm", foreign_fdm},
};

enum foreign_program foreign_program_of(const char *name)
{
	int i = 0;

	while (i < FOREIGN_PROGRAMS && strcmp(programs[i].name, name) != 0)
		i++;
	return (enum foreign_program)i;
}

bool foreign_line(struct span *left, struct span *ret_line)
{
	const size_t n = span_find(*left, '\n');

	if (left->n == 0)
		return false;
	*ret_line = span_of(left->p, n);
	span_skip(left, n < left->n ? n + 1 : n);
	while (ret_line->n > 0 && strchr(" \t\r", ret_line->p[ret_line->n - 1]) != NULL &&
	       ret_line->p[ret_line->n - 1] != '\0')
		ret_line->n--;
	while (ret_line->n > 0 && (ret_line->p[0] == ' ' || ret_line->p[0] == '\t'))
		span_skip(ret_line, 1);
	return true;
}

/* The words that a file of each program has in front of a line, and no other one. */
enum foreign_program foreign_program_guess(struct span text)
{
	struct span line;

	while (foreign_line(&text, &line)) {
		const size_t space = span_find(line, ' ');
		const size_t tab = span_find(line, '\t');
		const struct span word = span_of(line.p, space < tab ? space : tab);

		if (span_eq_nocase(line, SPAN_LIT("[retriever]")))
			return FOREIGN_GETMAIL;
		if (span_eq(word, SPAN_LIT("poll")) || span_eq(word, SPAN_LIT("skip")) ||
		    span_eq(word, SPAN_LIT("server")))
			return FOREIGN_FETCHMAIL;
		if (span_eq(word, SPAN_LIT("match")) || span_eq(word, SPAN_LIT("action")) ||
		    span_starts_with_nocase(line, SPAN_LIT("account \"")))
			return FOREIGN_FDM;
		if (span_eq(word, SPAN_LIT("account")) || span_eq(line, SPAN_LIT("defaults")) ||
		    span_eq(word, SPAN_LIT("host")))
			return FOREIGN_MPOP;
	}
	return FOREIGN_PROGRAMS;
}

bool foreign_is(const struct foreign_word *w, const char *word)
{
	return !w->quoted && strcmp(w->text, word) == 0;
}

static void skip_space(struct foreign_reader *r)
{
	while (r->left.n > 0) {
		const char c = r->left.p[0];

		if (c == '#') {
			span_skip(&r->left, span_find(r->left, '\n'));
			continue;
		}
		if (c == '\0' || (strchr(" \t\r\n", c) == NULL && strchr(r->ignored, c) == NULL))
			return;
		r->line += c == '\n';
		span_skip(&r->left, 1);
	}
}

static bool ends_word(const struct foreign_reader *r, char c)
{
	return c == '\0' || strchr(" \t\r\n#\"'", c) != NULL || strchr(r->ignored, c) != NULL ||
	       strchr(r->alone, c) != NULL;
}

static int put(struct foreign_word *w, char c, struct err *err)
{
	/* A NUL would hide what follows it. */
	if (c == '\0' || w->n == sizeof(w->text) - 1)
		return err_set(err, EINVAL, "%u: %s", w->line,
			       c == '\0' ? "a NUL" : "a word that is too long");
	w->text[w->n++] = c;
	return 0;
}

static int quotation(struct foreign_reader *r, struct foreign_word *w, struct err *err)
{
	const char quote = r->left.p[0];
	int e = 0;

	span_skip(&r->left, 1);
	w->quoted = true;
	while (e == 0 && r->left.n > 0 && r->left.p[0] != quote) {
		if (r->left.p[0] == '\\' && r->left.n > 1 && quote == '"')
			span_skip(&r->left, 1);
		r->line += r->left.p[0] == '\n';
		e = put(w, r->left.p[0], err);
		span_skip(&r->left, 1);
	}
	if (e == 0 && r->left.n == 0)
		return err_set(err, EINVAL, "%u: a quotation that doesn't end", w->line);
	if (e == 0)
		span_skip(&r->left, 1);
	return e;
}

int foreign_next(struct foreign_reader *r, struct foreign_word *ret_word, struct err *err)
{
	int e = 0;

	skip_space(r);
	memset(ret_word, 0, sizeof(*ret_word));
	ret_word->line = r->line;
	if (r->left.n == 0)
		return 0;
	if (r->left.p[0] == '"' || r->left.p[0] == '\'') {
		e = quotation(r, ret_word, err);
	} else {
		do {
			e = put(ret_word, r->left.p[0], err);
			span_skip(&r->left, 1);
		} while (e == 0 && r->left.n > 0 && !ends_word(r, r->left.p[0]) &&
			 (ret_word->n > 1 || strchr(r->alone, ret_word->text[0]) == NULL));
	}
	return e == 0 ? 1 : e;
}

struct foreign_account *foreign_add(struct foreign_config *c, const struct foreign_account *like,
				    unsigned line)
{
	struct foreign_account *more;

	if (c->n == FOREIGN_ACCOUNTS_MAX)
		return NULL;
	more = calloc(c->n + 1, sizeof(*more));
	if (more == NULL)
		return NULL;
	if (c->n > 0) {
		memcpy(more, c->accounts, c->n * sizeof(*more));
		secret_wipe(c->accounts, c->n * sizeof(*more));
	}
	free(c->accounts);
	c->accounts = more;
	if (like != NULL)
		more[c->n] = *like;
	else
		account_init(&more[c->n].account);
	more[c->n].line = line;
	return &more[c->n++];
}

void foreign_remark(const struct foreign_config *c, unsigned line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* What others wrote there is shown, not obeyed. */
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	c->remark(c->ctx, line, text);
}

void foreign_set(const struct foreign_config *c, struct foreign_account *a, const char *option,
		 unsigned line, const char *text)
{
	struct err why;
	unsigned i = 0;

	while (strcmp(account_option(i)->name, option) != 0)
		i++;
	if (!account_set(&a->account, i, text, &why))
		foreign_remark(c, line, "left out: %s", why.text);
}

void foreign_path(const struct foreign_config *c, const char *text,
		  char ret_path[static LIMIT_PATH])
{
	const char *const slash = strrchr(c->path, '/');
	const char *const home = getenv("HOME");
	const int folder = slash == NULL ? 0 : (int)(slash - c->path);
	int n;

	if (text[0] == '/')
		n = snprintf(ret_path, LIMIT_PATH, "%s", text);
	else if (text[0] == '~' && text[1] == '/' && home != NULL)
		n = snprintf(ret_path, LIMIT_PATH, "%s%s", home, text + 1);
	else
		n = snprintf(ret_path, LIMIT_PATH, "%.*s/%s", folder, c->path, text);
	if (n < 0 || n >= LIMIT_PATH)
		ret_path[0] = '\0';
}

int foreign_config_parse(struct foreign_config *c, enum foreign_program program, struct span text,
			 struct err *err)
{
	return programs[program].parse(c, text, err);
}

void foreign_config_done(struct foreign_config *c)
{
	if (c->accounts != NULL)
		secret_wipe(c->accounts, c->n * sizeof(*c->accounts));
	free(c->accounts);
	c->accounts = NULL;
	c->n = 0;
}
