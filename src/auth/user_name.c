/* SPDX-License-Identifier: MIT */
#include "auth/user_name.h"

#include <errno.h>
#include <gsasl.h>
#include <string.h>

#include "base/out.h"

/* Takes one character of UTF-8 (RFC 3629 section 4) from the front. False when there is none. */
static bool take_utf8(struct span *s, uint32_t *ret_char)
{
	const unsigned char first = (unsigned char)s->p[0];
	size_t n;
	uint32_t c;
	uint32_t least;

	if (first < 0x80) {
		n = 1, c = first, least = 0;
	} else if (first >= 0xc2 && first < 0xe0) {
		n = 2, c = first & 0x1f, least = 0x80;
	} else if (first >= 0xe0 && first < 0xf0) {
		n = 3, c = first & 0x0f, least = 0x800;
	} else if (first >= 0xf0 && first < 0xf5) {
		n = 4, c = first & 0x07, least = 0x10000;
	} else {
		return false;
	}
	if (n > s->n)
		return false;
	for (size_t i = 1; i < n; i++) {
		const unsigned char next = (unsigned char)s->p[i];

		if ((next & 0xc0) != 0x80)
			return false;
		c = c << 6 | (next & 0x3f);
	}
	/* Too long for what it says, half of a surrogate pair, or beyond Unicode. */
	if (c < least || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return false;
	span_skip(s, n);
	*ret_char = c;
	return true;
}

static const char *wrong_with_characters(struct span name)
{
	while (name.n > 0) {
		uint32_t c;

		if (!take_utf8(&name, &c))
			return "is not UTF-8";
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return "has a control character";
		if (c == '/')
			return "has a '/'";
		if (c == ':')
			return "has a ':'";
	}
	return NULL;
}

static const char *wrong_with_part(struct span part)
{
	if (part.n == 0)
		return "has nothing before or behind its '@'";
	if (part.p[0] == '.')
		return "has a part that begins with '.'";
	return NULL;
}

static const char *wrong_with(struct span name)
{
	if (name.n == 0)
		return "is empty";
	if (name.n > LIMIT_USER)
		return "is too long";
	if (name.p[0] == ' ' || name.p[name.n - 1] == ' ')
		return "begins or ends with a space";

	const char *wrong = wrong_with_characters(name);

	if (wrong == NULL)
		wrong = wrong_with_part(user_name_local(name));
	if (wrong == NULL && span_find(name, '@') < name.n)
		wrong = wrong_with_part(user_name_domain(name));
	return wrong;
}

int user_name_check(struct span name, struct err *err)
{
	const char *wrong = wrong_with(name);

	return wrong == NULL ? 0 : err_set(err, EINVAL, "the user name %s", wrong);
}

/* How a keyboard or a system writes a name (composed or not, wide or not) is not who it is. */
static bool prepare(struct span name, char *ret_name)
{
	char text[LIMIT_USER + 1];
	char *prepared = NULL;
	bool ok = false;

	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	if (gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		return false;

	const struct span p = span_str(prepared);

	if (wrong_with(p) == NULL) {
		memcpy(ret_name, p.p, p.n + 1);
		ok = true;
	}
	gsasl_free(prepared);
	return ok;
}

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

bool user_name_normalise(struct span name, char *ret_name)
{
	if (wrong_with(name) != NULL)
		return false;
	if (is_ascii(name) || !prepare(name, ret_name)) {
		memcpy(ret_name, name.p, name.n);
		ret_name[name.n] = '\0';
	}
	for (char *c = ret_name; *c != '\0'; c++)
		*c = span_ascii_lower(*c);
	/* A small letter may make one character with the accent behind it where a capital doesn't.
	 */
	if (!is_ascii(span_str(ret_name)))
		(void)prepare(span_str(ret_name), ret_name);
	return true;
}

static size_t find_last_at(struct span name)
{
	for (size_t i = name.n; i > 0; i--) {
		if (name.p[i - 1] == '@')
			return i - 1;
	}
	return name.n;
}

struct span user_name_domain(struct span name)
{
	const size_t at = find_last_at(name);

	return at == name.n ? span_of(name.p + at, 0) : span_of(name.p + at + 1, name.n - at - 1);
}

struct span user_name_local(struct span name)
{
	return span_of(name.p, find_last_at(name));
}

static int put_home(struct out *out, const char *home, struct err *err)
{
	if (home[0] == '\0')
		return err_set(err, EINVAL, "mail location wants a home, and the user has none");
	return out_put(out, span_str(home)) ? 0 : -ENOBUFS;
}

static int put_variable(struct out *out, char variable, const struct user_location *of,
			struct err *err)
{
	struct span value;

	switch (variable) {
	case 'u':
		value = of->name;
		break;
	case 'n':
		value = user_name_local(of->name);
		break;
	case 'd':
		value = user_name_domain(of->name);
		if (value.n == 0)
			value = span_str(of->default_domain);
		break;
	case 'h':
		return put_home(out, of->home, err);
	case '%':
		value = SPAN_LIT("%");
		break;
	default:
		return err_set(err, EINVAL, "mail location has an unknown variable %%%c",
			       variable > ' ' && variable < 0x7f ? variable : '?');
	}
	return out_put(out, value) ? 0 : -ENOBUFS;
}

static int expand(struct span location, const struct user_location *of, struct out *out,
		  struct err *err)
{
	if (span_starts_with_nocase(location, SPAN_LIT("~/"))) {
		const int r = put_home(out, of->home, err);

		if (r < 0)
			return r;
		span_skip(&location, 1);
	}
	while (location.n > 0) {
		const size_t n = span_find(location, '%');

		if (!out_put(out, span_of(location.p, n)))
			return -ENOBUFS;
		span_skip(&location, n);
		if (location.n == 0)
			break;
		/* A lone '%' at the end reads as "%" and NUL, which no variable is. */
		const int r = put_variable(out, location.n > 1 ? location.p[1] : '\0', of, err);

		if (r < 0)
			return r;
		span_skip(&location, 2);
	}
	return 0;
}

/*
 * The values are checked already; this holds whatever they and the location make
 * together. Writes the path without doubled slashes (an empty %d leaves one) and
 * without one at its end.
 */
static bool put_safe_path(struct span path, struct out *out)
{
	if (path.n == 0 || path.p[0] != '/' || span_find(path, '\0') != path.n)
		return false;
	while (path.n > 0) {
		span_skip(&path, 1);

		const size_t n = span_find(path, '/');
		const struct span component = span_of(path.p, n);

		if (span_eq(component, SPAN_LIT("..")) || span_eq(component, SPAN_LIT(".")))
			return false;
		if (n > 0 && (!out_char(out, '/') || !out_put(out, component)))
			return false;
		span_skip(&path, n);
	}
	return out->n > 0;
}

/* "maildir:PATH:LAYOUT=fs" is what Dovecot's users have in their files. */
static int strip_format(struct span *location, struct err *err)
{
	const size_t colon = span_find(*location, ':');

	if (span_starts_with_nocase(*location, SPAN_LIT("maildir:")))
		span_skip(location, strlen("maildir:"));
	else if (colon < location->n)
		return err_set(err, EINVAL, "mail location is not a maildir");
	location->n = span_find(*location, ':');
	return 0;
}

int user_mail_path(const char *location, const struct user_location *of, char *ret_path,
		   struct err *err)
{
	char expanded[LIMIT_PATH];
	char path[LIMIT_PATH];
	struct out all = {.p = expanded, .cap = sizeof(expanded) - 1};
	struct out out = {.p = path, .cap = sizeof(path) - 1};
	struct span rest = span_str(location);
	int r = strip_format(&rest, err);

	if (r == 0)
		r = expand(rest, of, &all, err);
	if (r == -ENOBUFS)
		return err_set(err, EINVAL, "the path to the mail is too long");
	if (r < 0)
		return r;
	if (!put_safe_path(out_span(&all), &out))
		return err_set(err, EINVAL,
			       "the path to the mail is not absolute, or has '.' or '..' in it");
	memcpy(ret_path, path, out.n);
	ret_path[out.n] = '\0';
	return 0;
}
