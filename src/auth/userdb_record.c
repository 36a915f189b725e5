/* SPDX-License-Identifier: MIT */
/* What a column, or an attribute, says about a user. */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "auth/passwd_file.h"
#include "auth/user_name.h"
#include "auth/userdb_priv.h"

void userdb_record_begin(struct user_record *r, const char *name)
{
	memset(r, 0, sizeof(*r));
	r->uid = PASSWD_NO_ID;
	r->gid = PASSWD_NO_ID;
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
}

static int set_text(char *to, size_t cap, struct span value)
{
	if (value.n >= cap)
		return -ENAMETOOLONG;
	memcpy(to, value.p, value.n);
	to[value.n] = '\0';
	return 0;
}

/* A password without a scheme has the default one; an empty one is locked. */
static int set_password(struct user_record *r, const char *scheme, struct span value)
{
	struct out out = {.p = r->secret, .cap = sizeof(r->secret) - 1};

	if (scheme[0] != '\0' && value.n > 0 && value.p[0] != '{' &&
	    !(out_char(&out, '{') && out_put(&out, span_str(scheme)) && out_char(&out, '}')))
		return -ENAMETOOLONG;
	if (!out_put(&out, value))
		return -ENAMETOOLONG;
	r->secret[out.n] = '\0';
	return 0;
}

static void set_id(uint32_t *id, struct span value)
{
	uint64_t n;

	*id = num_parse_u64(value, PASSWD_BAD_ID - 1, &n) ? (uint32_t)n : PASSWD_BAD_ID;
}

static int set_name(struct user_record *r, struct span value, struct err *err)
{
	char name[LIMIT_USER + 1];

	if (user_name_check(value, err) < 0)
		return -EINVAL;
	(void)user_name_normalise(value, name);
	memcpy(r->name, name, sizeof(name));
	return 0;
}

/* -ENOENT: it is no column of ours. */
static int set(struct user_record *r, struct span column, const char *scheme, struct span value,
	       struct err *err)
{
	if (span_eq(column, SPAN_LIT("password")))
		return set_password(r, scheme, value);
	if (span_eq(column, SPAN_LIT("name")))
		return set_name(r, value, err);
	if (span_eq(column, SPAN_LIT("home")))
		return set_text(r->home, sizeof(r->home), value);
	if (span_eq(column, SPAN_LIT("mail")))
		return set_text(r->mail, sizeof(r->mail), value);
	if (span_eq(column, SPAN_LIT("uid"))) {
		set_id(&r->uid, value);
		return 0;
	}
	if (span_eq(column, SPAN_LIT("gid"))) {
		set_id(&r->gid, value);
		return 0;
	}
	if (span_eq(column, SPAN_LIT("extra"))) {
		/* What is wrong is remembered in the rules, and said where they are used. */
		(void)maildrop_own_rules_read(&r->rules, value, NULL);
		return 0;
	}
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
		if (span_eq(column, span_str(scram_word(hash))))
			return set_text(r->scram[hash], sizeof(r->scram[hash]), value);
	}
	return maildrop_own_rules_set(&r->rules, column, value, err);
}

int userdb_record_set(struct user_record *r, struct span column, const char *scheme,
		      struct span value, struct err *err)
{
	static const struct span prefix = SPAN_LIT("userdb_");
	struct err why;
	int result;

	if (column.n > prefix.n && span_eq(span_of(column.p, prefix.n), prefix))
		column = span_of(column.p + prefix.n, column.n - prefix.n);
	if (value.n > 0 && memchr(value.p, '\0', value.n) != NULL)
		return err_set(err, EINVAL, "user '%s': %.*s has a NUL octet", r->name,
			       (int)column.n, column.p);
	result = set(r, column, scheme, value, &why);
	if (result == -ENAMETOOLONG)
		return err_set(err, EINVAL, "user '%s': %.*s is too long", r->name, (int)column.n,
			       column.p);
	if (result == -EINVAL)
		return err_set(err, EINVAL, "user '%s': %s", r->name, why.text);
	return 0;
}
