/* SPDX-License-Identifier: MIT */
/*
 * mail_html.h - the text of a mail that comes as HTML only. Nothing is loaded and nothing
 * run; where a link leads is shown behind it.
 */
#pragma once

/* Plain text, UTF-8. html is UTF-8. Free it with free(3). */
char *mail_html_text(const char *html);
