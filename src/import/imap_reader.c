/* SPDX-License-Identifier: MIT */
#include "import/imap_reader.h"

#include <string.h>

#include "base/num.h"

/* A line that ends with "{5}" goes on behind the literal. */
static bool find_literal(struct span *line, uint64_t *ret_octets)
{
	const char *const open = line->n == 0 ? NULL : memrchr(line->p, '{', line->n);
	const size_t at = open == NULL ? 0 : (size_t)(open - line->p);

	if (open == NULL || line->p[line->n - 1] != '}' ||
	    !num_parse_u64(span_of(open + 1, line->n - at - 2), UINT64_MAX, ret_octets))
		return false;
	line->n = at;
	return true;
}

static enum imap_status tell(struct imap_reader *r, struct imap_event *ret)
{
	struct span line = span_of(r->_text, r->_n - 1);

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	*ret = (struct imap_event){.begins = !r->_inside};
	ret->literal = find_literal(&line, &ret->octets);
	ret->text = line;
	r->_told = true;
	r->_inside = ret->literal;
	r->_literal = ret->octets;
	return IMAP_TEXT;
}

enum imap_status imap_reader_next(struct imap_reader *r, struct span *in, struct imap_event *ret)
{
	size_t n;

	if (r->_bad)
		return IMAP_BAD;
	if (r->_told) {
		r->_n = 0;
		r->_told = false;
	}
	if (in->n == 0)
		return IMAP_MORE;
	if (r->_literal > 0) {
		n = r->_literal < in->n ? (size_t)r->_literal : in->n;
		*ret = (struct imap_event){.text = span_of(in->p, n)};
		r->_literal -= n;
		span_skip(in, n);
		return IMAP_DATA;
	}
	n = span_find(*in, '\n');
	n = n < in->n ? n + 1 : n;
	r->_bad = n > sizeof(r->_text) - r->_n;
	if (r->_bad)
		return IMAP_BAD;
	memcpy(r->_text + r->_n, in->p, n);
	r->_n += n;
	span_skip(in, n);
	return r->_text[r->_n - 1] == '\n' ? tell(r, ret) : IMAP_MORE;
}

/* ---- FETCH ---- */

static void skip_spaces(struct span *s)
{
	while (s->n > 0 && s->p[0] == ' ')
		span_skip(s, 1);
}

/* Up to a space or parenthesis: "UID", "BODY[]", "17", "\Seen". */
static struct span take_word(struct span *s)
{
	struct span word = *s;
	size_t n = 0;

	while (n < s->n && s->p[n] != ' ' && s->p[n] != '(' && s->p[n] != ')' && s->p[n] != '"')
		n++;
	word.n = n;
	span_skip(s, n);
	return word;
}

/* With what is escaped in it as it stands. */
static bool take_quoted(struct span *s, struct span *ret)
{
	size_t n = 1;

	if (s->n == 0 || s->p[0] != '"')
		return false;
	while (n < s->n && s->p[n] != '"')
		n += s->p[n] == '\\' ? 2 : 1;
	if (n >= s->n)
		return false;
	*ret = span_of(s->p + 1, n - 1);
	span_skip(s, n + 1);
	return true;
}

static bool take_flags(struct span *s, struct imap_message *m)
{
	/* In the order of Maildir's letters. */
	static const struct {
		const char *name;
		char letter;
	} known[] = {{"\\Draft", 'D'},    {"\\Flagged", 'F'}, {"$Forwarded", 'P'},
		     {"\\Answered", 'R'}, {"\\Seen", 'S'},    {"\\Deleted", 'T'}};
	bool set[sizeof(known) / sizeof(known[0])] = {false};
	size_t n = 0;

	if (s->n == 0 || s->p[0] != '(')
		return false;
	span_skip(s, 1);
	for (skip_spaces(s); s->n > 0 && s->p[0] != ')'; skip_spaces(s)) {
		const struct span word = take_word(s);

		if (word.n == 0)
			return false;
		for (size_t i = 0; i < sizeof(set); i++)
			set[i] = set[i] || span_eq_nocase(word, span_str(known[i].name));
	}
	if (s->n == 0)
		return false;
	span_skip(s, 1);
	for (size_t i = 0; i < sizeof(set); i++) {
		if (set[i])
			m->flags[n++] = known[i].letter;
	}
	m->flags[n] = '\0';
	return true;
}

static bool take_body(struct span *s, struct imap_message *m, bool literal)
{
	m->body = true;
	if (s->n == 0)
		return literal;
	if (s->p[0] == '"')
		return take_quoted(s, &m->quoted);
	return span_eq_nocase(take_word(s), SPAN_LIT("NIL"));
}

static bool take_attribute(struct span *s, struct imap_message *m, bool literal)
{
	const struct span name = take_word(s);
	uint64_t v;

	skip_spaces(s);
	if (span_eq_nocase(name, SPAN_LIT("FLAGS")))
		return take_flags(s, m);
	if (span_eq_nocase(name, SPAN_LIT("INTERNALDATE")))
		return take_quoted(s, &m->date);
	if (span_eq_nocase(name, SPAN_LIT("BODY[]")))
		return take_body(s, m, literal);
	if (span_eq_nocase(name, SPAN_LIT("RFC822.SIZE")))
		return num_parse_u64(take_word(s), UINT64_MAX, &m->octets);
	if (span_eq_nocase(name, SPAN_LIT("UID"))) {
		if (!num_parse_u64(take_word(s), UINT32_MAX, &v) || v == 0)
			return false;
		m->uid = (uint32_t)v;
		return true;
	}
	/* What wasn't asked for, such as MODSEQ (12). */
	if (name.n == 0 || s->n == 0)
		return false;
	if (s->p[0] == '(') {
		span_skip(s, span_find(*s, ')'));
		if (s->n == 0)
			return false;
		span_skip(s, 1);
		return true;
	}
	return take_word(s).n > 0;
}

bool imap_message_take(struct imap_message *m, const struct imap_event *e)
{
	struct span s = e->text;
	uint64_t number;

	if (e->begins) {
		if (s.n < 2 || memcmp(s.p, "* ", 2) != 0)
			return false;
		span_skip(&s, 2);
		if (!num_parse_u64(take_word(&s), UINT32_MAX, &number))
			return false;
		skip_spaces(&s);
		if (!span_eq_nocase(take_word(&s), SPAN_LIT("FETCH")))
			return false;
		skip_spaces(&s);
		if (s.n == 0 || s.p[0] != '(')
			return false;
		span_skip(&s, 1);
	}
	for (skip_spaces(&s); s.n > 0 && s.p[0] != ')'; skip_spaces(&s)) {
		if (!take_attribute(&s, m, e->literal))
			return false;
	}
	return e->literal ? s.n == 0 : s.n == 1;
}
