/* SPDX-License-Identifier: MIT */
#include "import/mbox_reader.h"

#include <string.h>

void mbox_reader_init(struct mbox_reader *r, const struct mbox_rule *rule)
{
	*r = (struct mbox_reader){._rule = *rule, ._blank = true, ._told = true};
}

struct span mbox_line(struct span text)
{
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	return text;
}

static bool is_from(const struct mbox_reader *r, struct span line)
{
	struct span date;

	return line.n >= 5 && memcmp(line.p, "From ", 5) == 0 &&
	       (!r->_rule.after_blank || r->_blank) &&
	       (!r->_rule.with_date || (r->_whole && mbox_from_date(line, &date)));
}

static enum mbox_status begin(struct mbox_reader *r)
{
	r->_state = r->_whole ? _MBOX_IN_HEADER : _MBOX_IN_FROM;
	return MBOX_FROM;
}

/* Some delivery agents leave blank lines in front of the first message. */
static enum mbox_status start(struct mbox_reader *r, struct span line)
{
	if (is_from(r, line))
		return begin(r);
	if (line.n == 0 && r->_whole)
		return MBOX_MORE;
	r->_state = _MBOX_NO_MBOX;
	return MBOX_NONE;
}

static enum mbox_status header(struct mbox_reader *r, bool blank, const struct mbox_event *e)
{
	r->_end = e->at + e->text.n;
	if (!blank)
		return MBOX_HEADER;
	r->_state = _MBOX_IN_BODY;
	r->_blank = true;
	return MBOX_BLANK;
}

static enum mbox_status body(struct mbox_reader *r, bool blank, const struct mbox_event *e)
{
	if (e->begins && is_from(r, mbox_line(e->text))) {
		if (!r->_ended) {
			r->_ended = true;
			r->_told = false;
			return MBOX_END;
		}
		r->_ended = false;
		return begin(r);
	}
	r->_blank = blank;
	r->_end = blank ? e->at : e->at + e->text.n;
	return MBOX_BODY;
}

/* What is in _line is a line, a piece of one, or the end of one. */
static enum mbox_status tell(struct mbox_reader *r, struct mbox_event *ret)
{
	enum mbox_status status;
	const struct span text = span_of(r->_line, r->_n);
	const struct mbox_event e = {
		.at = r->_at, .text = text, .begins = !r->_mid_line, .ends = r->_whole};
	const bool blank = e.begins && e.ends && mbox_line(text).n == 0;

	r->_told = true;
	switch (r->_state) {
	case _MBOX_START:
		status = start(r, mbox_line(text));
		break;
	case _MBOX_IN_FROM:
		/* A From line that is too long; only its beginning was told. */
		r->_end = e.at + text.n;
		r->_state = e.ends ? _MBOX_IN_HEADER : _MBOX_IN_FROM;
		return MBOX_MORE;
	case _MBOX_IN_HEADER:
		status = header(r, blank, &e);
		break;
	case _MBOX_IN_BODY:
		status = body(r, blank, &e);
		break;
	default:
		return MBOX_NONE;
	}
	*ret = e;
	if (status == MBOX_END) {
		ret->at = r->_end;
		ret->text.n = 0;
		ret->begins = ret->ends = false;
	} else if (status == MBOX_FROM) {
		r->_end = e.at + text.n;
	}
	return status;
}

/* Drops what was told, and takes what follows it, up to a line's end. True: there is a piece. */
static bool take(struct mbox_reader *r, struct span *in)
{
	size_t n = span_find(*in, '\n');

	if (r->_told) {
		r->_at += r->_n;
		r->_mid_line = r->_n > 0 && !r->_whole;
		r->_n = 0;
		r->_whole = false;
		r->_told = false;
	}
	n = n < in->n ? n + 1 : n;
	if (n > sizeof(r->_line) - r->_n)
		n = sizeof(r->_line) - r->_n;
	if (n > 0)
		memcpy(r->_line + r->_n, in->p, n);
	r->_n += n;
	span_skip(in, n);
	r->_whole = r->_n > 0 && r->_line[r->_n - 1] == '\n';
	return r->_whole || r->_n == sizeof(r->_line);
}

