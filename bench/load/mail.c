/* SPDX-License-Identifier: MIT */
#include "mail.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define LINES 1024U
#define BLOCK (LINES * MAIL_LINE)

/* The text of all messages; the second one has the dots. Twice as long: no run wraps. */
static char block[2][2 * BLOCK];

static const char letters[] = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";

void mail_init(void)
{
	uint64_t x = 1;

	for (size_t i = 0; i < BLOCK; i++) {
		const size_t column = i % MAIL_LINE;

		/* Knuth's MMIX generator: any text that doesn't repeat will do. */
		x = x * 6364136223846793005U + 1442695040888963407U;
		block[0][i] = letters[(x >> 33) % (sizeof(letters) - 1)];
		if (column == MAIL_LINE - 2)
			block[0][i] = '\r';
		else if (column == MAIL_LINE - 1)
			block[0][i] = '\n';
	}
	memcpy(block[1], block[0], BLOCK);
	for (size_t line = 0; line < LINES; line += 8)
		block[1][line * MAIL_LINE] = '.';
	memcpy(block[0] + BLOCK, block[0], BLOCK);
	memcpy(block[1] + BLOCK, block[1], BLOCK);
}

static const char *const kinds[MAIL_KINDS] = {
	[MAIL_CRLF] = "crlf",
	[MAIL_LF] = "lf",
	[MAIL_DOTS] = "dots",
};

bool mail_kind_parse(const char *text, enum mail_kind *ret_kind)
{
	for (unsigned i = 0; i < MAIL_KINDS; i++) {
		if (strcmp(text, kinds[i]) == 0) {
			*ret_kind = (enum mail_kind)i;
			return true;
		}
	}
	return false;
}

#define FROM "From: restante bench <bench@example.org>"
#define SUBJECT "Subject: "

/* Three lines, padded, and the empty line: MAIL_HEADER octets. */
static void make_header(const struct mail *m, char *to)
{
	char line[3][MAIL_LINE + 1];

	(void)snprintf(line[0], sizeof(line[0]), FROM);
	(void)snprintf(line[1], sizeof(line[1]), SUBJECT "%010u %010u %u %015llu", m->user,
		       m->number, (unsigned)m->kind, (unsigned long long)m->octets);
	(void)snprintf(line[2], sizeof(line[2]), "X-Bench: made to be compared");
	for (size_t i = 0; i < 3; i++) {
		const size_t n = strlen(line[i]);

		memset(to + i * MAIL_LINE, ' ', MAIL_LINE);
		memcpy(to + i * MAIL_LINE, line[i], n);
		memcpy(to + (i + 1) * MAIL_LINE - (i == 2 ? 5 : 3), i == 2 ? "x\r\n\r\n" : "x\r\n",
		       i == 2 ? 5 : 3);
	}
}

/* The message's octets from at on: a run of them, as long as it goes. */
static struct span run_at(const struct mail *m, const char *header, uint64_t at)
{
	const size_t first = ((size_t)m->user * 131 + (size_t)m->number * 37) % LINES;

	if (at < MAIL_HEADER)
		return span_of(header + at, MAIL_HEADER - (size_t)at);

	const size_t in = (size_t)((at - MAIL_HEADER) % BLOCK);
	const uint64_t left = m->octets - at;
	const size_t n = BLOCK - in;

	return span_of(block[m->kind == MAIL_DOTS] + first * MAIL_LINE + in,
		       left < n ? (size_t)left : n);
}

void mail_make(const struct mail *m, uint64_t *at, struct out *out)
{
	char header[MAIL_HEADER];

	assert(m->octets > MAIL_HEADER && m->octets % MAIL_LINE == 0);
	make_header(m, header);
	while (*at < m->octets && out_room(out) > 0) {
		struct span run = run_at(m, header, *at);

		if (run.n > out_room(out))
			run.n = out_room(out);
		(void)out_put(out, run);
		*at += run.n;
	}
}

