/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_dsn.h"

#include "codec/utf8.h"

bool smtp_dsn_ret(struct span value, enum smtp_dsn_ret *ret)
{
	if (span_eq_nocase(value, SPAN_LIT("FULL")))
		*ret = SMTP_DSN_RET_FULL;
	else if (span_eq_nocase(value, SPAN_LIT("HDRS")))
		*ret = SMTP_DSN_RET_HDRS;
	else
		return false;
	return true;
}

bool smtp_dsn_notify(struct span value, uint8_t *ret)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} words[] = {
		{"SUCCESS", SMTP_DSN_SUCCESS},
		{"FAILURE", SMTP_DSN_FAILURE},
		{"DELAY", SMTP_DSN_DELAY},
	};
	uint8_t bits = 0;

	if (span_eq_nocase(value, SPAN_LIT("NEVER"))) {
		*ret = SMTP_DSN_NEVER;
		return true;
	}
	for (;;) {
		const size_t n = span_find(value, ',');
		size_t i = 0;

		while (i < 3 && !span_eq_nocase(span_of(value.p, n), span_str(words[i].word)))
			i++;
		if (i == 3)
			return false;
		bits |= words[i].bit;
		if (n == value.n)
			break;
		span_skip(&value, n + 1);
	}
	*ret = bits;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* RFC 3461 section 4: printable ASCII but '+' and '=', which are written "+2B" and "+3D". */
static bool is_xtext(struct span s, bool utf8)
{
	if (s.n == 0)
		return false;
	while (s.n > 0) {
		size_t n = 1;

		if (s.p[0] == '+') {
			if (s.n < 3 || !is_hex(s.p[1]) || !is_hex(s.p[2]))
				return false;
			n = 3;
		} else if ((unsigned char)s.p[0] >= 0x80) {
			n = utf8 ? utf8_length(s) : 0;
			if (n == 0)
				return false;
		} else if (s.p[0] < '!' || s.p[0] > '~' || s.p[0] == '=') {
			return false;
		}
		span_skip(&s, n);
	}
	return true;
}

bool smtp_dsn_envid(struct span value)
{
	return value.n <= LIMIT_DSN_ENVID && is_xtext(value, false);
}

bool smtp_dsn_orcpt(struct span value, bool smtputf8)
{
	const size_t n = span_find(value, ';');
	const struct span type = span_of(value.p, n);

	if (n == 0 || n == value.n || value.n > LIMIT_DSN_ORCPT)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char c = span_ascii_lower(type.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	span_skip(&value, n + 1);
	return is_xtext(value, smtputf8 && span_eq_nocase(type, SPAN_LIT("utf-8")));
}
