/* SPDX-License-Identifier: MIT */
#include "auth/scheme.h"

#include <argon2.h>
#include <errno.h>

#include "base/secret.h"
#include "auth/scheme_priv.h"

static int plain_check(const struct scheme_row *row, struct span text, struct err *err)
{
	/* A password with NUL can't be sent, and one without octets is a slip in the file. */
	if (text.n == 0 || span_find(text, '\0') != text.n)
		return err_set(err, EINVAL, "malformed {%s} password", row->name);
	return 0;
}

static int plain_verify(const struct scheme_row *row, struct span text, const char *password,
			struct err *err)
{
	const int r = plain_check(row, text, err);

	if (r < 0)
		return r;
	return strlen(password) == text.n && secret_equal(password, text.p, text.n);
}

static int plain_make(const struct scheme_row *row, const char *password, struct out *out,
		      struct err *err)
{
	const size_t n = strlen(password);
	bool ok = n > 0;

	/* In base64 when a colon, a space or a control octet would break the file's line. */
	for (size_t i = 0; i < n; i++)
		ok = ok && password[i] > ' ' && password[i] < 0x7f && password[i] != ':';
	if (n == 0)
		return err_set(err, EINVAL, "the password is empty");
	if (ok)
		ok = out_char(out, '}') && out_put(out, span_of(password, n));
	else
		ok = out_put(out, SPAN_LIT(".b64}")) && scheme_put_b64(out, password, n);
	return ok ? 0 : err_set(err, ENOBUFS, "no room for a {%s} password", row->name);
}

/* clang-format off */
#define ARGON2(type) .check = scheme_argon2_check, .verify = scheme_argon2_verify, \
	.make = scheme_argon2_make, .n = (type)
#define CRYPT(prefix) .check = scheme_crypt_check, .verify = scheme_crypt_verify, \
	.make = scheme_crypt_make, .what = (prefix)
#define DIGEST(md, octets) .check = scheme_digest_check, .verify = scheme_digest_verify, \
	.make = scheme_digest_make, .what = (md), .n = (octets), .encoding = SCHEME_B64
#define SCRAM(hash) .check = scheme_scram_check, .verify = scheme_scram_verify, \
	.make = scheme_scram_make, .n = (hash)
#define PLAIN .check = plain_check, .verify = plain_verify, .make = plain_make, .plain = true

static const struct scheme_row rows[] = {
	{ "ARGON2ID",     .made = true, ARGON2(Argon2_id), .what = "argon2id" },
	{ "ARGON2I",      ARGON2(Argon2_i), .what = "argon2i" },
	{ "CRYPT",        .made = true, CRYPT(NULL), .make_prefix = "$y$" },
	{ "SHA512-CRYPT", .made = true, CRYPT("$6$"), .make_prefix = "$6$" },
	{ "SHA256-CRYPT", .made = true, CRYPT("$5$"), .make_prefix = "$5$" },
	{ "BLF-CRYPT",    .made = true, CRYPT("$2"), .make_prefix = "$2b$", .n = 12 },
	{ "MD5-CRYPT",    CRYPT("$1$") },
	{ "MD5",          CRYPT("$1$") },
	{ "DES-CRYPT",    CRYPT(NULL) },
	{ "SSHA512",      .made = true, DIGEST("SHA512", 64), .salted = true },
	{ "SSHA256",      .made = true, DIGEST("SHA256", 32), .salted = true },
	{ "SSHA",         .made = true, DIGEST("SHA1", 20), .salted = true },
	{ "SMD5",         DIGEST("MD5", 16), .salted = true },
	{ "SHA512",       DIGEST("SHA512", 64) },
	{ "SHA256",       DIGEST("SHA256", 32) },
	{ "SHA",          DIGEST("SHA1", 20) },
	{ "SHA1",         DIGEST("SHA1", 20) },
	{ "LDAP-MD5",     DIGEST("MD5", 16) },
	{ "PLAIN-MD5",    DIGEST("MD5", 16) },
	{ "SCRAM-SHA-256", .made = true, SCRAM(SCRAM_SHA_256) },
	{ "SCRAM-SHA-1",  .made = true, SCRAM(SCRAM_SHA_1) },
	{ "PBKDF2",       .check = scheme_pbkdf2_check, .verify = scheme_pbkdf2_verify },
	{ "PLAIN",        .made = true, PLAIN },
	{ "CLEARTEXT",    PLAIN },
	{ "CLEAR",        PLAIN },
};
/* clang-format on */

#undef ARGON2
#undef CRYPT
#undef DIGEST
#undef PLAIN
#undef SCRAM

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* A stored password taken apart: its row, and the text that the row's family reads. */
struct parsed {
	const struct scheme_row *row;
	struct scheme_row recoded; /* the row with another encoding, when a suffix says so */
	struct span text;
	char decoded[SCHEME_STORED_MAX]; /* of a suffix, for families that read text as it is */
};

