/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_response.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 2449 section 8: levels of printable octets, parted by '/'. */
static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	}
	return true;
}

/* A code that goes into more detail than we know means what its beginning means (ibid.). */
static enum pop3_code find_code(struct span s)
{
	for (unsigned code = POP3_CODE_NONE + 1; code < POP3_CODES; code++) {
		const struct span name = span_str(pop3_code_name((enum pop3_code)code));

		if (span_starts_with_nocase(s, name) && (s.n == name.n || s.p[name.n] == '/'))
			return (enum pop3_code)code;
	}
	return POP3_CODE_NONE;
}

static void parse_code(struct pop3_response *r)
{
	const size_t end = span_find(r->text, ']');

	if (end == r->text.n || r->text.p[0] != '[')
		return;

	const struct span code = span_of(r->text.p + 1, end - 1);

	if (!is_printable(code))
		return;
	r->code_text = code;
	r->code = find_code(code);
}

static struct pop3_response with_text(enum pop3_response_kind kind, struct span line, size_t at)
{
	while (at < line.n && is_space(line.p[at]))
		at++;
	return (struct pop3_response){.kind = kind, .text = span_of(line.p + at, line.n - at)};
}

struct pop3_response pop3_response_parse(struct span line)
{
	struct pop3_response r;

	if (span_starts_with_nocase(line, SPAN_LIT("+OK")))
		r = with_text(POP3_RESPONSE_OK, line, 3);
	else if (span_starts_with_nocase(line, SPAN_LIT("-ERR")))
		r = with_text(POP3_RESPONSE_ERR, line, 4);
	else if (line.n > 0 && line.p[0] == '+' && (line.n == 1 || is_space(line.p[1])))
		return with_text(POP3_RESPONSE_CHALLENGE, line, 1);
	else
		return (struct pop3_response){.kind = POP3_RESPONSE_OTHER, .text = line};
	parse_code(&r);
	return r;
}

static bool is_timestamp(struct span inside)
{
	const size_t at = span_find(inside, '@');

	for (size_t i = 0; i < inside.n; i++) {
		const char c = inside.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '<' || (c == '@' && i != at))
			return false;
	}
	return at > 0 && at + 1 < inside.n;
}

struct span pop3_response_timestamp(struct span text)
{
	for (size_t begin = 0; begin < text.n; begin++) {
		if (text.p[begin] != '<')
			continue;

		const struct span rest = span_of(text.p + begin + 1, text.n - begin - 1);
		const size_t n = span_find(rest, '>');

		if (n == rest.n)
			break;
		if (is_timestamp(span_of(rest.p, n)))
			return span_of(text.p + begin, n + 2);
	}
	return span_of(NULL, 0);
}
