/* SPDX-License-Identifier: MIT */
#include "codec/mail/mail_field.h"

#include "base/limits.h"
#include "codec/smtp/smtp_address.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes a line with its end off the front. */
static struct span take_line(struct span *in)
{
	const size_t at = span_find(*in, '\n');
	const struct span line = span_of(in->p, at < in->n ? at + 1 : at);

	span_skip(in, line.n);
	return line;
}

static struct span trimmed(struct span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' || is_blank(s.p[s.n - 1])))
		s.n--;
	while (s.n > 0 && is_blank(s.p[0]))
		span_skip(&s, 1);
	return s;
}

static void put_text(struct span s, struct out *out)
{
	for (size_t i = 0; i < s.n && out_room(out) > 0; i++) {
		const unsigned char c = (unsigned char)s.p[i];

		(void)out_char(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
	}
}

/* The lines that belong to it, too. */
static void put_value(struct span value, struct span rest, struct out *out)
{
	const size_t start = out->n;

	put_text(trimmed(value), out);
	while (rest.n > 0 && is_blank(rest.p[0])) {
		const struct span more = trimmed(take_line(&rest));

		if (more.n > 0 && out->n > start && out_room(out) > 0)
			(void)out_char(out, ' ');
		put_text(more, out);
	}
}

bool mail_field(struct span head, struct span name, struct out *out)
{
	while (head.n > 0) {
		struct span line = take_line(&head);

		if (line.p[0] == '\n' || (line.n >= 2 && line.p[0] == '\r' && line.p[1] == '\n'))
			return false;
		if (!span_starts_with_nocase(line, name))
			continue;
		span_skip(&line, name.n);
		while (line.n > 0 && is_blank(line.p[0]))
			span_skip(&line, 1);
		if (line.n == 0 || line.p[0] != ':')
			continue;
		span_skip(&line, 1);
		put_value(line, head, out);
		return true;
	}
	return false;
}

void mail_field_sender(struct span head, struct out *out)
{
	char text[LIMIT_ADDRESS + 64];
	struct out o = {.p = text, .cap = sizeof(text)};
	struct smtp_path path;
	struct span in;

	if (!mail_field(head, SPAN_LIT("Return-Path"), &o))
		return;
	in = out_span(&o);
	/* With UTF-8 it could only go to who says SMTPUTF8. */
	if (smtp_path_parse(&in, SMTP_PATH_REVERSE, &path) == SMTP_PATH_OK && !path.utf8)
		(void)out_put(out, path.address);
}
