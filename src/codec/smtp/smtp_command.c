/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_command.h"

#include <assert.h>

#include "base/num.h"
#include "codec/smtp/smtp_reply.h"

enum {
	L = 1 << SMTP_DIALECT_LMTP,
	S = 1 << SMTP_DIALECT_SMTP,
};

/* clang-format off */
static const struct smtp_command_row rows[SMTP_VERBS] = {
	[SMTP_BDAT] = { "BDAT", L | S, SMTP_ARGUMENT_CHUNK,    "BDAT needs a number of octets, and takes LAST" },
	[SMTP_DATA] = { "DATA", L | S, SMTP_ARGUMENT_NONE,     "DATA takes no argument" },
	[SMTP_EHLO] = { "EHLO", S,     SMTP_ARGUMENT_HOST,     "EHLO needs a host name" },
	[SMTP_HELO] = { "HELO", S,     SMTP_ARGUMENT_HOST,     "HELO needs a host name" },
	[SMTP_HELP] = { "HELP", L | S, SMTP_ARGUMENT_ANYTHING, "HELP takes anything" },
	[SMTP_LHLO] = { "LHLO", L,     SMTP_ARGUMENT_HOST,     "LHLO needs a host name" },
	[SMTP_MAIL] = { "MAIL", L | S, SMTP_ARGUMENT_REVERSE,  "MAIL needs FROM:<address>" },
	[SMTP_NOOP] = { "NOOP", L | S, SMTP_ARGUMENT_ANYTHING, "NOOP takes anything" },
	[SMTP_QUIT] = { "QUIT", L | S, SMTP_ARGUMENT_NONE,     "QUIT takes no argument" },
	[SMTP_RCPT] = { "RCPT", L | S, SMTP_ARGUMENT_FORWARD,  "RCPT needs TO:<address>" },
	[SMTP_RSET] = { "RSET", L | S, SMTP_ARGUMENT_NONE,     "RSET takes no argument" },
	[SMTP_STARTTLS] = { "STARTTLS", L | S, SMTP_ARGUMENT_NONE, "STARTTLS takes no argument" },
	[SMTP_VRFY] = { "VRFY", L | S, SMTP_ARGUMENT_TEXT,     "VRFY needs a user's name" },
};
/* clang-format on */

const struct smtp_command_row *smtp_command_row(enum smtp_verb verb)
{
	assert(verb < SMTP_VERBS);
	return &rows[verb];
}

static enum smtp_verb find_verb(struct span name)
{
	unsigned verb = 0;

	while (verb < SMTP_VERBS && !span_eq_nocase(name, span_str(rows[verb].name)))
		verb++;
	return (enum smtp_verb)verb;
}

static void skip_spaces(struct span *s)
{
	while (s->n > 0 && s->p[0] == ' ')
		span_skip(s, 1);
}

/*
 * What a peer calls itself is for the log: any one word of printable octets, as
 * machines without a proper name must still get their mail through.
 */
