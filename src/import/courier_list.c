/* SPDX-License-Identifier: MIT */
#include "import/courier_list.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"

static bool take_line(struct courier_list *l, struct span *ret_line)
{
	const size_t n = span_find(l->_rest, '\n');

	if (n == l->_rest.n)
		return false;
	*ret_line = span_of(l->_rest.p, n);
	span_skip(&l->_rest, n + 1);
	l->line++;
	return true;
}

bool courier_list_open(struct courier_list *l, struct span file, struct err *err)
{
	struct span line;
	uint64_t version;

	*l = (struct courier_list){._rest = file};
	if (file.n == 0 || file.p[0] != '/')
		return true;
	if (take_line(l, &line) && line.n > 2 && line.p[2] == ' ' &&
	    num_parse_u64(span_of(line.p + 1, 1), 3, &version) && version >= 1) {
		l->version = (unsigned)version;
		return true;
	}
	(void)err_set(err, EBADMSG, "not a list of version 0 to 3");
	return false;
}

/* What stands behind the last space, which is taken off with it. False: no space. */
static bool take_last_word(struct span *line, struct span *ret_word)
{
	const char *const space = line->n == 0 ? NULL : memrchr(line->p, ' ', line->n);

	if (space == NULL)
		return false;
	*ret_word = span_of(space + 1, (size_t)(line->p + line->n - space) - 1);
	line->n = (size_t)(space - line->p);
	return true;
}

/* "7:1700000000:0", of which a version has the first one, two or three. */
static bool read_number(struct span word, unsigned version, struct courier_record *rec)
{
	uint64_t *const to[3] = {&rec->number, &rec->uid_validity, &(uint64_t){0}};

	for (unsigned i = 0; i < version; i++) {
		const size_t n = span_find(word, ':');

		if (!num_parse_u64(span_of(word.p, n), UINT64_MAX, to[i]))
			return false;
		if ((n == word.n) != (i == version - 1))
			return false;
		span_skip(&word, n == word.n ? n : n + 1);
	}
	return true;
}

static bool read_line(struct span line, unsigned version, struct courier_record *rec,
		      struct err *err)
{
	uint64_t size;
	struct span word;

	if (version > 0 && (!take_last_word(&line, &word) || !read_number(word, version, rec))) {
		(void)err_set(err, EBADMSG, "no number at its end");
		return false;
	}
	if (!take_last_word(&line, &word) || !num_parse_u64(word, UINT64_MAX, &size)) {
		(void)err_set(err, EBADMSG, "no size behind the name");
		return false;
	}
	rec->name = span_of(line.p, span_find(line, ':'));
	if (rec->name.n > 0 && rec->name.n <= 255 && span_find(line, '/') == line.n)
		return true;
	(void)err_set(err, EBADMSG, "no file name");
	return false;
}

enum courier_status courier_list_next(struct courier_list *l, struct courier_record *ret,
				      struct err *err)
{
	struct courier_record rec = {0};
	struct span line;

	if (!take_line(l, &line)) {
		if (l->_rest.n == 0)
			return COURIER_END;
		/* Courier puts the file there whole: a line without its end was cut off. */
		l->line++;
		(void)err_set(err, EBADMSG, "cut off");
		return COURIER_BAD;
	}
	if (!read_line(line, l->version, &rec, err))
		return COURIER_BAD;
	*ret = rec;
	return COURIER_RECORD;
}

bool courier_uidl(const struct courier_record *r, struct out *out)
{
	const size_t before = out->n;
	char text[8];

	if (r->number != 0)
		return (out_put(out, SPAN_LIT("UID")) && out_u64(out, r->number) &&
			(r->uid_validity == 0 ||
			 (out_char(out, '-') && out_u64(out, r->uid_validity)))) ||
		       out_undo(out, before);
	for (size_t i = 0; i < r->name.n; i++) {
		const unsigned char c = (unsigned char)r->name.p[i];
		const bool odd = c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+';

		(void)snprintf(text, sizeof(text), odd ? "+%02X" : "%c", c);
		if (!out_put(out, span_str(text)))
			return out_undo(out, before);
	}
	return true;
}
