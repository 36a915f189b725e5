/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_command.h"

#include <assert.h>

#include "base/num.h"

enum {
	A = 1 << POP3_AUTHORIZATION,
	T = 1 << POP3_TRANSACTION,
};

/* clang-format off */
static const struct pop3_command_row rows[POP3_VERBS] = {
	[POP3_APOP] = { "APOP", A,     POP3_ARGUMENT_USER_DIGEST,     POP3_REPLY_LINE,
			NULL,   "APOP needs a name and a digest" },
	[POP3_AUTH] = { "AUTH", A,     POP3_ARGUMENT_MECHANISM,       POP3_REPLY_EXCHANGE,
			"SASL", "AUTH takes a mechanism and perhaps one initial response" },
	[POP3_CAPA] = { "CAPA", A | T, POP3_ARGUMENT_NONE,            POP3_REPLY_LINES,
			NULL,   "CAPA takes no argument" },
	[POP3_DELE] = { "DELE", T,     POP3_ARGUMENT_NUMBER,          POP3_REPLY_LINE,
			NULL,   "DELE needs a message number" },
	[POP3_LANG] = { "LANG", A | T, POP3_ARGUMENT_LANGUAGE,        POP3_REPLY_LINES_IF_ALONE,
			"LANG", "LANG takes one language tag or nothing" },
	[POP3_LIST] = { "LIST", T,     POP3_ARGUMENT_OPTIONAL_NUMBER, POP3_REPLY_LINES_IF_ALONE,
			NULL,   "LIST takes one message number or nothing" },
	[POP3_NOOP] = { "NOOP", T,     POP3_ARGUMENT_NONE,            POP3_REPLY_LINE,
			NULL,   "NOOP takes no argument" },
	[POP3_PASS] = { "PASS", A,     POP3_ARGUMENT_PASSWORD,        POP3_REPLY_LINE,
			"USER", "PASS needs a password" },
	[POP3_QUIT] = { "QUIT", A | T, POP3_ARGUMENT_NONE,            POP3_REPLY_LINE,
			NULL,   "QUIT takes no argument" },
	[POP3_RETR] = { "RETR", T,     POP3_ARGUMENT_NUMBER,          POP3_REPLY_LINES,
			NULL,   "RETR needs a message number" },
	[POP3_RSET] = { "RSET", T,     POP3_ARGUMENT_NONE,            POP3_REPLY_LINE,
			NULL,   "RSET takes no argument" },
	[POP3_STAT] = { "STAT", T,     POP3_ARGUMENT_NONE,            POP3_REPLY_LINE,
			NULL,   "STAT takes no argument" },
	[POP3_STLS] = { "STLS", A,     POP3_ARGUMENT_NONE,            POP3_REPLY_LINE,
			"STLS", "STLS takes no argument" },
	[POP3_TOP]  = { "TOP",  T,     POP3_ARGUMENT_NUMBER_LINES,    POP3_REPLY_LINES,
			"TOP",  "TOP needs a message number and a number of lines" },
	[POP3_UIDL] = { "UIDL", T,     POP3_ARGUMENT_OPTIONAL_NUMBER, POP3_REPLY_LINES_IF_ALONE,
			"UIDL", "UIDL takes one message number or nothing" },
	[POP3_USER] = { "USER", A,     POP3_ARGUMENT_USER,            POP3_REPLY_LINE,
			"USER", "USER needs a name" },
	[POP3_UTF8] = { "UTF8", A,     POP3_ARGUMENT_NONE,            POP3_REPLY_LINE,
			"UTF8", "UTF8 takes no argument" },
};
/* clang-format on */

const struct pop3_command_row *pop3_command_row(enum pop3_verb verb)
{
	assert(verb < POP3_VERBS);
	return &rows[verb];
}

static enum pop3_verb find_verb(struct span name)
{
	unsigned verb = 0;

	while (verb < POP3_VERBS && !span_eq_nocase(name, span_str(rows[verb].name)))
		verb++;
	return (enum pop3_verb)verb;
}

