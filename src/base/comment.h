/* SPDX-License-Identifier: MIT */
/*
 * comment.h - what people write beside the options in a configuration file.
 */
#pragma once

/*
 * Puts spaces in the place of comments, so that every other octet keeps its line
 * and column: '#' and "//" to the line's end, and what stands between slash-star
 * and star-slash, outside of "..." and '...'. A slash inside a word is a slash.
 *
 * libconfuse 3.3 reads comments itself, but counts their lines up to three times,
 * takes "//word" for an option and doesn't know comments inside of a list: an
 * operator would be sent to the wrong line.
 */
void comment_blank(char *text);

/*
 * libconfuse passes over a '+' that no '=' follows, so that "+1" is 1 and "1+1" an
 * option called 1. The line of the first one in a text without comments, or 0.
 */
int comment_lone_plus(const char *text);
