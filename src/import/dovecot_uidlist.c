/* SPDX-License-Identifier: MIT */
#include "import/dovecot_uidlist.h"

#include <errno.h>

#include "base/num.h"

/* UIDs and the like are 32 bits wide, and 0 is none. */
#define ID_MAX UINT32_MAX

static bool take_line(struct dovecot_uidlist *l, struct span *ret_line)
{
	const size_t n = span_find(l->_rest, '\n');

	if (n == l->_rest.n)
		return false;
	*ret_line = span_of(l->_rest.p, n);
	span_skip(&l->_rest, n + 1);
	l->line++;
	return true;
}

/* What stands before the next spaces, which are taken too. */
static struct span take_word(struct span *s)
{
	const size_t n = span_find(*s, ' ');
	const struct span word = span_of(s->p, n);

	span_skip(s, n);
	while (s->n > 0 && s->p[0] == ' ')
		span_skip(s, 1);
	return word;
}

static bool parse_id(struct span s, uint32_t *ret_id)
{
	uint64_t v;

	if (!num_parse_u64(s, ID_MAX, &v) || v == 0)
		return false;
	*ret_id = (uint32_t)v;
	return true;
}

static bool read_header_3(struct dovecot_uidlist *l, struct span line)
{
	while (line.n > 0) {
		const struct span word = take_word(&line);

		if (word.n > 0 && word.p[0] == 'V' &&
		    !parse_id(span_of(word.p + 1, word.n - 1), &l->uid_validity))
			return false;
	}
	return l->uid_validity != 0;
}

bool dovecot_uidlist_open(struct dovecot_uidlist *l, struct span file, struct err *err)
{
	uint64_t version = 0;
	uint32_t next_uid;
	struct span line;

	*l = (struct dovecot_uidlist){._rest = file};
	if (!take_line(l, &line)) {
		(void)err_set(err, EBADMSG, "no header");
		return false;
	}
	if (!num_parse_u64(take_word(&line), 9, &version) || (version != 1 && version != 3)) {
		(void)err_set(err, EBADMSG, "not a list of version 1 or 3");
		return false;
	}
	l->version = (unsigned)version;
	if (version == 3 ? read_header_3(l, line)
			 : parse_id(take_word(&line), &l->uid_validity) &&
				   parse_id(take_word(&line), &next_uid) && line.n == 0)
		return true;
	(void)err_set(err, EBADMSG, "a header without UIDVALIDITY");
	return false;
}

/* The words in front of the name. What other keys say is nothing that POP3 shows. */
static bool read_keys(struct span *line, struct dovecot_record *rec, struct err *err)
{
	while (line->n > 0 && line->p[0] != ':') {
		const struct span word = take_word(line);
		const struct span value = span_of(word.p + 1, word.n - 1);
		uint64_t order;

		switch (word.p[0]) {
		case 'P':
			rec->has_pop3_uidl = true;
			rec->pop3_uidl = value;
			break;
		case 'O':
			/* Dovecot takes what isn't a number for none. */
			rec->has_pop3_order = num_parse_u64(value, UINT32_MAX, &order);
			rec->pop3_order = rec->has_pop3_order ? (uint32_t)order : 0;
			break;
		case 'G':
			rec->guid = value;
			break;
		default:
			break;
		}
	}
	if (line->n > 0) {
		span_skip(line, 1);
		return true;
	}
	(void)err_set(err, EBADMSG, "no file name");
	return false;
}

static bool read_record(struct dovecot_uidlist *l, struct span line, struct dovecot_record *rec,
			struct err *err)
{
	if (!parse_id(take_word(&line), &rec->uid)) {
		(void)err_set(err, EBADMSG, "it doesn't begin with a UID");
		return false;
	}
	if (rec->uid <= l->_last_uid) {
		(void)err_set(err, EBADMSG, "UID %u behind UID %u", rec->uid, l->_last_uid);
		return false;
	}
	l->_last_uid = rec->uid;
	if (l->version == 3 && !read_keys(&line, rec, err))
		return false;
	rec->name = span_of(line.p, span_find(line, ':'));
	if (rec->name.n > 0 && rec->name.n <= 255 && span_find(line, '/') == line.n)
		return true;
	(void)err_set(err, EBADMSG, "no file name");
	return false;
}

enum dovecot_status dovecot_uidlist_next(struct dovecot_uidlist *l, struct dovecot_record *ret,
					 struct err *err)
{
	struct dovecot_record rec = {0};
	struct span line;

	if (!take_line(l, &line))
		return DOVECOT_END;
	if (!read_record(l, line, &rec, err))
		return DOVECOT_BAD;
	*ret = rec;
	return DOVECOT_RECORD;
}