static struct span without_trailing_spaces(struct span s)
{
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static enum pop3_command_status parse_number(struct span s, struct pop3_command *c)
{
	uint64_t number;

	if (!num_parse_u64(s, UINT32_MAX, &number) || number == 0)
		return POP3_COMMAND_BAD_NUMBER;
	c->number = (uint32_t)number;
	c->has_number = true;
	return POP3_COMMAND_OK;
}

static enum pop3_command_status parse_one_number(struct span s, struct pop3_command *c)
{
	if (span_find(s, ' ') < s.n && s.p[0] != ' ')
		return POP3_COMMAND_EXTRA_ARGUMENT;
	return parse_number(s, c);
}

static enum pop3_command_status parse_number_lines(struct span s, struct pop3_command *c)
{
	const size_t n = span_find(s, ' ');

	if (n == s.n)
		return POP3_COMMAND_MISSING_ARGUMENT;

	const enum pop3_command_status status = parse_number(span_of(s.p, n), c);

	if (status != POP3_COMMAND_OK)
		return status;
	span_skip(&s, n + 1);
	if (span_find(s, ' ') < s.n && s.p[0] != ' ')
		return POP3_COMMAND_EXTRA_ARGUMENT;
	return num_parse_u64(s, UINT64_MAX, &c->lines) ? POP3_COMMAND_OK : POP3_COMMAND_BAD_LINES;
}

static enum pop3_command_status parse_user(struct span s, struct pop3_command *c)
{
	if (has_control(s))
		return POP3_COMMAND_BAD_OCTET;
	c->user = s;
	return POP3_COMMAND_OK;
}

/* CR, because it is one that no LF follows, and so not a line end; NUL ends strings elsewhere. */
static enum pop3_command_status parse_password(struct span s, struct pop3_command *c)
{
	if (span_find(s, '\0') < s.n || span_find(s, '\r') < s.n)
		return POP3_COMMAND_BAD_OCTET;
	c->password = s;
	return POP3_COMMAND_OK;
}

/* The digest is what follows the last space: a name may have some, a digest has none. */
static enum pop3_command_status parse_user_digest(struct span s, struct pop3_command *c)
{
	size_t at = s.n;

	while (at > 0 && s.p[at - 1] != ' ')
		at--;

	const struct span user = without_trailing_spaces(span_of(s.p, at));
	const struct span digest = span_of(s.p + at, s.n - at);

