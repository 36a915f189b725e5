/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_chunk.h"

#include <string.h>

/* What was read last. Zero, so a zeroed reader stands before a line. */
enum state { START, TEXT, CR };

/* One octet that isn't plain text, or that follows a CR. */
static enum state step(struct smtp_chunks *c, char octet)
{
	if (octet == '\n') {
		c->bare |= c->_state != CR;
		return START;
	}
	c->bare |= c->_state == CR;
	return octet == '\r' ? CR : TEXT;
}

/* The next CR or LF, or end. */
static const char *skip_text(const char *p, const char *end)
{
	const char *const cr = memchr(p, '\r', (size_t)(end - p));
	const char *const stop = cr != NULL ? cr : end;
	const char *const lf = memchr(p, '\n', (size_t)(stop - p));

	return lf != NULL ? lf : stop;
}

struct span smtp_chunks_take(struct smtp_chunks *c, struct span *in)
{
	const struct span text = span_of(in->p, in->n < c->left ? in->n : (size_t)c->left);
	const char *p = text.p;
	const char *const end = text.n == 0 ? p : p + text.n;

	while (p < end) {
		if (c->_state == TEXT) {
			p = skip_text(p, end);
			if (p == end)
				break;
		}
		c->_state = (uint8_t)step(c, *p++);
	}
	c->left -= text.n;
	span_skip(in, text.n);
	return text;
}

enum smtp_chunks_end smtp_chunks_end(const struct smtp_chunks *c)
{
	switch ((enum state)c->_state) {
	case START:
		break;
	case TEXT:
		return SMTP_CHUNKS_NO_EOL;
	case CR:
		return SMTP_CHUNKS_LONE_CR;
	}
	return SMTP_CHUNKS_WHOLE;
}
