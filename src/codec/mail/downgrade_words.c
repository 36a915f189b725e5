/* SPDX-License-Identifier: MIT */
/*
 * Text with UTF-8 as encoded words (RFC 2047), and fields that are text.
 */
#include <string.h>

#include "codec/mail/downgrade_priv.h"
#include "codec/sasl/base64.h"
#include "codec/utf8.h"

/* RFC 2047 section 2: a word has 75 octets at most, a line with one 76. */
#define LINE_MAX 76
#define WORD_AROUND 12 /* "=?UTF-8?B?" and "?=" */
#define WORD_OCTETS 45 /* 60 in base64 */
/* On a line with less room a word isn't worth it. */
#define WORD_OCTETS_MIN 12

static size_t column(const struct out *out)
{
	size_t n = 0;

	while (n < out->n && out->p[out->n - 1 - n] != '\n')
		n++;
	return n;
}

/* Takes the next character that counts; its octets, or 0 at the end. */
static size_t take_character(struct span *text, bool quoted, struct span *ret_c)
{
	while (text->n > 0) {
		const char c = text->p[0];
		size_t n = utf8_length(*text);

		if (c == '\r' || c == '\n' || (quoted && c == '"')) {
			span_skip(text, 1);
			continue;
		}
		if (quoted && c == '\\' && text->n > 1) {
			span_skip(text, 1);
			n = utf8_length(*text);
		}
		if (n == 0)
			n = 1;
		*ret_c = span_of(text->p, n);
		span_skip(text, n);
		return n;
	}
	return 0;
}

static bool put_word(struct out *out, struct span octets)
{
	return out_put(out, SPAN_LIT("=?UTF-8?B?")) && base64_encode(out, octets) &&
	       out_put(out, SPAN_LIT("?="));
}

/* Octets that a word may hold on this line. */
static size_t room_for(const struct out *out)
{
	const size_t used = column(out) + WORD_AROUND;
	const size_t room = used < LINE_MAX ? (LINE_MAX - used) / 4 * 3 : 0;

	return room < WORD_OCTETS ? room : WORD_OCTETS;
}

bool downgrade_encode(struct span text, bool quoted, struct out *out)
{
	char octets[WORD_OCTETS];
	struct out word = {.p = octets, .cap = room_for(out)};
	struct span c;

	if (word.cap < WORD_OCTETS_MIN) {
		/* The space before it is the one that the next line begins with. */
		if (out->n > 0 && out->p[out->n - 1] == ' ')
			out->n--;
		if (!out_put(out, SPAN_LIT("\r\n ")))
			return false;
		word.cap = WORD_OCTETS;
	}
	while (take_character(&text, quoted, &c) > 0) {
		if (c.n > out_room(&word)) {
			if (!put_word(out, out_span(&word)) || !out_put(out, SPAN_LIT("\r\n ")))
				return false;
			word = (struct out){.p = octets, .cap = WORD_OCTETS};
		}
		(void)out_put(&word, c); /* one character is at most four octets */
	}
	return word.n == 0 || put_word(out, out_span(&word));
}

bool downgrade_put_behind(struct span word, struct out *out)
{
	const bool fits = column(out) + 1 + word.n <= LINE_MAX;

	return out_put(out, fits ? SPAN_LIT(" ") : SPAN_LIT("\r\n ")) && out_put(out, word);
}

/* ---- words ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Octets of spaces, or of a word, at the front. */
static size_t run_of(struct span s, bool spaces)
{
	size_t n = 0;

	while (n < s.n && is_space(s.p[n]) == spaces)
		n++;
	return n;
}

/* Words at the front that have UTF-8 in them, with the spaces between them. */
static size_t utf8_words(struct span s)
{
	size_t end = 0;
	size_t at = 0;

	while (at < s.n) {
		const size_t word = run_of(span_of(s.p + at, s.n - at), false);

		if (downgrade_is_ascii(span_of(s.p + at, word)))
			break;
		end = at += word;
		at += run_of(span_of(s.p + at, s.n - at), true);
	}
	return end;
}

bool downgrade_text(struct span body, struct out *out)
{
	/* Spaces between two encoded words are nobody's (RFC 2047 section 6.2). */
	bool after_encoded = false;

	while (body.n > 0) {
		const size_t spaces = run_of(body, true);
		struct span words = body;

		span_skip(&words, spaces);

		const size_t n = utf8_words(words);

		if (n == 0) {
			const size_t word = run_of(words, false);

			after_encoded = word > 2 && memcmp(words.p + word - 2, "?=", 2) == 0;
			if (!out_put(out, span_of(body.p, spaces + word)))
				return false;
			span_skip(&body, spaces + word);
			continue;
		}

		const struct span text = after_encoded ? span_of(body.p, spaces + n)
						       : span_of(words.p, n);

		if (!out_put(out, span_of(body.p, spaces)) || !downgrade_encode(text, false, out))
			return false;
		span_skip(&body, spaces + n);
		after_encoded = true;
	}
	return true;
}