	if (user.n == 0)
		return POP3_COMMAND_MISSING_ARGUMENT;
	if (digest.n != 32)
		return POP3_COMMAND_BAD_DIGEST;
	for (size_t i = 0; i < digest.n; i++) {
		const char d = digest.p[i];

		if (!((d >= '0' && d <= '9') || (d >= 'a' && d <= 'f')))
			return POP3_COMMAND_BAD_DIGEST;
	}
	c->digest = digest;
	return parse_user(user, c);
}

/* RFC 4422 section 3.1: 1 to 20 letters, digits, '-' and '_'. */
static bool is_mechanism(struct span s)
{
	if (s.n < 1 || s.n > 20)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = span_ascii_lower(s.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

static enum pop3_command_status parse_mechanism(struct span s, struct pop3_command *c)
{
	const size_t n = span_find(s, ' ');

	if (!is_mechanism(span_of(s.p, n)))
		return POP3_COMMAND_BAD_MECHANISM;
	c->mechanism = span_of(s.p, n);
	if (n == s.n)
		return POP3_COMMAND_OK;
	span_skip(&s, n + 1);
	if (span_find(s, ' ') < s.n)
		return POP3_COMMAND_EXTRA_ARGUMENT;
	c->initial = s;
	c->has_initial = true;
	return POP3_COMMAND_OK;
}

/* RFC 4647 section 2.1: "*", or 1 to 8 letters or digits and again with '-' between. */
static enum pop3_command_status parse_language(struct span s, struct pop3_command *c)
{
	size_t n = 0;

	if (span_find(s, ' ') < s.n)
		return POP3_COMMAND_EXTRA_ARGUMENT;
	c->language = s;
	if (span_eq(s, SPAN_LIT("*")))
		return POP3_COMMAND_OK;
	for (size_t i = 0; i < s.n; i++) {
		const char x = span_ascii_lower(s.p[i]);

		if (x == '-' && n > 0 && i + 1 < s.n)
			n = 0;
		else if (!((x >= 'a' && x <= 'z') || (x >= '0' && x <= '9')) || ++n > 8)
			return POP3_COMMAND_BAD_LANGUAGE;
	}
	return POP3_COMMAND_OK;
}

/* An argument of at least one octet, for all but PASS. */
static enum pop3_command_status parse_argument(struct span s, struct pop3_command *c)
{
	switch ((enum pop3_argument)rows[c->verb].argument) {
	case POP3_ARGUMENT_NONE:
		return POP3_COMMAND_EXTRA_ARGUMENT;
	case POP3_ARGUMENT_NUMBER:
	case POP3_ARGUMENT_OPTIONAL_NUMBER:
		return parse_one_number(s, c);
	case POP3_ARGUMENT_NUMBER_LINES:
		return parse_number_lines(s, c);
	case POP3_ARGUMENT_USER:
		return parse_user(s, c);
	case POP3_ARGUMENT_PASSWORD:
		return parse_password(s, c);
	case POP3_ARGUMENT_USER_DIGEST:
		return parse_user_digest(s, c);
	case POP3_ARGUMENT_LANGUAGE:
		return parse_language(s, c);
	case POP3_ARGUMENT_MECHANISM:
		return parse_mechanism(s, c);
	}
	return POP3_COMMAND_EXTRA_ARGUMENT;
}

static enum pop3_command_status without_argument(enum pop3_argument argument)
{
	switch (argument) {
	case POP3_ARGUMENT_NONE:
	case POP3_ARGUMENT_OPTIONAL_NUMBER:
	case POP3_ARGUMENT_LANGUAGE:
	case POP3_ARGUMENT_MECHANISM:
		return POP3_COMMAND_OK;
	default:
		return POP3_COMMAND_MISSING_ARGUMENT;
	}
}

enum pop3_command_status pop3_command_parse(struct span line, enum pop3_state state,
					    struct pop3_command *ret_command)
{
	const size_t n = span_find(line, ' ');
	const bool has_space = n < line.n;

	assert(state < POP3_STATES);
	*ret_command = (struct pop3_command){.verb = find_verb(span_of(line.p, n))};
	if (ret_command->verb == POP3_VERBS)
		return POP3_COMMAND_UNKNOWN;

	const struct pop3_command_row *row = &rows[ret_command->verb];

	if ((row->states & 1U << state) == 0)
		return POP3_COMMAND_WRONG_STATE;

	span_skip(&line, has_space ? n + 1 : n);
	if (row->argument == POP3_ARGUMENT_PASSWORD)
		return has_space ? parse_argument(line, ret_command)
				 : POP3_COMMAND_MISSING_ARGUMENT;
	line = without_trailing_spaces(line);
	return line.n > 0 ? parse_argument(line, ret_command)
			  : without_argument((enum pop3_argument)row->argument);
}

static const char *wrong_state(enum pop3_state state)
{
	switch (state) {
	case POP3_AUTHORIZATION:
		return "log in first";
	case POP3_TRANSACTION:
		return "you are already logged in";
	default:
		return "this session is over";
	}
}

static const char *error_text(enum pop3_command_status status, enum pop3_verb verb,
			      enum pop3_state state)
{
	switch (status) {
	case POP3_COMMAND_UNKNOWN:
		return "no such command";
	case POP3_COMMAND_WRONG_STATE:
		return wrong_state(state);
	case POP3_COMMAND_BAD_NUMBER:
		return "not a message number";
	case POP3_COMMAND_BAD_LINES:
		return "not a number of lines";
	case POP3_COMMAND_BAD_DIGEST:
		return "not an MD5 digest in hexadecimal";
	case POP3_COMMAND_BAD_MECHANISM:
		return "not a mechanism";
	case POP3_COMMAND_BAD_LANGUAGE:
		return "not a language tag";
	case POP3_COMMAND_BAD_OCTET:
		return "control characters can't be used here";
	case POP3_COMMAND_OK:
	case POP3_COMMAND_MISSING_ARGUMENT:
	case POP3_COMMAND_EXTRA_ARGUMENT:
	case POP3_COMMAND_STATUSES:
		break;
	}
	assert(verb < POP3_VERBS);
	return rows[verb].needs;
}

const char *pop3_command_error(enum pop3_command_status status, enum pop3_verb verb,
			       enum pop3_state state)
{
	assert(status > POP3_COMMAND_OK && status < POP3_COMMAND_STATUSES);
	return error_text(status, verb, state);
}
