/* SPDX-License-Identifier: MIT */
/*
 * pop3_text.h - what a POP3 server says in words, and in which language (RFC 6856
 * section 3). Response codes and numbers that programs read are no words.
 *
 * A text is named by what it is in English. Where it is said stands the English
 * one, and what it is in other languages stands in pop3_text.c and nowhere else;
 * tools/check-texts says where one is missing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/out.h"
#include "base/span.h"

enum pop3_language {
	POP3_LANGUAGE_I_DEFAULT, /* zero: English in ASCII, for who has asked for none (RFC 2277) */
	POP3_LANGUAGE_EN,
	POP3_LANGUAGE_JA,
	POP3_LANGUAGES
};

/* "ja", and "日本語". */
const char *pop3_language_tag(enum pop3_language language);
const char *pop3_language_name(enum pop3_language language);

/*
 * The language for a range such as "ja-JP": the longest beginning of it that is a
 * tag of ours (RFC 4647 section 3.4), in any case; "*" is the default. False: none.
 */
bool pop3_language_find(struct span range, enum pop3_language *ret_language);

/* The text in that language; the English one where nobody has translated it. */
struct span pop3_text(enum pop3_language language, const char *english);

/*
 * Appends the text with args[0] in the place of {1}, and so on. False, and nothing
 * appended, when there is no room.
 */
bool pop3_text_fill(struct out *out, enum pop3_language language, const char *english,
		    const struct span *args, size_t n);
