/* SPDX-License-Identifier: MIT */
/*
 * A message that comes in chunks (RFC 3030). A chunk's octets are read whatever is
 * said to it: read as commands, they would be anybody's words.
 *
 *	BDAT 5        250, or why the message can't be delivered, at once
 *	BDAT 5        after that, the same again: of what was sent ahead nothing is kept
 *	BDAT 5 LAST   a reply for each recipient, as behind DATA (RFC 2033 section 4.3)
 */
#include <assert.h>
#include <stdio.h>

#include "server/listener/lmtp_session_priv.h"

static void begin_message(struct lmtp_session *p)
{
	p->chunked = true;
	p->failure = LMTP_NO_FAILURE;
	p->chunks = (struct smtp_chunks){0};
	p->octets = 0;
	if (!lmtp_ask_file(p))
		lmtp_fail(p, LMTP_STORAGE_LOST);
}

void lmtp_begin_chunk(struct lmtp_session *p, const struct smtp_command *c,
		      enum lmtp_verdict verdict)
{
	p->in_chunk = true;
	p->chunk_refused = verdict;
	if (verdict == LMTP_MAY) {
		if (p->state.phase == LMTP_RECIPIENT)
			begin_message(p);
		lmtp_state_did(&p->state, SMTP_BDAT);
		if (c->last)
			lmtp_state_last_chunk(&p->state);
	}
	p->chunks.left = c->chunk;
}

/* A message by DATA ends with CRLF, and files and POP3 want it so: what lacks it gets it. */
static void end_line(struct lmtp_session *p)
{
	switch (smtp_chunks_end(&p->chunks)) {
	case SMTP_CHUNKS_WHOLE:
		break;
	case SMTP_CHUNKS_NO_EOL:
		lmtp_write(p, SPAN_LIT("\r\n"));
		break;
	case SMTP_CHUNKS_LONE_CR:
		lmtp_fail(p, LMTP_BARE_CR_LF);
		break;
	}
}

static void end_chunk(struct lmtp_session *p)
{
	p->in_chunk = false;
	if (p->chunk_refused != LMTP_MAY) {
		const bool fits = lmtp_state_error(&p->base.out, p->chunk_refused, p->dialect);

		assert(fits);
		(void)fits;
	} else if (p->state.phase == LMTP_MESSAGE) {
		end_line(p);
		lmtp_end_message(p);
	} else if (p->failure != LMTP_NO_FAILURE) {
		lmtp_reply_failure(p);
	} else {
		char text[48];

		(void)snprintf(text, sizeof(text), "%llu octets so far",
			       (unsigned long long)p->octets);
		lmtp_reply(p, 250, "2.0.0", text);
	}
}

bool lmtp_take_chunk(struct lmtp_session *p)
{
	struct session *const s = &p->base;
	struct span in = session_input(s);

	if (p->chunks.left > 0 && in.n == 0)
		return false;

	const struct span text = smtp_chunks_take(&p->chunks, &in);

	if (p->chunk_refused == LMTP_MAY) {
		if (p->chunks.bare)
			lmtp_fail(p, LMTP_BARE_CR_LF);
		lmtp_write(p, text);
	}
	s->progress = true;
	session_use(s, text.n);
	if (p->chunks.left == 0)
		end_chunk(p);
	return true;
}
