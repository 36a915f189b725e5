/* SPDX-License-Identifier: MIT */
/*
 * mail_match.h - whether a message has certain words, in whatever charset or transfer
 * encoding it has them. Upper and lower case are the same, and so are forms of a
 * character that look the same (Unicode NFKC).
 */
#pragma once

#include <stdbool.h>

struct mail_match;

/*
 * All of the words, a list that ends with NULL: "from:", "to:" (with Cc), "subject:" or
 * "text:" in front of a word says where it must be; without, anywhere of these, or in
 * the name of an attachment. Words are copied.
 */
struct mail_match *mail_match_new(const char *const *words);
void mail_match_free(struct mail_match *m);

/* From the file's beginning. Negative errno when it can't be read. */
int mail_match_file(const struct mail_match *m, int fd, bool *ret_found);
