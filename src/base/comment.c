/* SPDX-License-Identifier: MIT */
#include "base/comment.h"

#include <stdbool.h>
#include <string.h>

/* Behind the string that begins at p, or at the text's end when it has none. */
static char *skip_string(char *p)
{
	const char quote = *p++;

	while (*p != '\0' && *p != quote)
		p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
	return *p == '\0' ? p : p + 1;
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
			p = skip_string(p);
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
