/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_client.h"

#include <assert.h>

#include "codec/pop3/pop3_client_priv.h"
#include "codec/pop3/pop3_response.h"

static const struct pop3_client_command *first_ahead(const struct pop3_client *c)
{
	assert(c->_count > 0);
	return &c->_ahead[c->_first];
}

/* The first command ahead has its whole reply. */
static void answered(struct pop3_client *c, enum pop3_client_state state)
{
	assert(c->_count > 0);
	c->_first = (uint8_t)((c->_first + 1) % POP3_CLIENT_AHEAD_MAX);
	c->_count--;
	c->_state = (uint8_t)state;
}

static enum pop3_client_status bad(struct pop3_client *c, enum pop3_client_reason reason,
				   struct pop3_client_event *ret_event)
{
	c->_state = POP3_CLIENT_BROKEN;
	c->_reason = (uint8_t)reason;
	ret_event->reason = reason;
	return POP3_CLIENT_BAD;
}

/* In which state +OK leaves the session, if its reply goes on after that line. */
static enum pop3_client_state state_after_ok(const struct pop3_client_command *command)
{
	switch ((enum pop3_reply_lines)pop3_command_row((enum pop3_verb)command->verb)->reply) {
	case POP3_REPLY_LINES:
		return command->verb == POP3_CAPA ? POP3_CLIENT_IN_LINES : POP3_CLIENT_IN_MESSAGE;
	case POP3_REPLY_LINES_IF_ALONE:
	case POP3_REPLY_EXCHANGE: /* AUTH alone is answered with the mechanisms */
		return command->alone ? POP3_CLIENT_IN_LINES : POP3_CLIENT_REPLY_NEXT;
	case POP3_REPLY_LINE:
		break;
	}
	return POP3_CLIENT_REPLY_NEXT;
}

static enum pop3_client_status got_ok(struct pop3_client *c, struct pop3_client_event *ret_event)
{
	const struct pop3_client_command *const command = first_ahead(c);
	const enum pop3_client_state state = state_after_ok(command);

	if (state == POP3_CLIENT_REPLY_NEXT) {
		answered(c, command->verb == POP3_QUIT   ? POP3_CLIENT_ENDED
			    : command->verb == POP3_STLS ? POP3_CLIENT_SECURING
							 : POP3_CLIENT_REPLY_NEXT);
	} else {
		ret_event->lines = true;
		c->_octets = 0;
		c->_dots = (struct dot_decoder){.mode = DOT_LENIENT};
		c->_state = (uint8_t)state;
	}
	return POP3_CLIENT_OK;
}

static enum pop3_client_status got_reply(struct pop3_client *c,
					 const struct pop3_response *response,
					 struct pop3_client_event *ret_event)
{
	const struct pop3_client_command *const command = first_ahead(c);

	switch (response->kind) {
	case POP3_RESPONSE_OK:
		return got_ok(c, ret_event);
	case POP3_RESPONSE_ERR:
		answered(c,
			 command->verb == POP3_QUIT ? POP3_CLIENT_ENDED : POP3_CLIENT_REPLY_NEXT);
		return POP3_CLIENT_ERR;
	case POP3_RESPONSE_CHALLENGE:
		if (command->verb != POP3_AUTH || command->alone)
			return bad(c, POP3_CLIENT_UNASKED_CHALLENGE, ret_event);
		c->_state = POP3_CLIENT_CHALLENGED;
		return POP3_CLIENT_CHALLENGE;
	case POP3_RESPONSE_OTHER:
		break;
	}
	return bad(c, POP3_CLIENT_NO_REPLY, ret_event);
}

static enum pop3_client_status got_greeting(struct pop3_client *c,
					    const struct pop3_response *response,
					    struct pop3_client_event *ret_event)
{
	switch (response->kind) {
	case POP3_RESPONSE_OK:
		ret_event->timestamp = pop3_response_timestamp(response->text);
		c->_state = POP3_CLIENT_REPLY_NEXT;
		return POP3_CLIENT_GREETING;
	case POP3_RESPONSE_ERR:
		c->_state = POP3_CLIENT_ENDED;
		return POP3_CLIENT_ERR;
	case POP3_RESPONSE_CHALLENGE:
		return bad(c, POP3_CLIENT_UNASKED_CHALLENGE, ret_event);
	case POP3_RESPONSE_OTHER:
		break;
	}
	return bad(c, POP3_CLIENT_NO_REPLY, ret_event);
}

static enum pop3_client_status got_line(struct pop3_client *c, struct span line,
					struct pop3_client_event *ret_event)
{
	const struct pop3_response response = pop3_response_parse(line);

	ret_event->text = response.text;
	ret_event->code = response.code;
	ret_event->code_text = response.code_text;
	return c->_state == POP3_CLIENT_GREETED_NEXT ? got_greeting(c, &response, ret_event)
						     : got_reply(c, &response, ret_event);
}

