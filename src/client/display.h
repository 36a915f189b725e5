/* SPDX-License-Identifier: MIT */
/*
 * display.h - text out of mails, made fit for a line on a terminal: what strangers wrote
 * is shown, and never obeyed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DISPLAY_ALL ((size_t)-1)

/*
 * text as UTF-8 without control characters, marks that turn the direction of writing, or
 * line ends; octets that are no UTF-8 are shown as U+FFFD, and runs of white space as one
 * space. What is wider than columns (of which a Chinese or Japanese character takes two,
 * and a combining one none) is cut and ends with an ellipsis; with pad, what is
 * narrower is filled up with spaces. Free it with free(3).
 */
char *display_text(const char *text, size_t columns, bool pad);

/*
 * The same of text with lines: their ends (LF) and tabs stay, and so does white space.
 * Free it with free(3).
 */
char *display_lines(const char *text);
