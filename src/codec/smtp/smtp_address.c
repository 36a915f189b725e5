/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_address.h"

#include "codec/utf8.h"

/* A path with its brackets is 256 octets at most (RFC 5321 section 4.5.3.1.3). */
#define ADDRESS_OCTETS_MAX 254
_Static_assert(ADDRESS_OCTETS_MAX <= LIMIT_ADDRESS, "an address fits where addresses are kept");

/*
 * Each take_ function passes over one thing of the grammar at the front of *in.
 * False: it isn't there, and *in may then stand anywhere; the caller gives up.
 */

static bool take_char(struct span *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	span_skip(in, 1);
	return true;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_atext(char c)
{
	const struct span others = SPAN_LIT("!#$%&'*+-/=?^_`{|}~");

	return is_alnum(c) || span_find(others, c) < others.n;
}

/* Octets of the UTF-8 character at the front, or 0. The C1 controls (U+0080 to U+009F) are none. */
static size_t printable_length(struct span s)
{
	const size_t n = utf8_length(s);
	const bool control = n == 2 && (unsigned char)s.p[0] == 0xc2 &&
			     (unsigned char)s.p[1] < 0xa0;

	return control ? 0 : n;
}

/* One octet of ASCII that `allowed` allows, or one UTF-8 character. */
static bool take_one(struct span *in, bool (*allowed)(char), bool *utf8)
{
	if (in->n == 0)
		return false;

	const size_t n = printable_length(*in);

	if (n > 0)
		*utf8 = true;
	else if (!allowed(in->p[0]))
		return false;
	span_skip(in, n > 0 ? n : 1);
	return true;
}

static bool take_run(struct span *in, bool (*allowed)(char), bool *utf8)
{
	const size_t before = in->n;

	while (take_one(in, allowed, utf8))
		;
	return in->n < before;
}

static bool is_qtext(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* A quoted string; a backslash may stand before any printable ASCII. */
static bool take_quoted(struct span *in, bool *utf8)
{
	if (!take_char(in, '"'))
		return false;
	while (!take_char(in, '"')) {
		if (take_char(in, '\\')) {
			if (in->n == 0 || in->p[0] < ' ' || in->p[0] > '~')
				return false;
			span_skip(in, 1);
		} else if (!take_one(in, is_qtext, utf8)) {
			return false;
		}
	}
	return true;
}

static bool is_atext_or_dot(char c)
{
	return is_atext(c) || c == '.';
}

static bool take_dot_string(struct span *in, enum smtp_path_kind kind, bool *utf8)
{
	if (kind == SMTP_PATH_REVERSE)
		return take_run(in, is_atext_or_dot, utf8);
	do {
		if (!take_run(in, is_atext, utf8))
			return false;
	} while (take_char(in, '.'));
	return true;
}

static bool is_label(char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

/* Labels of letters, digits, '-' and '_', none beginning or ending with '-'. */
static bool take_labels(struct span *in, bool *utf8)
{
	do {
		const char *first = in->p;

		if (!take_run(in, is_label, utf8) || *first == '-' || in->p[-1] == '-')
			return false;
	} while (take_char(in, '.'));
	return true;
}

static bool is_ipv4(struct span s)
{
	for (unsigned part = 0; part < 4; part++) {
		unsigned value = 0;
		size_t n = 0;

		while (n < s.n && n < 4 && s.p[n] >= '0' && s.p[n] <= '9')
			value = value * 10 + (unsigned)(s.p[n++] - '0');
		if (n < 1 || n > 3 || value > 255)
			return false;
		span_skip(&s, n);
		if (part < 3 && !take_char(&s, '.'))
			return false;
	}
	return s.n == 0;
}

static bool is_dcontent(char c)
{
	return c > ' ' && c <= '~' && c != '[' && c != ']' && c != '\\';
}

/*
 * "[192.0.2.1]", or "[IPv6:…]" and what else has a tag. Behind a tag anything
 * printable will do: we look nobody up by it, and a sender's host may be anything.
 */
static bool take_literal(struct span *in)
{
	bool utf8 = false;

	if (!take_char(in, '['))
		return false;

	struct span content = *in;

	if (!take_run(in, is_dcontent, &utf8) || utf8)
		return false;
	content.n -= in->n;
	if (!take_char(in, ']'))
		return false;

	const size_t tag = span_find(content, ':');

	if (tag == content.n)
		return is_ipv4(content);
	return tag > 0 && tag + 1 < content.n;
}

static bool take_domain(struct span *in, bool *utf8)
{
	return in->n > 0 && in->p[0] == '[' ? take_literal(in) : take_labels(in, utf8);
}

/* "@one,@two:" may stand before an address and means nothing (RFC 5321 appendix C). */
static bool take_route(struct span *in)
{
	bool utf8 = false;

	do {
		if (!take_char(in, '@') || !take_domain(in, &utf8))
			return false;
	} while (take_char(in, ','));
	return take_char(in, ':');
}

static bool take_address(struct span *in, enum smtp_path_kind kind, struct smtp_path *path)
{
	const struct span all = *in;

	if (in->n > 0 && in->p[0] == '"' ? !take_quoted(in, &path->utf8)
					 : !take_dot_string(in, kind, &path->utf8))
		return false;
	path->local = span_of(all.p, all.n - in->n);
	if (take_char(in, '@')) {
		path->domain = *in;
		if (!take_domain(in, &path->utf8))
			return false;
		path->domain.n -= in->n;
	} else if (kind == SMTP_PATH_REVERSE ||
		   !span_eq_nocase(path->local, SPAN_LIT("postmaster"))) {
		return false;
	}
	path->address = span_of(all.p, all.n - in->n);
	return true;
}

enum smtp_path_status smtp_path_parse(struct span *in, enum smtp_path_kind kind,
				      struct smtp_path *ret_path)
{
	struct smtp_path path = {0};
	struct span rest = *in;

	if (!take_char(&rest, '<'))
		return SMTP_PATH_BAD;
	if (kind == SMTP_PATH_REVERSE && take_char(&rest, '>')) {
		*ret_path = path;
		*in = rest;
		return SMTP_PATH_OK;
	}
	if (rest.n > 0 && rest.p[0] == '@' && !take_route(&rest))
		return SMTP_PATH_BAD;
	if (!take_address(&rest, kind, &path) || !take_char(&rest, '>'))
		return SMTP_PATH_BAD;
	if (path.address.n > ADDRESS_OCTETS_MAX)
		return SMTP_PATH_TOO_LONG;
	*ret_path = path;
	*in = rest;
	return SMTP_PATH_OK;
}

bool smtp_local_unquote(struct out *out, struct span local)
{
	const size_t before = out->n;

	if (local.n < 2 || local.p[0] != '"')
		return out_put(out, local);
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		if (!out_char(out, local.p[i]))
			return out_undo(out, before);
	}
	return true;
}
