/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"

#include <assert.h>
#include <string.h>

/* What was read last, by all three machines of this file. */
enum state {
	START, /* nothing yet, or a line end. Zero, so a zeroed machine is ready */
	TEXT,
	CR,
	DOT,    /* decoder: a dot that begins a line; encoder: the dot that stuffs one is written */
	DOT_CR, /* decoder only: a dot that begins a line, and CR */
	END,
	BAD,
	BAD_CR, /* bad, and the last octet was CR: with LF, a line end for who relents */
	FREE, /* never a state: what was held back is text, and this octet is read again after it */
};

enum octet_class { IS_CR, IS_LF, IS_DOT, IS_OTHER };

/*
 * The octets that lead to START, TEXT and CR are text. A dot that begins a line,
 * and a CR after it, are held back until it is clear what they were: nothing
 * (DOT to TEXT), the end, or text after all (FREE). What skip_text() passes over
 * is in the rows of TEXT only to make them whole.
 *
 * Strict, DOT to TEXT: RFC 5321 drops the first dot, whatever follows it.
 *
 * Lenient, a dot is dropped before another dot only. Who stuffs dots never sends
 * one followed by something else; who forgets to, as some POP3 servers do at a
 * message's first octet, would lose it. So does "." before a bare LF stay text.
 */
/* clang-format off */
static const uint8_t decode[][DOT_CR + 1][4] = {
	[DOT_STRICT] = {
		/* after      CR      LF     '.'   other */
		[START]  = { CR,     BAD,   DOT,  TEXT },
		[TEXT]   = { CR,     BAD,   TEXT, TEXT },
		[CR]     = { BAD_CR, START, BAD,  BAD  },
		[DOT]    = { DOT_CR, BAD,   TEXT, TEXT },
		[DOT_CR] = { BAD_CR, END,   BAD,  BAD  },
	},
	[DOT_LENIENT] = {
		[START]  = { CR,     TEXT,  DOT,  TEXT },
		[TEXT]   = { CR,     TEXT,  TEXT, TEXT },
		[CR]     = { CR,     START, TEXT, TEXT },
		[DOT]    = { DOT_CR, FREE,  TEXT, FREE },
		[DOT_CR] = { FREE,   END,   FREE, FREE },
	},
};
/* clang-format on */

static enum octet_class classify(char c)
{
	switch (c) {
	case '\r':
		return IS_CR;
	case '\n':
		return IS_LF;
	case '.':
		return IS_DOT;
	default:
		return IS_OTHER;
	}
}

/* The next octet that the table isn't sure of inside a line, or end. Most mail is passed over here.
 */
static const char *skip_text(enum dot_mode mode, const char *p, const char *end)
{
	const char *cr = memchr(p, '\r', (size_t)(end - p));
	const char *stop = cr != NULL ? cr : end;
	const char *lf = NULL;

	if (mode == DOT_STRICT)
		lf = memchr(p, '\n', (size_t)(stop - p));
	return lf != NULL ? lf : stop;
}

static bool is_bad(const struct dot_decoder *d)
{
	return d->_state == BAD || d->_state == BAD_CR;
}

enum dot_status dot_decode(struct dot_decoder *d, struct span *in, struct span *ret_text)
{
	const char *const begin = in->p;
	const char *const end = in->n == 0 ? begin : begin + in->n;
	const char *text = begin; /* [text, p) is read and not yet handed out */
	const char *p = begin;

	assert(d->mode == DOT_STRICT || d->mode == DOT_LENIENT);
	assert(d->_state <= DOT_CR || is_bad(d));
	if (is_bad(d))
		return DOT_BAD;

	while (p < end) {
		if (d->_state == TEXT) {
			p = skip_text(d->mode, p, end);
			if (p == end)
				break;
		}

		const enum state s = decode[d->mode][d->_state][classify(*p)];

		if (s == FREE) {
			const size_t held = d->_state == DOT ? 1 : 2;

			d->_state = d->_state == DOT ? TEXT : CR;
			if ((size_t)(p - begin) >= held) {
				text = p - held;
				continue;
			}
			/* They came, in part at least, with an earlier call. */
			span_skip(in, (size_t)(p - begin));
			*ret_text = span_of(".\r", held);
			return DOT_TEXT;
		}
		if (s >= DOT) {
			/* Not text. Hand out what came before; this octet is read again. */
			if (p > text)
				break;
			text = p + 1;
		}
		d->_state = (uint8_t)s;
		p++;
		if (s == END || is_bad(d))
			break;
	}

	span_skip(in, (size_t)(p - begin));
	if (p > text) {
		*ret_text = span_of(text, (size_t)(p - text));
		return DOT_TEXT;
	}
	if (is_bad(d))
		return DOT_BAD;
	if (d->_state == END) {
		d->_state = START;
		return DOT_END;
	}
	return DOT_MORE;
}

void dot_decoder_relent(struct dot_decoder *d)
{
	assert(is_bad(d));
	/* Neither a bare CR nor a bare LF ends a line, so a dot behind it is text. */
	d->_state = d->_state == BAD_CR ? CR : TEXT;
	d->mode = DOT_LENIENT;
}

/* Appends an octet that isn't in the input. */
static void insert(struct dot_encoder *e, struct out *out, char c, enum state s)
{
	(void)out_char(out, c); /* dot_encode() has looked for room */
	e->_state = (uint8_t)s;
}

void dot_encode(struct dot_encoder *e, struct span *in, struct out *out)
{
	while (in->n > 0 && out_room(out) > 0) {
		if (e->_state == START && in->p[0] == '.') {
			insert(e, out, '.', DOT);
			continue;
		}
		if (in->p[0] == '\n') {
			if (e->_state != CR) {
				insert(e, out, '\r', CR);
				e->octets++;
				continue;
			}
			insert(e, out, '\n', START);
			e->octets++;
			span_skip(in, 1);
			continue;
		}

		const size_t room = out_room(out);
		const size_t n = span_find(span_of(in->p, in->n < room ? in->n : room), '\n');

		(void)out_put(out, span_of(in->p, n));
		e->_state = in->p[n - 1] == '\r' ? CR : TEXT;
		e->octets += n;
		span_skip(in, n);
	}
}

bool dot_encode_end(struct dot_encoder *e, struct out *out)
{
	if (out_room(out) < DOT_END_MAX)
		return false;
	if (e->_state != START) {
		(void)out_put(out, SPAN_LIT("\r\n"));
		e->octets += 2;
		e->_state = START;
	}
	return out_put(out, SPAN_LIT(".\r\n"));
}

void dot_measure(struct dot_measure *m, struct span in)
{
	m->bytes += in.n;
	while (in.n > 0) {
		if (m->_state == START && in.p[0] == '.')
			m->dot_lines++;

		const size_t n = span_find(in, '\n');

		if (n > 0)
			m->_state = in.p[n - 1] == '\r' ? CR : TEXT;
		if (n == in.n)
			return;
		if (m->_state != CR)
			m->bare_lf++;
		m->_state = START;
		span_skip(&in, n + 1);
	}
}

bool dot_measure_no_eol(const struct dot_measure *m)
{
	return m->_state != START;
}

uint64_t dot_measure_octets(const struct dot_measure *m)
{
	return m->bytes + m->bare_lf + (dot_measure_no_eol(m) ? 2 : 0);
}