static const struct scheme_row *find_row(struct span name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (span_eq_nocase(name, span_str(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

bool scheme_is_locked(const char *stored)
{
	return stored[0] == '\0' || stored[0] == '*' || stored[0] == '!';
}

/* "NAME" or "NAME.b64", without braces. */
static const struct scheme_row *read_name(struct span name, enum scheme_encoding *ret_suffix)
{
	const size_t dot = span_find(name, '.');
	const struct span suffix = span_of(name.p + dot, name.n - dot);

	if (suffix.n == 0)
		*ret_suffix = SCHEME_AS_IS;
	else if (span_eq_nocase(suffix, SPAN_LIT(".b64")) ||
		 span_eq_nocase(suffix, SPAN_LIT(".base64")))
		*ret_suffix = SCHEME_B64;
	else if (span_eq_nocase(suffix, SPAN_LIT(".hex")))
		*ret_suffix = SCHEME_HEX;
	else
		return NULL;
	return find_row(span_of(name.p, dot));
}

static int recode(struct parsed *p, enum scheme_encoding suffix, struct err *err)
{
	size_t n;

	/* Digests read octets in whichever encoding; the others want their text decoded. */
	p->recoded = *p->row;
	if (p->row->encoding != SCHEME_AS_IS) {
		p->recoded.encoding = suffix;
		p->row = &p->recoded;
		return 0;
	}
	if (!scheme_decode(suffix, p->text, (uint8_t *)p->decoded, sizeof(p->decoded) - 1, &n))
		return err_set(err, EINVAL, "malformed {%s} hash: not in the encoding it says",
			       p->row->name);
	p->decoded[n] = '\0';
	p->text = span_of(p->decoded, n);
	return 0;
}

static int parse(const char *stored, struct parsed *p, struct err *err)
{
	const struct span all = span_str(stored);
	enum scheme_encoding suffix = SCHEME_AS_IS;

	if (all.n >= SCHEME_STORED_MAX)
		return err_set(err, EINVAL, "the password hash is too long");
	if (all.n > 0 && all.p[0] == '$') {
		p->row = find_row(SPAN_LIT("CRYPT"));
		p->text = all;
		return 0;
	}

	const size_t close = span_find(all, '}');

	if (all.n == 0 || all.p[0] != '{' || close == all.n)
		return err_set(err, EINVAL, "the password has no {SCHEME}");

	const struct span name = span_of(all.p + 1, close - 1);

	p->row = read_name(name, &suffix);
	if (p->row == NULL)
		return err_set(err, EINVAL, "unknown password scheme {%.*s}",
			       (int)(name.n > 64 ? 64 : name.n), name.p);
	p->text = span_of(all.p + close + 1, all.n - close - 1);
	return suffix == SCHEME_AS_IS ? 0 : recode(p, suffix, err);
}

int scheme_check(const char *stored, struct err *err)
{
	struct parsed p;

	if (scheme_is_locked(stored))
		return 0;

	int r = parse(stored, &p, err);

	if (r == 0)
		r = p.row->check(p.row, p.text, err);
	secret_wipe(p.decoded, sizeof(p.decoded));
	return r;
}

int scheme_verify(const char *stored, const char *password, struct err *err)
{
	struct parsed p;

	if (scheme_is_locked(stored))
		return 0;

	int r = parse(stored, &p, err);

	if (r == 0)
		r = p.row->verify(p.row, p.text, password, err);
	secret_wipe(p.decoded, sizeof(p.decoded));
	return r;
}

int scheme_make(const char *scheme, const char *password, char *ret_stored, size_t cap,
		struct err *err)
{
	const struct scheme_row *row = find_row(span_str(scheme));
	struct out out = {.p = ret_stored, .cap = cap - 1};

	if (row == NULL || !row->made)
		return err_set(err, EINVAL, "cannot make a password for the scheme '%s'", scheme);
	/* A plain password decides for itself whether ".b64" follows. */
	if (!out_char(&out, '{') || !out_put(&out, span_str(row->name)) ||
	    (!row->plain && !out_char(&out, '}')))
		return err_set(err, ENOBUFS, "no room for a password");

	const int r = row->make(row, password, &out, err);

	if (r == 0)
		ret_stored[out.n] = '\0';
	return r;
}

const char *scheme_name(const char *stored)
{
	struct parsed p;

	if (scheme_is_locked(stored))
		return "locked";

	const char *name = parse(stored, &p, NULL) < 0 ? "unknown" : p.row->name;

	secret_wipe(p.decoded, sizeof(p.decoded));
	return name;
}

bool scheme_plain(const char *stored, char *ret_password, size_t cap)
{
	struct parsed p;
	bool ok = false;

	if (!scheme_is_locked(stored) && parse(stored, &p, NULL) == 0) {
		ok = p.row->plain && p.text.n < cap && plain_check(p.row, p.text, NULL) == 0;
		if (ok) {
			memcpy(ret_password, p.text.p, p.text.n);
			ret_password[p.text.n] = '\0';
		}
		secret_wipe(p.decoded, sizeof(p.decoded));
	}
	return ok;
}

bool scheme_scram(const char *stored, enum scram_hash hash, struct scram_keys *ret_keys)
{
	struct parsed p;
	bool ok = false;

	if (!scheme_is_locked(stored) && parse(stored, &p, NULL) == 0) {
		ok = p.row->check == scheme_scram_check && p.row->n == hash &&
		     scram_keys_parse(hash, p.text, ret_keys);
		secret_wipe(p.decoded, sizeof(p.decoded));
	}
	return ok;
}

const char *scheme_made(unsigned i)
{
	for (size_t row = 0; row < ROWS; row++) {
		if (rows[row].made && i-- == 0)
			return rows[row].name;
	}
	return NULL;
}
