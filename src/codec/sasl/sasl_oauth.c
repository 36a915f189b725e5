/* SPDX-License-Identifier: MIT */
#include "codec/sasl/sasl_oauth.h"

#define SEPARATOR '\1'

/* What stands before the next separator, which is used up; false when there is none. */
static bool take_field(struct span *text, struct span *ret_field)
{
	const size_t n = span_find(*text, SEPARATOR);

	if (n == text->n)
		return false;
	*ret_field = span_of(text->p, n);
	span_skip(text, n + 1);
	return true;
}

/* RFC 6750 section 2.1: b64token. */
static bool is_token(struct span s)
{
	size_t n = 0;

	while (n < s.n) {
		const char c = span_ascii_lower(s.p[n]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) &&
		    (c == '\0' || memchr("-._~+/", c, 6) == NULL))
			break;
		n++;
	}
	if (n == 0)
		return false;
	while (n < s.n && s.p[n] == '=')
		n++;
	return n == s.n;
}

/* "Bearer TOKEN". */
static bool read_auth(struct span value, struct span *ret_token)
{
	const struct span scheme = SPAN_LIT("Bearer ");

	/* Once: a second one would be another's to believe. */
	if (ret_token->n > 0 || !span_starts_with_nocase(value, scheme))
		return false;
	span_skip(&value, scheme.n);
	while (value.n > 0 && value.p[0] == ' ')
		span_skip(&value, 1);
	*ret_token = value;
	return is_token(value);
}

/* "key=value", when it is that key. */
static bool read_pair(struct span pair, struct span key, struct span *ret_value)
{
	if (pair.n <= key.n || !span_eq(span_of(pair.p, key.n), key) || pair.p[key.n] != '=')
		return false;
	*ret_value = span_of(pair.p + key.n + 1, pair.n - key.n - 1);
	return true;
}

/* RFC 7628 section 3.1: 1*ALPHA "=" and visible octets, spaces and line ends. */
static bool is_pair(struct span pair)
{
	const size_t n = span_find(pair, '=');

	if (n == 0 || n == pair.n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char c = span_ascii_lower(pair.p[i]);

		if (c < 'a' || c > 'z')
			return false;
	}
	for (size_t i = n + 1; i < pair.n; i++) {
		const char c = pair.p[i];

		if ((c < ' ' || c > '~') && c != '\t' && c != '\r' && c != '\n')
			return false;
	}
	return true;
}

/* The pairs, and the empty one that ends them; there may be nothing behind it. */
static bool read_pairs(struct span text, struct span *ret_token)
{
	struct span pair;
	struct span value;

	*ret_token = span_of(NULL, 0);
	while (take_field(&text, &pair)) {
		if (pair.n == 0)
			return text.n == 0 && ret_token->n > 0;
		if (!is_pair(pair))
			return false;
		if (read_pair(pair, SPAN_LIT("auth"), &value) && !read_auth(value, ret_token))
			return false;
	}
	return false;
}

static bool put_user_octet(struct sasl_oauth *ret, size_t *n, char c)
{
	if (*n == LIMIT_USER || (unsigned char)c < ' ' || c == 0x7f)
		return false;
	ret->user[(*n)++] = c;
	return true;
}

/* RFC 5801 section 4: "=2C" is a comma and "=3D" an equals sign. */
static bool read_saslname(struct span name, struct sasl_oauth *ret)
{
	size_t n = 0;

	while (name.n > 0) {
		char c = name.p[0];
		size_t used = 1;

		if (c == '=') {
			if (name.n < 3)
				return false;
			used = 3;
			if (span_eq_nocase(span_of(name.p, 3), SPAN_LIT("=2c")))
				c = ',';
			else if (!span_eq_nocase(span_of(name.p, 3), SPAN_LIT("=3d")))
				return false;
		}
		if (!put_user_octet(ret, &n, c))
			return false;
		span_skip(&name, used);
	}
	ret->user[n] = '\0';
	return n > 0;
}

/* "n,a=NAME," or "y,,". With p= it would be another mechanism's name. */
static bool read_header(struct span header, struct sasl_oauth *ret)
{
	if (header.n < 3 || (header.p[0] != 'n' && header.p[0] != 'y') || header.p[1] != ',' ||
	    header.p[header.n - 1] != ',')
		return false;
	ret->user[0] = '\0';
	header = span_of(header.p + 2, header.n - 3);
	if (header.n == 0)
		return true;
	if (header.n < 3 || header.p[0] != 'a' || header.p[1] != '=' ||
	    span_find(header, ',') < header.n)
		return false;
	span_skip(&header, 2);
	return read_saslname(header, ret);
}

bool sasl_oauth_parse_bearer(struct span message, struct sasl_oauth *ret)
{
	struct span header;

	return take_field(&message, &header) && read_header(header, ret) &&
	       read_pairs(message, &ret->token);
}

bool sasl_oauth_parse_xoauth2(struct span message, struct sasl_oauth *ret)
{
	struct span first;
	struct span name;
	size_t n = 0;

	if (!take_field(&message, &first) || !read_pair(first, SPAN_LIT("user"), &name))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (!put_user_octet(ret, &n, name.p[i]))
			return false;
	}
	ret->user[n] = '\0';
	return n > 0 && read_pairs(message, &ret->token);
}

/* A JSON string's inside, of what an operator wrote. */
static bool put_text(struct out *out, struct span text)
{
	bool ok = true;

	for (size_t i = 0; i < text.n && ok; i++) {
		const char c = text.p[i];

		if (c == '"' || c == '\\')
			ok = out_char(out, '\\') && out_char(out, c);
		else
			ok = out_char(out, (unsigned char)c < ' ' ? ' ' : c);
	}
	return ok;
}

bool sasl_oauth_put_error(struct out *out, bool xoauth2, struct span status, struct span scope)
{
	const size_t before = out->n;

	return (out_put(out, SPAN_LIT("{\"status\":\"")) &&
		put_text(out, xoauth2 ? SPAN_LIT("401") : status) && out_char(out, '"') &&
		(!xoauth2 || out_put(out, SPAN_LIT(",\"schemes\":\"bearer\""))) &&
		(scope.n == 0 || (out_put(out, SPAN_LIT(",\"scope\":\"")) && put_text(out, scope) &&
				  out_char(out, '"'))) &&
		out_char(out, '}')) ||
	       out_undo(out, before);
}
