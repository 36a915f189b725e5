/* SPDX-License-Identifier: MIT */
/*
 * mail_reading.h - a stored message, for somebody who reads it: its header decoded, its
 * text, and what else it carries.
 *
 * Strings are UTF-8, but as untrusted as the mail: see display.h. mail_summary_init()
 * comes first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Text that is longer is cut: nobody reads it on a terminal. */
#define MAIL_READING_TEXT_MAX ((size_t)8 << 20)

/* What isn't shown as text. Its number counts from 1. */
struct mail_attachment {
	char *name; /* as the mail has it, or "" */
	char *type; /* "image/png" */
	uint64_t octets;
};

/* Owned: mail_reading_done(). */
struct mail_reading {
	char *from; /* these are "" when there is none */
	char *to;
	char *cc;
	char *subject;
	int64_t date; /* seconds since 1970; 0 when there is none */
	char *text;   /* lines with LF */
	struct mail_attachment *attachments;
	size_t n_attachments;
};

/* From the beginning of a file; the descriptor stays the caller's. Negative errno. */
int mail_reading_read(int fd, struct mail_reading *ret_reading);
void mail_reading_done(struct mail_reading *r);

/* Writes attachment number n, decoded, to to_fd. -ENOENT: there is none; else as writing went. */
int mail_attachment_write(int fd, size_t n, int to_fd);
