/* SPDX-License-Identifier: MIT */
#include "client/display.h"

#include <gmime/gmime.h>

/* U+2026; one column wide. */
#define ELLIPSIS 0x2026
#define REPLACEMENT 0xfffd

/* What a character becomes: itself, ' ', REPLACEMENT, or 0 for nothing at all. */
static gunichar shown(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
	case G_UNICODE_SPACE_SEPARATOR:
		return g_unichar_isspace(c) ? ' ' : REPLACEMENT;
	case G_UNICODE_FORMAT:
		/* Directions, joiners, tags: invisible, and able to lie about what is shown. */
		return 0;
	case G_UNICODE_SURROGATE:
	case G_UNICODE_PRIVATE_USE:
		return REPLACEMENT;
	default:
		return c;
	}
}

static size_t width(gunichar c)
{
	if (g_unichar_iszerowidth(c))
		return 0;
	return g_unichar_iswide(c) ? 2 : 1;
}

/* The next character of *p, which goes behind it. */
static gunichar take(const char **p)
{
	const gunichar c = g_utf8_get_char_validated(*p, -1);

	if (c == (gunichar)-1 || c == (gunichar)-2) {
		(*p)++;
		return REPLACEMENT;
	}
	*p = g_utf8_next_char(*p);
	return c;
}

char *display_text(const char *text, size_t columns, bool pad)
{
	GString *const out = g_string_new(NULL);
	size_t used = 0;
	size_t fits = 0; /* octets of out, to which an ellipsis can be put */
	size_t fits_used = 0;
	bool space = true; /* none at the beginning */

	while (*text != '\0') {
		const gunichar c = shown(take(&text));

		if (c == 0 || (c == ' ' && space))
			continue;
		space = c == ' ';
		if (columns != DISPLAY_ALL && used + width(c) > columns) {
			g_string_truncate(out, fits);
			used = fits_used;
			if (columns > 0) {
				g_string_append_unichar(out, ELLIPSIS);
				used++;
			}
			break;
		}
		g_string_append_unichar(out, c);
		used += width(c);
		if (used < columns) {
			fits = out->len;
			fits_used = used;
		}
	}
	while (pad && columns != DISPLAY_ALL && used < columns) {
		g_string_append_c(out, ' ');
		used++;
	}
	/* GLib's memory is malloc()'s (since 2.46). */
	return g_string_free(out, FALSE);
}

char *display_lines(const char *text)
{
	GString *const out = g_string_new(NULL);

	while (*text != '\0') {
		const char at = *text;
		const gunichar c = shown(take(&text));

		if (at == '\n' || at == '\t')
			g_string_append_c(out, at);
		else if (at != '\r' && c != 0)
			g_string_append_unichar(out, c);
	}
	return g_string_free(out, FALSE);
}
