/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/limits.h"
#include "base/maildrop_rules.h"
#include "base/num.h"
#include "auth/passwd_file.h"
#include "auth/user_name.h"

enum { NAME, SECRET, UID, GID, GECOS, HOME, SHELL, EXTRA, FIELDS };

/* Splits at colons; extra takes all that is left, for its values have colons themselves. */
static void split(struct span line, struct span field[FIELDS])
{
	for (size_t i = 0; i < FIELDS; i++) {
		const size_t n = i == EXTRA ? line.n : span_find(line, ':');

		field[i] = span_of(line.p, n);
		span_skip(&line, n);
		if (line.n > 0)
			span_skip(&line, 1);
	}
}

/* A name instead of a number is Dovecot's to look up, not ours: it matters only if it is used. */
static void read_id(struct span text, uint32_t *ret_id)
{
	uint64_t id;

	if (text.n > 0)
		*ret_id = num_parse_u64(text, PASSWD_BAD_ID - 1, &id) ? (uint32_t)id
								      : PASSWD_BAD_ID;
}

/* "key=value", when the word is that key. */
static bool read_word(struct span word, struct span key, struct span *ret_value)
{
	if (word.n <= key.n || !span_eq(span_of(word.p, key.n), key) || word.p[key.n] != '=')
		return false;
	*ret_value = span_of(word.p + key.n + 1, word.n - key.n - 1);
	return true;
}

static void read_extra(struct span extra, struct passwd_line *l)
{
	while (extra.n > 0) {
		const size_t n = span_find(extra, ' ');
		const struct span word = span_of(extra.p, n);
		struct span value;

		if (read_word(word, SPAN_LIT("userdb_mail"), &value))
			l->mail = value;
		else if (read_word(word, SPAN_LIT("userdb_home"), &value))
			l->home = value;
		else if (read_word(word, SPAN_LIT("userdb_uid"), &value))
			read_id(value, &l->uid);
		else if (read_word(word, SPAN_LIT("userdb_gid"), &value))
			read_id(value, &l->gid);
		for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
			if (read_word(word, span_str(scram_word(hash)), &value))
				l->scram[hash] = value;
		}
		span_skip(&extra, n < extra.n ? n + 1 : n);
	}
}

static const char *flaw_of(const struct passwd_line *l)
{
	if (l->uid == PASSWD_BAD_ID)
		return "the uid is not a number";
	if (l->gid == PASSWD_BAD_ID)
		return "the gid is not a number";
	if (l->home.n > 0 && l->home.p[0] != '/')
		return "the home is not an absolute path";
	if (l->home.n >= LIMIT_PATH || l->mail.n >= LIMIT_PATH)
		return "a path is too long";
	return NULL;
}

static bool is_comment(struct span line)
{
	while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		span_skip(&line, 1);
	return line.n == 0 || line.p[0] == '#';
}

static const char *wrong_with(struct span line)
{
	if (line.n > PASSWD_LINE_MAX)
		return "the line is too long";
	if (span_find(line, '\0') < line.n)
		return "the line has a NUL octet";
	if (span_find(line, ':') == line.n)
		return "the line has no ':'";
	return NULL;
}

enum passwd_status passwd_line_parse(struct span line, struct passwd_line *ret, struct err *err)
{
	struct span field[FIELDS];

	if (is_comment(line))
		return PASSWD_COMMENT;

	const char *wrong = wrong_with(line);

	if (wrong != NULL) {
		(void)err_set(err, EINVAL, "%s", wrong);
		return PASSWD_BAD;
	}
	split(line, field);
	if (user_name_check(field[NAME], err) < 0)
		return PASSWD_BAD;

	*ret = (struct passwd_line){
		.name = field[NAME],
		.secret = field[SECRET],
		.home = field[HOME],
		.mail = span_of(line.p + line.n, 0),
		.extra = field[EXTRA],
		.uid = PASSWD_NO_ID,
		.gid = PASSWD_NO_ID,
	};
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		ret->scram[hash] = span_of(line.p + line.n, 0);
	read_id(field[UID], &ret->uid);
	read_id(field[GID], &ret->gid);
	read_extra(field[EXTRA], ret);

	struct maildrop_own_rules rules = {0};
	struct err why;
	const char *flaw = flaw_of(ret);

	if (flaw == NULL && maildrop_own_rules_read(&rules, ret->extra, &why) < 0)
		flaw = why.text;
	if (flaw == NULL)
		return PASSWD_USER;
	(void)err_set(err, EINVAL, "user '%.*s': %s", (int)ret->name.n, ret->name.p, flaw);
	return PASSWD_FLAWED;
}
