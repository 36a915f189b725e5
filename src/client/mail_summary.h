/* SPDX-License-Identifier: MIT */
/*
 * mail_summary.h - who wrote when about what: the header of a stored message, decoded
 * (RFC 2047, and the charsets that are used without it).
 */
#pragma once

#include <stdint.h>

/* UTF-8, but as untrusted as the mail: see display.h. Owned: mail_summary_done(). */
struct mail_summary {
	char *from;    /* a name, or else an address; "" when there is none */
	char *subject; /* "" when there is none */
	int64_t date;  /* seconds since 1970; 0 when there is none */
};

/* Once, before the first. */
void mail_summary_init(void);

/* Reads from the beginning of a file. Negative errno when it can't be read. */
int mail_summary_read(int fd, struct mail_summary *ret_summary);
void mail_summary_done(struct mail_summary *s);
