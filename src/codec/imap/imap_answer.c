/* SPDX-License-Identifier: MIT */
#include "codec/imap/imap_answer.h"

static bool take_word(struct span *s, struct span *ret_word)
{
	const size_t n = span_find(*s, ' ');

	*ret_word = span_of(s->p, n);
	span_skip(s, n < s->n ? n + 1 : n);
	return n > 0;
}

static bool take_kind(struct span *s, enum imap_answer_kind *ret_kind)
{
	struct span word;

	if (!take_word(s, &word))
		return false;
	if (span_eq_nocase(word, SPAN_LIT("OK")))
		*ret_kind = IMAP_OK;
	else if (span_eq_nocase(word, SPAN_LIT("NO")))
		*ret_kind = IMAP_NO;
	else if (span_eq_nocase(word, SPAN_LIT("BAD")))
		*ret_kind = IMAP_BAD;
	else
		return false;
	return true;
}

bool imap_answer_line(struct span line, struct span tag, struct imap_answer *ret_answer)
{
	struct imap_answer a = {.kind = IMAP_UNTAGGED};
	struct span word;

	if (!take_word(&line, &word))
		return false;
	if (span_eq(word, SPAN_LIT("+")))
		a.kind = IMAP_CONTINUE;
	else if (!span_eq(word, SPAN_LIT("*")) &&
		 (!span_eq(word, tag) || !take_kind(&line, &a.kind)))
		return false;
	if (a.kind >= IMAP_OK && line.n > 0 && line.p[0] == '[') {
		const size_t end = span_find(line, ']');

		if (end < line.n) {
			a.code = span_of(line.p + 1, end - 1);
			span_skip(&line, end + 1);
			if (line.n > 0 && line.p[0] == ' ')
				span_skip(&line, 1);
		}
	}
	a.text = line;
	*ret_answer = a;
	return true;
}

bool imap_answer_found(const struct imap_answer *a)
{
	struct span rest = a->text;
	struct span word;

	return a->kind == IMAP_UNTAGGED && take_word(&rest, &word) &&
	       span_eq_nocase(word, SPAN_LIT("SEARCH")) && rest.n > 0 && rest.p[0] >= '1' &&
	       rest.p[0] <= '9';
}

bool imap_answer_has_code(const struct imap_answer *a, struct span word)
{
	return span_eq_nocase(span_of(a->code.p, span_find(a->code, ' ')), word);
}
