/* SPDX-License-Identifier: MIT */
#include "codec/mail/downgrade.h"

#include <string.h>

#include "codec/mail/downgrade_priv.h"
#include "codec/utf8.h"

bool downgrade_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

enum downgrade_part downgrade_next(struct span *in, bool whole, struct span *ret_field)
{
	size_t n = 0;

	if (in->n == 0)
		return whole ? DOWNGRADE_BODY : DOWNGRADE_MORE;
	if (in->p[0] == '\n' || (in->n >= 2 && in->p[0] == '\r' && in->p[1] == '\n'))
		return DOWNGRADE_BODY;
	if (in->n == 1 && in->p[0] == '\r' && !whole)
		return DOWNGRADE_MORE;
	do {
		const size_t line = span_find(span_of(in->p + n, in->n - n), '\n');

		n += line;
		if (n == in->n)
			break;
		n++;
	} while (n < in->n && is_blank(in->p[n]));
	if (n == in->n && !whole)
		return DOWNGRADE_MORE;
	*ret_field = span_of(in->p, n);
	span_skip(in, n);
	return DOWNGRADE_FIELD;
}

/* Splits "Name: body" and its line end. False: it has no name. */
static bool split(struct span field, struct span *ret_name, struct span *ret_body)
{
	const size_t colon = span_find(field, ':');
	struct span name = span_of(field.p, colon);
	struct span body = field;

	if (colon == field.n)
		return false;
	span_skip(&body, colon + 1);
	if (body.n > 0 && body.p[body.n - 1] == '\n')
		body.n--;
	if (body.n > 0 && body.p[body.n - 1] == '\r')
		body.n--;
	while (name.n > 0 && is_blank(name.p[name.n - 1]))
		name.n--;
	for (size_t i = 0; i < name.n; i++) {
		const unsigned char c = (unsigned char)name.p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	*ret_name = name;
	*ret_body = body;
	return name.n > 0;
}

enum kind { REMOVED, ADDRESSES, TEXT, PARAMETERS };

static enum kind kind_of(struct span name)
{
	static const struct {
		const char *name;
		enum kind kind;
	} rows[] = {
		{"Subject", TEXT},
		{"From", ADDRESSES},
		{"To", ADDRESSES},
		{"Cc", ADDRESSES},
		{"Bcc", ADDRESSES},
		{"Sender", ADDRESSES},
		{"Reply-To", ADDRESSES},
		{"Resent-From", ADDRESSES},
		{"Resent-To", ADDRESSES},
		{"Resent-Cc", ADDRESSES},
		{"Resent-Bcc", ADDRESSES},
		{"Resent-Sender", ADDRESSES},
		{"Comments", TEXT},
		{"Content-Description", TEXT},
		{"Content-Type", PARAMETERS},
		{"Content-Disposition", PARAMETERS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (span_eq_nocase(name, span_str(rows[i].name)))
			return rows[i].kind;
	}
	return REMOVED;
}

bool downgrade_field(struct span field, struct out *out)
{
	const size_t before = out->n;
	struct span name;
	struct span body;
	bool fits = false;

	if (downgrade_is_ascii(field))
		return out_put(out, field);
	if (!split(field, &name, &body) || !downgrade_is_ascii(name))
		return true;
	switch (kind_of(name)) {
	case REMOVED:
		return true;
	case PARAMETERS:
		if (!downgrade_is_ascii(span_of(body.p, downgrade_parameter(body))))
			return true;
		fits = out_put(out, name) && out_char(out, ':') && downgrade_parameters(body, out);
		break;
	case ADDRESSES:
		fits = out_put(out, name) && out_char(out, ':') && downgrade_addresses(body, out);
		break;
	case TEXT:
		fits = out_put(out, name) && out_char(out, ':') && downgrade_text(body, out);
		break;
	}
	return (fits && out_put(out, SPAN_LIT("\r\n"))) || out_undo(out, before);
}

/* As dot_encode() sends it: with a CR before each LF, and an end to the last line. */
static int64_t wire_octets(struct span s)
{
	int64_t n = (int64_t)s.n;

	if (s.n > 0 && s.p[s.n - 1] != '\n')
		n += 2;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r');
	return n;
}

/* How much longer the field becomes. False: it can't be downgraded, and so nor can the message. */
static bool measure_field(struct span field, char *scratch, int64_t *growth)
{
	struct out out = {.p = scratch, .cap = DOWNGRADE_OUT_MAX};
	struct span name;
	struct span body;

	if (!utf8_valid(field) || !split(field, &name, &body) || !downgrade_field(field, &out))
		return false;
	*growth += wire_octets(out_span(&out)) - wire_octets(field);
	return *growth >= -DOWNGRADE_GROWTH_MAX && *growth <= DOWNGRADE_GROWTH_MAX;
}

enum downgrade_verdict downgrade_measure(struct span start, bool whole, char *scratch,
					 int32_t *ret_growth)
{
	const size_t all = start.n;
	enum downgrade_part part;
	struct span field;
	int64_t growth = 0;
	bool needed = false;
	bool fits = true;

	while ((part = downgrade_next(&start, whole, &field)) == DOWNGRADE_FIELD) {
		fits = fits && field.n <= DOWNGRADE_FIELD_MAX;
		if (downgrade_is_ascii(field))
			continue;
		needed = true;
		if (!fits || !measure_field(field, scratch, &growth))
			return DOWNGRADE_NOT_POSSIBLE;
	}
	/* What was cut off could hold anything, and what is past the limits isn't looked at. */
	if (part == DOWNGRADE_MORE)
		return DOWNGRADE_NOT_POSSIBLE;
	if (!needed)
		return DOWNGRADE_NOT_NEEDED;
	if (!fits || all - start.n > DOWNGRADE_HEADER_MAX)
		return DOWNGRADE_NOT_POSSIBLE;
	*ret_growth = (int32_t)growth;
	return DOWNGRADE_NEEDED;
}
