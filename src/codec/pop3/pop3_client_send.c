/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_client_priv.h"

#include <assert.h>

#define EOL SPAN_LIT("\r\n")

/* What makes a line: a verb, at most two arguments with a space before each, an end. */
struct parts {
	struct span of[6];
	unsigned n;
	char digits[2][20]; /* of the arguments that are numbers */
	unsigned numbers;
};

static void add(struct parts *parts, struct span s)
{
	assert(parts->n < sizeof(parts->of) / sizeof(parts->of[0]));
	parts->of[parts->n++] = s;
}

static void add_argument(struct parts *parts, struct span argument)
{
	add(parts, SPAN_LIT(" "));
	add(parts, argument);
}

static void add_number(struct parts *parts, uint64_t number)
{
	char *const digits = parts->digits[parts->numbers++];
	struct out out = {.p = digits, .cap = sizeof(parts->digits[0])};

	(void)out_u64(&out, number); /* 20 digits hold every one */
	add_argument(parts, out_span(&out));
}

/* The server would see another command, or the end of this one. */
static bool is_line_text(struct span s)
{
	return span_find(s, '\r') == s.n && span_find(s, '\n') == s.n && span_find(s, '\0') == s.n;
}

static bool is_word(struct span s)
{
	return s.n > 0 && is_line_text(s) && span_find(s, ' ') == s.n;
}

/* False when the peer could take the line for another one. */
static bool add_arguments(struct parts *parts, const struct pop3_command *command)
{
	switch ((enum pop3_argument)pop3_command_row(command->verb)->argument) {
	case POP3_ARGUMENT_NONE:
		return true;
	case POP3_ARGUMENT_OPTIONAL_NUMBER:
		if (!command->has_number)
			return true;
		add_number(parts, command->number);
		return command->number > 0;
	case POP3_ARGUMENT_NUMBER:
		add_number(parts, command->number);
		return command->number > 0;
	case POP3_ARGUMENT_NUMBER_LINES:
		add_number(parts, command->number);
		add_number(parts, command->lines);
		return command->number > 0;
	case POP3_ARGUMENT_USER:
		add_argument(parts, command->user);
		return command->user.n > 0 && is_line_text(command->user);
	case POP3_ARGUMENT_PASSWORD:
		add_argument(parts, command->password);
		return is_line_text(command->password);
	case POP3_ARGUMENT_USER_DIGEST:
		add_argument(parts, command->user);
		add_argument(parts, command->digest);
		return command->user.n > 0 && is_line_text(command->user) &&
		       is_word(command->digest);
	case POP3_ARGUMENT_LANGUAGE:
		if (command->language.n == 0)
			return true;
		add_argument(parts, command->language);
		return is_word(command->language);
	case POP3_ARGUMENT_MECHANISM:
		if (command->mechanism.n == 0)
			return true;
		add_argument(parts, command->mechanism);
		if (command->has_initial)
			add_argument(parts, command->initial);
		return is_word(command->mechanism) &&
		       (!command->has_initial || is_word(command->initial));
	}
	return false;
}

/* Written whole or not at all, and never cut where it is too long. */
static enum pop3_client_sent put_line(const struct parts *parts, size_t max, struct out *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < parts->n; i++) {
		if (parts->of[i].n > max - n)
			return POP3_CLIENT_TOO_LONG;
		n += parts->of[i].n;
	}
	if (n > out_room(out))
		return POP3_CLIENT_NO_ROOM;
	for (unsigned i = 0; i < parts->n; i++)
		(void)out_put(out, parts->of[i]);
	return POP3_CLIENT_SENT;
}

/* What may be sent behind it depends on how it is answered. */
static bool must_be_last(const struct pop3_client_command *command)
{
	return command->verb == POP3_QUIT || command->verb == POP3_STLS ||
	       (command->verb == POP3_AUTH && !command->alone);
}

static bool may_send(const struct pop3_client *c)
{
	if (c->_count == POP3_CLIENT_AHEAD_MAX)
		return false;
	if (c->_count > 0) {
		const size_t last = (size_t)(c->_first + c->_count - 1) % POP3_CLIENT_AHEAD_MAX;

		if (must_be_last(&c->_ahead[last]))
			return false;
	}
	return c->_state == POP3_CLIENT_REPLY_NEXT || c->_state == POP3_CLIENT_IN_LINES ||
	       c->_state == POP3_CLIENT_IN_MESSAGE;
}

enum pop3_client_sent pop3_client_send(struct pop3_client *c, const struct pop3_command *command,
				       struct out *out)
{
	struct parts parts = {0};

	assert(command->verb < POP3_VERBS);
	if (pop3_client_over(c))
		return POP3_CLIENT_OVER;
	if (!may_send(c))
		return POP3_CLIENT_WAIT;

	add(&parts, span_str(pop3_command_row(command->verb)->name));
	if (!add_arguments(&parts, command))
		return POP3_CLIENT_BAD_ARGUMENT;

	const bool alone = parts.n == 1;

	add(&parts, EOL);

	const enum pop3_client_sent sent = put_line(&parts, LIMIT_POP3_COMMAND, out);

	if (sent != POP3_CLIENT_SENT)
		return sent;
	c->_ahead[(size_t)(c->_first + c->_count) % POP3_CLIENT_AHEAD_MAX] =
		(struct pop3_client_command){
			.verb = (uint8_t)command->verb,
			.number = parts.numbers > 0 ? command->number : 0,
			.alone = alone,
		};
	c->_count++;
	return POP3_CLIENT_SENT;
}

enum pop3_client_sent pop3_client_respond(struct pop3_client *c, struct span base64,
					  struct out *out)
{
	struct parts parts = {0};

	if (pop3_client_over(c))
		return POP3_CLIENT_OVER;
	if (c->_state != POP3_CLIENT_CHALLENGED)
		return POP3_CLIENT_WAIT;
	if (base64.n > 0 && !is_word(base64))
		return POP3_CLIENT_BAD_ARGUMENT;
	add(&parts, base64);
	add(&parts, EOL);

	const enum pop3_client_sent sent = put_line(&parts, LIMIT_SASL_LINE, out);

	if (sent == POP3_CLIENT_SENT)
		c->_state = POP3_CLIENT_REPLY_NEXT;
	return sent;
}