/* A line of the server's other than a message's, octets long with its end. */
static enum pop3_client_status got_listed(struct pop3_client *c, struct span line, size_t octets,
					  struct pop3_client_event *ret_event)
{
	if (span_eq(line, SPAN_LIT("."))) {
		ret_event->octets = c->_octets;
		answered(c, POP3_CLIENT_REPLY_NEXT);
		return POP3_CLIENT_END;
	}
	/* One dot stays one, for servers that don't stuff: see dot.c. */
	if (span_starts_with_nocase(line, SPAN_LIT(".."))) {
		span_skip(&line, 1);
		octets--;
	}
	c->_octets += octets;
	ret_event->octets = c->_octets;
	ret_event->text = line;
	return POP3_CLIENT_LINE;
}

static enum pop3_client_status read_line(struct pop3_client *c, struct span *in,
					 struct pop3_client_event *ret_event)
{
	const size_t before = in->n;
	struct span line;

	c->_lines.max = LIMIT_POP3_REPLY;
	switch (line_take(&c->_lines, in, &line)) {
	case LINE_MORE:
		return POP3_CLIENT_MORE;
	case LINE_TOO_LONG:
		return bad(c, POP3_CLIENT_LONG_LINE, ret_event);
	case LINE_GOT:
		break;
	}
	return c->_state == POP3_CLIENT_IN_LINES ? got_listed(c, line, before - in->n, ret_event)
						 : got_line(c, line, ret_event);
}

static enum pop3_client_status read_message(struct pop3_client *c, struct span *in,
					    struct pop3_client_event *ret_event)
{
	switch (dot_decode(&c->_dots, in, &ret_event->text)) {
	case DOT_TEXT:
		c->_octets += ret_event->text.n;
		ret_event->octets = c->_octets;
		return POP3_CLIENT_TEXT;
	case DOT_END:
		ret_event->octets = c->_octets;
		answered(c, POP3_CLIENT_REPLY_NEXT);
		return POP3_CLIENT_END;
	case DOT_MORE:
	case DOT_BAD: /* not in DOT_LENIENT */
		break;
	}
	return POP3_CLIENT_MORE;
}

/* In a state where nothing may come: MORE unless something has. */
static enum pop3_client_status read_nothing(struct pop3_client *c, const struct span *in,
					    enum pop3_client_reason reason,
					    struct pop3_client_event *ret_event)
{
	return in->n == 0 ? POP3_CLIENT_MORE : bad(c, reason, ret_event);
}

enum pop3_client_status pop3_client_read(struct pop3_client *c, struct span *in,
					 struct pop3_client_event *ret_event)
{
	*ret_event = (struct pop3_client_event){.verb = POP3_VERBS};
	if (c->_count > 0) {
		ret_event->verb = (enum pop3_verb)first_ahead(c)->verb;
		ret_event->number = first_ahead(c)->number;
	}

	switch ((enum pop3_client_state)c->_state) {
	case POP3_CLIENT_GREETED_NEXT:
	case POP3_CLIENT_IN_LINES:
		return read_line(c, in, ret_event);
	case POP3_CLIENT_REPLY_NEXT:
		return c->_count > 0 ? read_line(c, in, ret_event)
				     : read_nothing(c, in, POP3_CLIENT_UNASKED, ret_event);
	case POP3_CLIENT_IN_MESSAGE:
		return read_message(c, in, ret_event);
	case POP3_CLIENT_CHALLENGED:
	case POP3_CLIENT_ENDED:
		return read_nothing(c, in, POP3_CLIENT_UNASKED, ret_event);
	case POP3_CLIENT_SECURING:
		return read_nothing(c, in, POP3_CLIENT_INJECTED, ret_event);
	case POP3_CLIENT_BROKEN:
		break;
	}
	return bad(c, (enum pop3_client_reason)c->_reason, ret_event);
}

bool pop3_client_tls(struct pop3_client *c, struct span left)
{
	struct pop3_client_event event;

	assert(c->_state == POP3_CLIENT_SECURING);
	if (left.n > 0) {
		(void)bad(c, POP3_CLIENT_INJECTED, &event);
		return false;
	}
	c->_state = POP3_CLIENT_REPLY_NEXT;
	return true;
}

bool pop3_client_over(const struct pop3_client *c)
{
	return c->_state == POP3_CLIENT_ENDED || c->_state == POP3_CLIENT_BROKEN;
}

const char *pop3_client_reason_text(enum pop3_client_reason reason)
{
	static const char *const texts[POP3_CLIENT_REASONS] = {
		[POP3_CLIENT_NO_REASON] = "nothing is wrong",
		[POP3_CLIENT_UNASKED] = "an answer that nobody asked for",
		[POP3_CLIENT_LONG_LINE] = "a line that is too long",
		[POP3_CLIENT_NO_REPLY] = "a line that is no POP3 reply",
		[POP3_CLIENT_UNASKED_CHALLENGE] = "a challenge outside of AUTH",
		[POP3_CLIENT_INJECTED] = "octets in clear between STLS and TLS",
	};

	assert(reason < POP3_CLIENT_REASONS);
	return texts[reason];
}
