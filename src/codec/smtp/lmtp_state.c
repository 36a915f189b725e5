/* SPDX-License-Identifier: MIT */
#include "codec/smtp/lmtp_state.h"

#include <assert.h>

#include "codec/smtp/smtp_reply.h"

enum lmtp_verdict lmtp_state_may(const struct lmtp_state *s, enum smtp_verb verb)
{
	assert(s->phase < LMTP_MESSAGE);

	switch (verb) {
	case SMTP_MAIL:
		if (s->phase == LMTP_CONNECTED)
			return LMTP_NO_LHLO;
		if (s->phase == LMTP_CHUNKS)
			return LMTP_IN_CHUNKS;
		return s->phase == LMTP_READY ? LMTP_MAY : LMTP_NESTED_MAIL;
	case SMTP_RCPT:
		if (s->phase == LMTP_CONNECTED)
			return LMTP_NO_LHLO;
		if (s->phase == LMTP_READY)
			return LMTP_NO_SENDER;
		if (s->phase == LMTP_CHUNKS)
			return LMTP_IN_CHUNKS;
		return s->recipients < s->max_recipients ? LMTP_MAY : LMTP_TOO_MANY_RECIPIENTS;
	case SMTP_DATA:
	case SMTP_BDAT:
		if (s->phase == LMTP_CONNECTED)
			return LMTP_NO_LHLO;
		if (s->phase == LMTP_READY)
			return LMTP_NO_SENDER;
		if (s->phase == LMTP_CHUNKS)
			return verb == SMTP_BDAT ? LMTP_MAY : LMTP_IN_CHUNKS;
		return s->phase == LMTP_RECIPIENT ? LMTP_MAY : LMTP_NO_RECIPIENT;
	default:
		return LMTP_MAY;
	}
}

static void enter(struct lmtp_state *s, enum lmtp_phase phase)
{
	s->phase = phase;
	if (phase == LMTP_READY)
		s->recipients = 0;
}

void lmtp_state_did(struct lmtp_state *s, enum smtp_verb verb)
{
	assert(lmtp_state_may(s, verb) == LMTP_MAY);

	switch (verb) {
	case SMTP_LHLO:
	case SMTP_EHLO:
	case SMTP_HELO:
		enter(s, LMTP_READY);
		break;
	case SMTP_RSET:
		/* It forgets the transaction, not that there was no LHLO. */
		enter(s, s->phase == LMTP_CONNECTED ? LMTP_CONNECTED : LMTP_READY);
		break;
	case SMTP_MAIL:
		enter(s, LMTP_SENDER);
		break;
	case SMTP_RCPT:
		enter(s, LMTP_RECIPIENT);
		s->recipients++;
		break;
	case SMTP_DATA:
		enter(s, LMTP_MESSAGE);
		break;
	case SMTP_BDAT:
		enter(s, LMTP_CHUNKS);
		break;
	case SMTP_QUIT:
		enter(s, LMTP_ENDED);
		break;
	default:
		break;
	}
}

void lmtp_state_last_chunk(struct lmtp_state *s)
{
	assert(s->phase == LMTP_CHUNKS);
	enter(s, LMTP_MESSAGE);
}

void lmtp_state_message_done(struct lmtp_state *s)
{
	assert(s->phase == LMTP_MESSAGE);
	enter(s, LMTP_READY);
}

bool lmtp_state_error(struct out *out, enum lmtp_verdict verdict, enum smtp_dialect dialect)
{
	static const struct {
		unsigned code;
		const char *enhanced, *text;
	} rows[LMTP_VERDICTS] = {
		[LMTP_NO_LHLO] = {503, "5.5.1", "say LHLO first"},
		[LMTP_IN_CHUNKS] = {503, "5.5.1", "the message has begun: say BDAT or RSET"},
		[LMTP_NESTED_MAIL] = {503, "5.5.1", "there is a sender already"},
		[LMTP_NO_SENDER] = {503, "5.5.1", "say MAIL first"},
		[LMTP_NO_RECIPIENT] = {503, "5.5.1", "no recipient was accepted"},
		[LMTP_TOO_MANY_RECIPIENTS] = {452, "4.5.3", "too many recipients"},
	};

	assert(verdict > LMTP_MAY && verdict < LMTP_VERDICTS);

	const char *const text = verdict == LMTP_NO_LHLO && dialect == SMTP_DIALECT_SMTP
					 ? "say EHLO first"
					 : rows[verdict].text;

	return smtp_reply(out, rows[verdict].code, rows[verdict].enhanced, span_str(text));
}

const char *lmtp_phase_name(enum lmtp_phase phase)
{
	static const char *const names[LMTP_PHASES] = {
		[LMTP_CONNECTED] = "CONNECTED", [LMTP_READY] = "READY",
		[LMTP_SENDER] = "SENDER",       [LMTP_RECIPIENT] = "RECIPIENT",
		[LMTP_CHUNKS] = "CHUNKS",       [LMTP_MESSAGE] = "MESSAGE",
		[LMTP_ENDED] = "ENDED",
	};

	assert(phase < LMTP_PHASES);
	return names[phase];
}