enum mbox_status mbox_reader_next(struct mbox_reader *r, struct span *in, struct mbox_event *ret)
{
	/* The end of one message was told, and the same line begins the next one. */
	if (!r->_told && r->_ended)
		return tell(r, ret);
	while (r->_state != _MBOX_NO_MBOX && take(r, in)) {
		const enum mbox_status status = tell(r, ret);

		if (status != MBOX_MORE)
			return status;
	}
	return r->_state == _MBOX_NO_MBOX ? MBOX_NONE : MBOX_MORE;
}

enum mbox_status mbox_reader_end(struct mbox_reader *r, struct mbox_event *ret)
{
	if (r->_state == _MBOX_NO_MBOX)
		return MBOX_NONE;
	if (!r->_told && r->_n > 0) {
		r->_whole = true;

		const enum mbox_status status = tell(r, ret);

		if (status != MBOX_MORE)
			return status;
	}
	if (r->_state == _MBOX_START)
		return MBOX_MORE;
	*ret = (struct mbox_event){.at = r->_end, .text = span_of(r->_line, 0)};
	mbox_reader_init(r, &(struct mbox_rule){r->_rule.after_blank, r->_rule.with_date});
	return MBOX_END;
}

/* Takes a space and n octets off the line's end. */
static bool strip(struct span *line, size_t n)
{
	if (line->n <= n || line->p[line->n - n - 1] != ' ')
		return false;
	line->n -= n + 1;
	return true;
}

static bool strip_year(struct span *line)
{
	for (size_t i = 1; i <= 4; i++) {
		if (line->n < 5 || line->p[line->n - i] < '0' || line->p[line->n - i] > '9')
			return false;
	}
	return strip(line, 4);
}

static bool strip_zone(struct span *line)
{
	if (line->n > 5 && (line->p[line->n - 5] == '+' || line->p[line->n - 5] == '-'))
		return strip(line, 5);
	return strip(line, 3);
}

static void strip_remote(struct span *line)
{
	static const struct span remote = SPAN_LIT(" remote from");
	size_t n = line->n;

	while (n > 0 && line->p[n - 1] != ' ')
		n--;
	if (n > remote.n && memcmp(line->p + n - 1 - remote.n, remote.p, remote.n) == 0)
		line->n = n - 1 - remote.n;
}

/* "www mmm dd hh:mm" or "www mmm dd hh:mm:ss" at its end: where that begins, or line.n. */
static size_t find_day(struct span line)
{
	const char *const end = line.p + line.n;
	size_t n;

	if (line.n < 9 || end[-3] != ':')
		return line.n;
	n = end[-6] == ':' ? 8 : 5;
	/* A space, and each of the three parts with the one in front of it. */
	if (line.n < n + 12 || end[-(ptrdiff_t)n - 1] != ' ' || end[-(ptrdiff_t)n - 4] != ' ' ||
	    end[-(ptrdiff_t)n - 8] != ' ' || end[-(ptrdiff_t)n - 12] != ' ')
		return line.n;
	return line.n - n - 11;
}

/* From the end: a user's name may have spaces, and look like anything. */
bool mbox_from_date(struct span line, struct span *ret_date)
{
	struct span whole;
	size_t at;

	strip_remote(&line);
	whole = line;
	if (!strip_year(&line) && (!strip_zone(&line) || !strip_year(&line)))
		return false;
	at = find_day(line);
	if (at == line.n && strip_zone(&line))
		at = find_day(line);
	if (at == line.n || at < 5)
		return false;
	*ret_date = span_of(whole.p + at, whole.n - at);
	return true;
}