static enum smtp_command_status parse_host(struct span s, struct smtp_command *c)
{
	if (s.n == 0)
		return SMTP_COMMAND_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return SMTP_COMMAND_SYNTAX;
	}
	c->host = s;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_status parse_size(struct span value, struct smtp_command *c)
{
	/* RFC 1870 section 6.1: 1 to 20 digits. */
	if (c->has_size || !num_parse_u64(value, UINT64_MAX, &c->size))
		return SMTP_COMMAND_BAD_PARAMETER;
	c->has_size = true;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_status parse_body(struct span value, struct smtp_command *c)
{
	if (c->body != SMTP_BODY_UNSAID)
		return SMTP_COMMAND_BAD_PARAMETER;
	if (span_eq_nocase(value, SPAN_LIT("7BIT")))
		c->body = SMTP_BODY_7BIT;
	else if (span_eq_nocase(value, SPAN_LIT("8BITMIME")))
		c->body = SMTP_BODY_8BITMIME;
	else
		return SMTP_COMMAND_BAD_PARAMETER;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_status parse_mail_parameter(struct span keyword, struct span value,
						     bool has_value, struct smtp_command *c)
{
	if (span_eq_nocase(keyword, SPAN_LIT("SIZE")))
		return parse_size(value, c);
	if (span_eq_nocase(keyword, SPAN_LIT("BODY")))
		return parse_body(value, c);
	if (span_eq_nocase(keyword, SPAN_LIT("SMTPUTF8"))) {
		if (has_value || c->smtputf8)
			return SMTP_COMMAND_BAD_PARAMETER;
		c->smtputf8 = true;
		return SMTP_COMMAND_OK;
	}
	if (span_eq_nocase(keyword, SPAN_LIT("RET"))) {
		return c->ret == SMTP_DSN_RET_UNSAID && smtp_dsn_ret(value, &c->ret)
			       ? SMTP_COMMAND_OK
			       : SMTP_COMMAND_BAD_PARAMETER;
	}
	if (span_eq_nocase(keyword, SPAN_LIT("ENVID"))) {
		if (c->envid.n > 0 || !smtp_dsn_envid(value))
			return SMTP_COMMAND_BAD_PARAMETER;
		c->envid = value;
		return SMTP_COMMAND_OK;
	}
	return SMTP_COMMAND_UNKNOWN_PARAMETER;
}

static enum smtp_command_status parse_rcpt_parameter(struct span keyword, struct span value,
						     bool smtputf8, struct smtp_command *c)
{
	if (span_eq_nocase(keyword, SPAN_LIT("NOTIFY"))) {
		return c->notify == 0 && smtp_dsn_notify(value, &c->notify)
			       ? SMTP_COMMAND_OK
			       : SMTP_COMMAND_BAD_PARAMETER;
	}
	if (span_eq_nocase(keyword, SPAN_LIT("ORCPT"))) {
		if (c->orcpt.n > 0 || !smtp_dsn_orcpt(value, smtputf8))
			return SMTP_COMMAND_BAD_PARAMETER;
		c->orcpt = value;
		return SMTP_COMMAND_OK;
	}
	return SMTP_COMMAND_UNKNOWN_PARAMETER;
}

/* "KEYWORD", or "KEYWORD=value". */
static enum smtp_command_status parse_parameter(struct span parameter, bool smtputf8,
						struct smtp_command *c)
{
	const size_t n = span_find(parameter, '=');
	const struct span keyword = span_of(parameter.p, n);
	const bool has_value = n < parameter.n;
	struct span value = parameter;

	span_skip(&value, has_value ? n + 1 : n);
	return c->verb == SMTP_MAIL ? parse_mail_parameter(keyword, value, has_value, c)
				    : parse_rcpt_parameter(keyword, value, smtputf8, c);
}

/* " SIZE=1 BODY=7BIT": what follows a path. */
static enum smtp_command_status parse_parameters(struct span s, bool smtputf8,
						 struct smtp_command *c)
{
	while (s.n > 0) {
		if (s.p[0] != ' ')
			return SMTP_COMMAND_BAD_ADDRESS;
		skip_spaces(&s);

		const size_t n = span_find(s, ' ');
		const enum smtp_command_status status = parse_parameter(span_of(s.p, n), smtputf8,
									c);

		if (status != SMTP_COMMAND_OK)
			return status;
		span_skip(&s, n);
	}
	return SMTP_COMMAND_OK;
}

static enum smtp_command_status parse_path(struct span s, struct span word, bool smtputf8,
					   struct smtp_command *c)
{
	const enum smtp_path_kind kind = c->verb == SMTP_MAIL ? SMTP_PATH_REVERSE
							      : SMTP_PATH_FORWARD;

	if (!span_starts_with_nocase(s, word))
		return SMTP_COMMAND_SYNTAX;
	span_skip(&s, word.n);
	skip_spaces(&s);
	switch (smtp_path_parse(&s, kind, &c->path)) {
	case SMTP_PATH_OK:
		break;
	case SMTP_PATH_TOO_LONG:
		return SMTP_COMMAND_LONG_ADDRESS;
	case SMTP_PATH_BAD:
		return SMTP_COMMAND_BAD_ADDRESS;
	}

	const enum smtp_command_status status = parse_parameters(s, smtputf8, c);

	if (status != SMTP_COMMAND_OK)
		return status;
	return c->path.utf8 && !(smtputf8 || c->smtputf8) ? SMTP_COMMAND_NEEDS_UTF8
							  : SMTP_COMMAND_OK;
}

/* "1000", or "1000 LAST". */
static enum smtp_command_status parse_chunk(struct span s, struct smtp_command *c)
{
	const size_t n = span_find(s, ' ');
	struct span rest = s;

	if (!num_parse_u64(span_of(s.p, n), UINT64_MAX, &c->chunk))
		return SMTP_COMMAND_SYNTAX;
	span_skip(&rest, n);
	skip_spaces(&rest);
	c->last = span_eq_nocase(rest, SPAN_LIT("LAST"));
	return c->last || rest.n == 0 ? SMTP_COMMAND_OK : SMTP_COMMAND_SYNTAX;
}

enum smtp_command_status smtp_command_parse(struct span line, enum smtp_dialect dialect,
					    bool smtputf8, struct smtp_command *ret_command)
{
	while (line.n > 0 && line.p[line.n - 1] == ' ')
		line.n--;

	const size_t n = span_find(line, ' ');

	*ret_command = (struct smtp_command){.verb = find_verb(span_of(line.p, n))};
	if (ret_command->verb == SMTP_VERBS)
		return SMTP_COMMAND_UNKNOWN;

	const struct smtp_command_row *row = &rows[ret_command->verb];

	if ((row->dialects & 1U << dialect) == 0)
		return SMTP_COMMAND_WRONG_DIALECT;
	span_skip(&line, n < line.n ? n + 1 : n);

	switch ((enum smtp_argument)row->argument) {
	case SMTP_ARGUMENT_NONE:
		return line.n == 0 ? SMTP_COMMAND_OK : SMTP_COMMAND_EXTRA_ARGUMENT;
	case SMTP_ARGUMENT_HOST:
		return parse_host(line, ret_command);
	case SMTP_ARGUMENT_REVERSE:
		/* Its own parameters decide, whatever the transaction before it said. */
		return parse_path(line, SPAN_LIT("FROM:"), false, ret_command);
	case SMTP_ARGUMENT_FORWARD:
		return parse_path(line, SPAN_LIT("TO:"), smtputf8, ret_command);
	case SMTP_ARGUMENT_CHUNK:
		return parse_chunk(line, ret_command);
	case SMTP_ARGUMENT_TEXT:
		ret_command->text = line;
		return line.n > 0 ? SMTP_COMMAND_OK : SMTP_COMMAND_SYNTAX;
	case SMTP_ARGUMENT_ANYTHING:
		ret_command->text = line;
		break;
	}
	return SMTP_COMMAND_OK;
}

bool smtp_command_error(struct out *out, enum smtp_command_status status, enum smtp_verb verb,
			enum smtp_dialect dialect)
{
	/* A NULL text stands for what the verb's row says it needs. */
	static const struct {
		unsigned code;
		const char *enhanced, *text;
	} errors[SMTP_COMMAND_STATUSES] = {
		[SMTP_COMMAND_UNKNOWN] = {500, "5.5.2", "no such command"},
		[SMTP_COMMAND_WRONG_DIALECT] = {500, "5.5.1", "this is SMTP: say EHLO"},
		[SMTP_COMMAND_SYNTAX] = {501, "5.5.4", NULL},
		[SMTP_COMMAND_EXTRA_ARGUMENT] = {501, "5.5.4", NULL},
		[SMTP_COMMAND_BAD_ADDRESS] = {501, "5.1.3", "not an address"},
		[SMTP_COMMAND_LONG_ADDRESS] = {501, "5.1.3", "the address is too long"},
		[SMTP_COMMAND_NEEDS_UTF8] = {550, "5.6.7", "such an address needs SMTPUTF8"},
		[SMTP_COMMAND_BAD_PARAMETER] = {501, "5.5.4", "bad value of a parameter"},
		[SMTP_COMMAND_UNKNOWN_PARAMETER] = {555, "5.5.4", "unknown parameter"},
	};

	assert(status > SMTP_COMMAND_OK && status < SMTP_COMMAND_STATUSES);

	const char *enhanced = errors[status].enhanced;
	const char *text = errors[status].text;

	if (text == NULL)
		text = smtp_command_row(verb)->needs;
	if (status == SMTP_COMMAND_WRONG_DIALECT && dialect == SMTP_DIALECT_LMTP)
		text = "this is LMTP: say LHLO";
	if (verb == SMTP_MAIL &&
	    (status == SMTP_COMMAND_BAD_ADDRESS || status == SMTP_COMMAND_LONG_ADDRESS))
		enhanced = "5.1.7";
	return smtp_reply(out, errors[status].code, enhanced, span_str(text));
}
