/* SPDX-License-Identifier: MIT */
#include "base/maildrop_rules.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/num.h"
#include "base/value.h"

enum kind { SIZE, NUMBER64, NUMBER, SECONDS, DELE, FOLDER, FOLDERS };

struct row {
	struct maildrop_rule rule;
	enum kind kind;
	size_t at;    /* in struct maildrop_rules */
	uint64_t max; /* the greatest number; of a string, its octets with the NUL */
};

/* As long as anybody keeps anything. */
#define DAYS_MAX 36500
#define DAY 86400

#define A_NUMBER "a number"
#define A_SIZE "a size such as \"1048576\", \"50M\" or \"1G\""
#define A_TIME "a time such as \"90\", \"90s\", \"10m\" or \"1h\""
#define A_FOLDER "a folder's name"

#define AT(m) .at = offsetof(struct maildrop_rules, m)
#define TEXT(m) AT(m), .max = sizeof(((struct maildrop_rules *)NULL)->m)

/* clang-format off */
static const struct row rows[] = {
	{{"quota_octets", A_SIZE, true}, SIZE, AT(quota_octets), .max = UINT64_C(1) << 50},
	{{"quota_messages", A_NUMBER, true}, NUMBER64, AT(quota_messages), .max = UINT32_MAX},
	{{"dele", "one of: delete, hide, trash", true}, DELE, AT(dele)},
	{{"dele_days", A_NUMBER, true}, NUMBER, AT(dele_days), .max = DAYS_MAX},
	{{"newest", A_NUMBER, true}, NUMBER, AT(newest), .max = UINT32_MAX},
	{{"expire_days", A_NUMBER, true}, NUMBER, AT(expire_days), .max = DAYS_MAX},
	{{"login_delay", A_TIME, true}, SECONDS, AT(login_delay), .max = DAY},
	{{"device_days", A_NUMBER, true}, NUMBER, AT(device_days), .max = DAYS_MAX},
	{{"recent_days", A_NUMBER, true}, NUMBER, AT(recent_offer), .max = DAYS_MAX},
	{{"trash", A_FOLDER, true}, FOLDER, TEXT(trash)},
	{{"folders", "folders' names such as \"INBOX,Junk\"", true}, FOLDERS, TEXT(folders)},
};
/* clang-format on */

#undef AT
#undef TEXT

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const deles[MAILDROP_DELES] = {
	[MAILDROP_DELE_DELETE] = "delete",
	[MAILDROP_DELE_HIDE] = "hide",
	[MAILDROP_DELE_TRASH] = "trash",
};

const struct maildrop_rule *maildrop_rule(unsigned i)
{
	return i < ROWS ? &rows[i].rule : NULL;
}

static bool ends(const char *text, size_t cap)
{
	return memchr(text, '\0', cap) != NULL;
}