void mail_make_kept(const struct mail *m, uint64_t *at, struct out *out)
{
	const size_t before = out->n;
	size_t n = before;

	mail_make(m, at, out);
	if (m->kind != MAIL_LF)
		return;
	for (size_t i = before; i < out->n; i++) {
		if (out->p[i] != '\r')
			out->p[n++] = out->p[i];
	}
	out->n = n;
}

uint64_t mail_kept_octets(const struct mail *m)
{
	/* One CR in each line, and the header's empty line is within the third 64 octets. */
	return m->kind == MAIL_LF ? m->octets - m->octets / MAIL_LINE - 1 : m->octets;
}

/* ---- checking ---- */

static bool is_trace(struct span line, bool in_trace)
{
	return span_starts_with_nocase(line, SPAN_LIT("Return-Path:")) ||
	       span_starts_with_nocase(line, SPAN_LIT("Delivered-To:")) ||
	       span_starts_with_nocase(line, SPAN_LIT("Received:")) ||
	       (in_trace && line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'));
}

/* Takes whole lines off *text until one isn't a trace line; what it began with is in _header. */
static bool skip_trace(struct mail_check *c, struct span *text)
{
	while (text->n > 0) {
		const size_t n = span_find(*text, '\n');
		const size_t take = n < text->n ? n + 1 : text->n;

		if (take > sizeof(c->_header) - c->_line)
			return false;
		memcpy(c->_header + c->_line, text->p, take);
		c->_line += take;
		span_skip(text, take);
		if (n + 1 > take)
			return true; /* the line isn't whole yet */

		const struct span line = span_of(c->_header, c->_line);

		if (!is_trace(line, c->_in_trace)) {
			c->_past_trace = true;
			return true;
		}
		c->_in_trace = true;
		c->_trace += c->_line;
		c->_line = 0;
	}
	return true;
}

static bool number_in(struct mail_check *c)
{
	const size_t at = MAIL_LINE + sizeof(SUBJECT) - 1 + 11;
	uint64_t n;

	if (!num_parse_u64(span_of(c->_header + at, 10), UINT32_MAX, &n))
		return false;
	c->want.number = (uint32_t)n;
	return true;
}

static bool compare(struct mail_check *c, struct span text)
{
	char header[MAIL_HEADER];

	if (c->_at < MAIL_HEADER)
		make_header(&c->want, header);
	while (text.n > 0) {
		if (c->_at == c->want.octets)
			return false;

		struct span run = run_at(&c->want, header, c->_at);

		if (run.n > text.n)
			run.n = text.n;
		if (memcmp(run.p, text.p, run.n) != 0)
			return false;
		c->_at += run.n;
		span_skip(&text, run.n);
	}
	return true;
}

static bool check(struct mail_check *c, struct span text)
{
	if (c->trace && !c->_past_trace && !skip_trace(c, &text))
		return false;
	if (c->trace && !c->_past_trace)
		return true;
	if (c->want.number != 0 && c->_line == 0)
		return compare(c, text);

	/* The header is gathered, because it says which number this is. */
	const size_t n = text.n < MAIL_HEADER - c->_line ? text.n : MAIL_HEADER - c->_line;

	memcpy(c->_header + c->_line, text.p, n);
	c->_line += n;
	span_skip(&text, n);
	if (c->_line < MAIL_HEADER)
		return true;
	if (c->want.number == 0 && !number_in(c))
		return false;
	c->_line = 0;
	return compare(c, span_of(c->_header, MAIL_HEADER)) && compare(c, text);
}

bool mail_check(struct mail_check *c, struct span text)
{
	if (!c->failed && !check(c, text))
		c->failed = true;
	return !c->failed;
}

bool mail_check_end(const struct mail_check *c, uint64_t *ret_octets)
{
	*ret_octets = c->_at + c->_trace;
	return !c->failed && c->_at == c->want.octets;
}
