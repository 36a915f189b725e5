/* SPDX-License-Identifier: MIT */
#include "client/netrc.h"

#include <stddef.h>
#include <strings.h>

struct words {
	struct span rest;
	unsigned line;
	struct span word; /* as it stands there: with its quotes */
};

struct entry {
	bool any; /* "default" */
	struct span machine;
	struct span login;
	struct span password;
	unsigned line; /* of the password */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip(struct words *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->line += w->rest.p[i] == '\n' ? 1 : 0;
	span_skip(&w->rest, n);
}

static size_t word_length(struct span s)
{
	size_t n = 0;

	if (s.p[0] != '"') {
		while (n < s.n && !is_space(s.p[n]))
			n++;
		return n;
	}
	for (n = 1; n < s.n && s.p[n] != '"' && s.p[n] != '\n'; n++)
		n += s.p[n] == '\\' && n + 1 < s.n ? 1 : 0;
	/* Without its second quote it is no word. */
	return n < s.n && s.p[n] == '"' ? n + 1 : 0;
}

/* False at the end; a word of no octets is one that never ends. */
static bool next(struct words *w)
{
	for (;;) {
		while (w->rest.n > 0 && is_space(w->rest.p[0]))
			skip(w, 1);
		if (w->rest.n == 0)
			return false;
		if (w->rest.p[0] != '#')
			break;
		skip(w, span_find(w->rest, '\n'));
	}
	w->word = span_of(w->rest.p, word_length(w->rest));
	skip(w, w->word.n);
	return true;
}

/* A word's value is one that there must be. */
static bool value(struct words *w, struct span *ret)
{
	if (!next(w) || w->word.n == 0)
		return false;
	*ret = w->word;
	return true;
}

/* Up to an empty line, or the end. */
static void skip_macro(struct words *w)
{
	while (w->rest.n > 0) {
		const size_t n = span_find(w->rest, '\n');
		const bool empty = n == 0 || (n == 1 && w->rest.p[0] == '\r');

		skip(w, n < w->rest.n ? n + 1 : n);
		if (empty)
			return;
	}
}

static bool unquote(struct span word, struct out *out)
{
	bool ok = true;

	if (word.n < 2 || word.p[0] != '"')
		return out_put(out, word);
	for (size_t i = 1; i + 1 < word.n && ok; i++) {
		if (word.p[i] == '\\' && i + 2 < word.n)
			i++;
		ok = out_char(out, word.p[i]);
	}
	return ok;
}

static bool is(struct span word, const char *text, bool any_case)
{
	char plain[512];
	struct out o = {.p = plain, .cap = sizeof(plain)};
	const struct span wanted = span_str(text);

	return unquote(word, &o) && o.n == wanted.n &&
	       (any_case ? strncasecmp(o.p, wanted.p, o.n) == 0 : span_eq(out_span(&o), wanted));
}

static bool fits(const struct entry *e, const char *host, const char *user)
{
	return (e->any || (e->machine.n > 0 && is(e->machine, host, true))) &&
	       (e->login.n == 0 || is(e->login, user, false)) && e->password.n > 0;
}

/* What stands for an entry of its own: the one before it is complete. */
static bool begins(struct span word)
{
	return span_eq(word, SPAN_LIT("machine")) || span_eq(word, SPAN_LIT("default"));
}

/* The word has been read, and what belongs to it is. */
static bool take(struct words *w, struct entry *e)
{
	struct span nothing;

	if (span_eq(w->word, SPAN_LIT("machine"))) {
		*e = (struct entry){.any = false};
		return value(w, &e->machine);
	}
	if (span_eq(w->word, SPAN_LIT("default"))) {
		*e = (struct entry){.any = true};
		return true;
	}
	if (span_eq(w->word, SPAN_LIT("macdef"))) {
		skip_macro(w);
		return true;
	}
	if (span_eq(w->word, SPAN_LIT("login")))
		return value(w, &e->login);
	if (span_eq(w->word, SPAN_LIT("password"))) {
		const bool ok = value(w, &e->password);

		e->line = w->line;
		return ok;
	}
	return span_eq(w->word, SPAN_LIT("account")) && value(w, &nothing);
}

enum netrc_status netrc_find(struct span file, const char *host, const char *user, struct out *out,
			     unsigned *ret_line)
{
	struct words w = {.rest = file, .line = 1};
	struct entry e = {.any = false};

	while (next(&w)) {
		if (begins(w.word) && fits(&e, host, user))
			break;
		*ret_line = w.line;
		if (w.word.n == 0 || !take(&w, &e))
			return NETRC_BAD;
	}
	if (!fits(&e, host, user))
		return NETRC_NONE;
	*ret_line = e.line;
	return unquote(e.password, out) ? NETRC_FOUND : NETRC_NO_ROOM;
}