bool maildrop_rules_check(const struct maildrop_rules *r)
{
	char device[MAILDROP_DEVICE_MAX + 1] = "";

	return r->dele < MAILDROP_DELES && ends(r->trash, sizeof(r->trash)) &&
	       ends(r->folders, sizeof(r->folders)) && ends(r->device, sizeof(r->device)) &&
	       (r->device[0] == '\0' || (maildrop_device_name(span_str(r->device), device) &&
					 strcmp(device, r->device) == 0));
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool maildrop_device_name(struct span name, char ret_device[MAILDROP_DEVICE_MAX + 1])
{
	char device[MAILDROP_DEVICE_MAX + 1] = "";

	if (name.n == 0 || name.n > MAILDROP_DEVICE_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		const char c = span_ascii_lower(name.p[i]);
		const bool inside = i > 0 && i + 1 < name.n && (c == '-' || c == '_' || c == '.');

		if (!is_letter_or_digit(c) && !inside)
			return false;
		device[i] = c;
	}
	memcpy(ret_device, device, sizeof(device));
	return true;
}

/*
 * Maildir++ puts a dot in front of it and a directory is called so. Nothing in it may
 * lead elsewhere, or be no name for another program.
 */
static bool is_folder(struct span name)
{
	if (name.n == 0 || name.p[0] == '.' || name.p[name.n - 1] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		const unsigned char c = (unsigned char)name.p[i];

		if (c <= ' ' || c == 0x7f || c == '/' || c == ',' ||
		    (c == '.' && name.p[i + 1] == '.'))
			return false;
	}
	return true;
}

static bool is_inbox(struct span name)
{
	return span_eq_nocase(name, SPAN_LIT("INBOX"));
}

/* Takes a word from the front, up to a space or comma. */
static struct span take_word(struct span *text)
{
	size_t n = 0;

	while (n < text->n && text->p[n] != ' ' && text->p[n] != ',')
		n++;

	const struct span word = span_of(text->p, n);

	span_skip(text, n < text->n ? n + 1 : n);
	return word;
}

static bool has_word(struct span text, struct span wanted)
{
	while (text.n > 0) {
		if (span_eq(take_word(&text), wanted))
			return true;
	}
	return false;
}

/* "INBOX,Junk" or "INBOX Junk" into "INBOX Junk". */
static bool read_folders(struct span text, struct out *out)
{
	while (text.n > 0) {
		struct span word = take_word(&text);

		if (word.n == 0)
			continue;
		if (!is_folder(word))
			return false;
		if (is_inbox(word))
			word = SPAN_LIT("INBOX");
		if (has_word(out_span(out), word) || (out->n > 0 && !out_char(out, ' ')) ||
		    !out_put(out, word))
			return false;
	}
	return out->n > 0;
}

static bool set_text(const struct row *row, struct span value, char *to)
{
	char text[sizeof(((struct maildrop_rules *)NULL)->folders)] = "";
	struct out out = {.p = text, .cap = row->max - 1};

	if (row->kind == FOLDERS ? !read_folders(value, &out)
				 : !is_folder(value) || is_inbox(value) || !out_put(&out, value))
		return false;
	memcpy(to, text, row->max);
	return true;
}

static bool set_dele(struct span value, char *to)
{
	for (uint32_t i = 0; i < MAILDROP_DELES; i++) {
		if (span_eq(value, span_str(deles[i]))) {
			memcpy(to, &i, sizeof(i));
			return true;
		}
	}
	return false;
}

static bool set_number(const struct row *row, struct span value, char *to)
{
	char text[32] = "";
	uint64_t n;
	bool ok;

	if (value.n >= sizeof(text))
		return false;
	if (value.n > 0)
		memcpy(text, value.p, value.n);
	if (row->kind == SIZE)
		ok = value_size(text, row->max, &n);
	else if (row->kind == SECONDS)
		ok = value_duration(text, row->max, &n);
	else
		ok = num_parse_u64(value, row->max, &n);
	if (!ok)
		return false;
	if (row->kind == SIZE || row->kind == NUMBER64) {
		memcpy(to, &n, sizeof(n));
	} else {
		const uint32_t n32 = (uint32_t)n;

		memcpy(to, &n32, sizeof(n32));
	}
	return true;
}

static bool set(const struct row *row, struct span value, struct maildrop_rules *r)
{
	char *const to = (char *)r + row->at;

	switch (row->kind) {
	case SIZE:
	case NUMBER64:
	case NUMBER:
	case SECONDS:
		return set_number(row, value, to);
	case DELE:
		return set_dele(value, to);
	case FOLDER:
	case FOLDERS:
		return set_text(row, value, to);
	}
	return false;
}

/* NULL: there is none of this name. */
static const struct row *find(struct span name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].rule.obeyed && span_eq(name, span_str(rows[i].rule.name)))
			return &rows[i];
	}
	return NULL;
}

/* The most that is shown of what somebody wrote. */
#define SHOWN 64

int maildrop_rules_set(struct maildrop_rules *r, struct span name, struct span value,
		       struct err *err)
{
	const struct row *const row = find(name);

	if (row == NULL)
		return err_set(err, ENOENT, "there is no rule '%.*s'",
			       (int)(name.n < SHOWN ? name.n : SHOWN), name.p);
	if (set(row, value, r))
		return 0;
	return err_set(err, EINVAL, "%s needs %s, not \"%.*s\"", row->rule.name, row->rule.what,
		       (int)(value.n < SHOWN ? value.n : SHOWN), value.p);
}

bool maildrop_rules_put(struct out *out, const struct maildrop_rules *r, unsigned i)
{
	const char *const at = (const char *)r + rows[i].at;
	uint64_t n64;
	uint32_t n32;

	switch (rows[i].kind) {
	case SIZE:
	case NUMBER64:
		memcpy(&n64, at, sizeof(n64));
		return out_u64(out, n64);
	case NUMBER:
	case SECONDS:
		memcpy(&n32, at, sizeof(n32));
		return out_u64(out, n32);
	case DELE:
		memcpy(&n32, at, sizeof(n32));
		return n32 < MAILDROP_DELES && out_put(out, span_str(deles[n32]));
	case FOLDER:
	case FOLDERS:
		return out_put(out, span_str(at));
	}
	return false;
}

void maildrop_rules_bound(struct maildrop_rules *r, const struct maildrop_bounds *b)
{
	if (r->login_delay > b->login_delay)
		r->login_delay = b->login_delay;
	if (b->expire_days == 0)
		r->expire_days = 0;
	else if (r->expire_days != 0 && r->expire_days < b->expire_days)
		r->expire_days = b->expire_days;
}

