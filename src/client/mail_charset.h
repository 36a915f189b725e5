/* SPDX-License-Identifier: MIT */
/*
 * mail_charset.h - text of mails as UTF-8, whatever charset it says that it is in, and
 * when it says none or a wrong one.
 */
#pragma once

#include "base/span.h"

/*
 * octets as UTF-8, NUL-terminated; what can't be read is U+FFFD. charset is as a mail has
 * it: a name that other programs have made up is known too, and one that nobody knows
 * (or NULL) leads to a guess. Free it with free(3).
 */
char *mail_charset_utf8(struct span octets, const char *charset);

/*
 * Gives encoded words (RFC 2047) in a header the charset's name that iconv(3) has, in
 * place, where GMime would not find it. The header gets no longer; returns its length.
 */
size_t mail_charset_fix_words(char *header, size_t n);

/*
 * text with what is ISO-2022-JP in it, without RFC 2047, as UTF-8: such mail is ASCII to
 * GMime. Free it with free(3).
 */
char *mail_charset_escapes(const char *text);
