/* SPDX-License-Identifier: MIT */
#include "base/comment.h"

#include <stdbool.h>
#include <string.h>

/* Octets of the string that begins at p, with both quotes, or to the text's end when it has none.
 */
static size_t string_length(const char *p)
{
	size_t n = 1;

	while (p[n] != '\0' && p[n] != p[0])
		n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
	return p[n] == '\0' ? n : n + 1;
}

static char *blank_line(char *p)
{
	while (*p != '\0' && *p != '\n')
		*p++ = ' ';
	return p;
}

static char *blank_block(char *p)
{
	const char *const close = strstr(p + 2, "*/");
	char *const end = close == NULL ? p + strlen(p) : p + (close + 2 - p);

	for (; p < end; p++) {
		if (*p != '\n')
			*p = ' ';
	}
	return end;
}

void comment_blank(char *text)
{
	bool in_word = false;
	char *p = text;

	while (*p != '\0') {
		if (*p == '"' || *p == '\'') {
			p += string_length(p);
			in_word = false;
		} else if (*p == '#' || (!in_word && p[0] == '/' && p[1] == '/')) {
			p = blank_line(p);
			in_word = false;
		} else if (!in_word && p[0] == '/' && p[1] == '*') {
			p = blank_block(p);
		} else {
			in_word = strchr(" \t\r\n={}()+,", *p) == NULL;
			p++;
		}
	}
}

int comment_lone_plus(const char *text)
{
	int line = 1;

	while (*text != '\0') {
		size_t n = *text == '"' || *text == '\'' ? string_length(text) : 1;

		if (text[0] == '+' && text[1] != '=')
			return line;
		for (; n > 0; n--)
			line += *text++ == '\n';
	}
	return 0;
}
