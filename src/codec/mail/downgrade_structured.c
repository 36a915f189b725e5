/* SPDX-License-Identifier: MIT */
/*
 * Fields with a structure: addresses, and values with parameters.
 */
#include <string.h>

#include "codec/mail/downgrade_priv.h"

/*
 * RFC 6858 section 3.1 wants an address that is nobody's, and a name that says what has
 * happened: here the whole of what stood there.
 */
#define NOBODY "<invalid@internationalized-address.invalid>"

/* How deep in what an octet stands. */
struct depth {
	bool quoted;
	bool literal; /* "[…]" */
	bool angle;   /* "<…>" */
	unsigned comment;
};

/* The octet at s.p[i] is passed over; octets that were (two with a backslash). */
static size_t pass(struct depth *d, struct span s, size_t i)
{
	const char c = s.p[i];

	if (c == '\\' && (d->quoted || d->comment > 0 || d->literal))
		return i + 1 < s.n ? 2 : 1;
	if (d->quoted) {
		d->quoted = c != '"';
	} else if (d->comment > 0) {
		d->comment += c == '(';
		d->comment -= c == ')';
	} else if (d->literal) {
		d->literal = c != ']';
	} else {
		d->quoted = c == '"';
		d->comment = c == '(';
		d->literal = c == '[';
		d->angle = c == '<' || (d->angle && c != '>');
	}
	return 1;
}

static bool is_plain(const struct depth *d)
{
	return !d->quoted && d->comment == 0 && !d->literal;
}

/* Octets before the first of these that stands by itself; s.n when there is none. */
static size_t find_plain(struct span s, struct span of, struct depth *d)
{
	size_t i = 0;

	while (i < s.n) {
		if (is_plain(d) && !d->angle && span_find(of, s.p[i]) < of.n)
			break;
		i += pass(d, s, i);
	}
	return i < s.n ? i : s.n;
}

static struct span trim(struct span s)
{
	while (s.n > 0 && memchr(" \t\r\n", s.p[0], 4) != NULL)
		span_skip(&s, 1);
	while (s.n > 0 && memchr(" \t\r\n", s.p[s.n - 1], 4) != NULL)
		s.n--;
	return s;
}

/* Splits at the '<' that begins an address. False: there is none with an end. */
static bool split_angle(struct span s, struct span *ret_before, struct span *ret_inside)
{
	struct depth d = {0};
	const size_t n = find_plain(s, SPAN_LIT("<"), &d);
	const size_t end = n < s.n ? span_find(span_of(s.p + n, s.n - n), '>') : 0;

	if (n == s.n || end == s.n - n)
		return false;
	*ret_before = trim(span_of(s.p, n));
	*ret_inside = span_of(s.p + n, end + 1);
	return true;
}

/* "address (name)", as it was written before there were names. False: it isn't that. */
static bool split_comment(struct span s, struct span *ret_address, struct span *ret_name)
{
	struct depth d = {0};
	const size_t n = find_plain(s, SPAN_LIT("("), &d);
	const struct span address = trim(span_of(s.p, n));

	if (n == s.n || s.p[s.n - 1] != ')' || !downgrade_is_ascii(address) ||
	    span_find(address, '@') == address.n || span_find(address, ' ') < address.n)
		return false;
	*ret_address = address;
	*ret_name = span_of(s.p + n + 1, s.n - n - 2);
	return true;
}

/* One of several, that has UTF-8 in it. */
static bool put_mailbox(struct span s, struct out *out)
{
	struct span name;
	struct span address;

	s = trim(s);
	if (!out_char(out, ' '))
		return false;
	if (split_comment(s, &address, &name))
		return downgrade_encode(name, false, out) &&
		       downgrade_put_behind(SPAN_LIT("<"), out) && out_put(out, address) &&
		       out_char(out, '>');
	if (!split_angle(s, &name, &address) || !downgrade_is_ascii(address))
		return downgrade_encode(s, false, out) &&
		       downgrade_put_behind(SPAN_LIT(NOBODY), out);
	if (!downgrade_is_ascii(name))
		return downgrade_encode(name, true, out) && downgrade_put_behind(address, out);
	return out_put(out, name) && (name.n == 0 || out_char(out, ' ')) && out_put(out, address);
}

/* Quotes, comments and brackets all have their ends. */
static bool is_balanced(struct span s)
{
	struct depth d = {0};

	(void)find_plain(s, SPAN_LIT(""), &d);
	return is_plain(&d) && !d.angle;
}

bool downgrade_addresses(struct span body, struct out *out)
{
	if (!is_balanced(body))
		return put_mailbox(body, out);
	while (body.n > 0) {
		struct depth d = {0};
		const size_t n = find_plain(body, SPAN_LIT(",:;"), &d);
		const struct span one = span_of(body.p, n);
		const char end = n < body.n ? body.p[n] : '\0';
		bool fits;

		if (downgrade_is_ascii(one))
			fits = out_put(out, one);
		else if (end == ':') /* the name of a group */
			fits = out_char(out, ' ') && downgrade_encode(trim(one), true, out);
		else
			fits = put_mailbox(one, out);
		if (!fits || (end != '\0' && !out_char(out, end)))
			return false;
		span_skip(&body, end != '\0' ? n + 1 : n);
	}
	return true;
}

size_t downgrade_parameter(struct span s)
{
	struct depth d = {0};

	return find_plain(s, SPAN_LIT(";"), &d);
}

bool downgrade_parameters(struct span body, struct out *out)
{
	bool first = true;

	while (body.n > 0) {
		const size_t n = downgrade_parameter(body);
		const struct span one = span_of(body.p, n);

		if (downgrade_is_ascii(one) &&
		    ((!first && !out_char(out, ';')) || !out_put(out, one)))
			return false;
		first = false;
		span_skip(&body, n < body.n ? n + 1 : n);
	}
	return true;
}