/* ---- what a user's row says ---- */

/* A number of Dovecot's, in this unit unless it says another one. */
static bool dovecot_size(struct span text, uint64_t unit, uint64_t *ret_octets)
{
	static const char units[] = "bkmgt";
	const char last = text.n > 0 ? span_ascii_lower(text.p[text.n - 1]) : '\0';
	const char *const at = last == '\0' ? NULL : strchr(units, last);
	uint64_t n;

	if (at != NULL) {
		unit = UINT64_C(1) << 10 * (at - units);
		text.n--;
	}
	if (!num_parse_u64(text, (UINT64_C(1) << 50) / unit, &n))
		return false;
	*ret_octets = n * unit;
	return true;
}

static bool is_given(const struct maildrop_own_rules *own, struct span name)
{
	const struct row *const row = find(name);

	return row != NULL && (own->given & 1U << (row - rows)) != 0;
}

/* "storage=1G:messages=1000", behind the mailbox that it is for. */
static void read_dovecot_quota(struct maildrop_own_rules *own, struct span limits)
{
	while (limits.n > 0) {
		const size_t n = span_find(limits, ':');
		struct span limit = span_of(limits.p, n);
		const struct span name = span_of(limit.p, span_find(limit, '='));
		char text[24];
		struct out out = {.p = text, .cap = sizeof(text)};
		uint64_t value;

		span_skip(&limits, n < limits.n ? n + 1 : n);
		span_skip(&limit, name.n < limit.n ? name.n + 1 : name.n);

		/* What Dovecot counts without a unit is KiB. */
		const bool storage = span_eq(name, SPAN_LIT("storage"));
		const bool octets = storage || span_eq(name, SPAN_LIT("bytes"));
		const struct span rule = octets ? SPAN_LIT("quota_octets")
						: SPAN_LIT("quota_messages");

		if (octets ? !dovecot_size(limit, storage ? 1024 : 1, &value)
			   : !span_eq(name, SPAN_LIT("messages")) ||
				     !num_parse_u64(limit, UINT32_MAX, &value))
			continue;
		/* The rule by its own name counts, wherever it stands. */
		if (is_given(own, rule))
			continue;
		(void)out_u64(&out, value);
		(void)maildrop_own_rules_set(own, rule, out_span(&out), NULL);
	}
}

/* Another server's name for a rule. */
static bool is_dovecot_quota(struct span name)
{
	return span_eq(name, SPAN_LIT("userdb_quota_rule")) ||
	       span_eq(name, SPAN_LIT("quota_rule"));
}

int maildrop_own_rules_set(struct maildrop_own_rules *own, struct span name, struct span value,
			   struct err *err)
{
	if (is_dovecot_quota(name)) {
		/* Of one folder alone, there is nothing like it here. */
		if (value.n > 2 && value.p[0] == '*' && value.p[1] == ':')
			read_dovecot_quota(own, span_of(value.p + 2, value.n - 2));
		return 0;
	}

	const int r = maildrop_rules_set(&own->rules, name, value, err);

	if (r == 0)
		own->given |= 1U << (find(name) - rows);
	else if (r == -EINVAL)
		own->wrong = 1;
	return r;
}

int maildrop_own_rules_read(struct maildrop_own_rules *own, struct span words, struct err *err)
{
	int result = 0;

	while (words.n > 0) {
		size_t n = 0;

		while (n < words.n && words.p[n] != ' ' && words.p[n] != '\0')
			n++;

		const struct span word = span_of(words.p, n);
		const size_t equals = span_find(word, '=');

		span_skip(&words, n < words.n ? n + 1 : n);
		if (equals == word.n)
			continue;

		struct err ignored;
		const int r = maildrop_own_rules_set(
			own, span_of(word.p, equals),
			span_of(word.p + equals + 1, word.n - equals - 1),
			result == 0 ? err : &ignored);

		if (r == -EINVAL)
			result = r;
	}
	return result;
}

static size_t size_of(const struct row *row)
{
	switch (row->kind) {
	case SIZE:
	case NUMBER64:
		return sizeof(uint64_t);
	case NUMBER:
	case SECONDS:
	case DELE:
		return sizeof(uint32_t);
	case FOLDER:
	case FOLDERS:
		return row->max;
	}
	return 0;
}

void maildrop_rules_override(struct maildrop_rules *r, const struct maildrop_own_rules *own)
{
	for (size_t i = 0; i < ROWS; i++) {
		if ((own->given & 1U << i) != 0)
			memcpy((char *)r + rows[i].at, (const char *)&own->rules + rows[i].at,
			       size_of(&rows[i]));
	}
}
