/* SPDX-License-Identifier: MIT */
/*
 * mbox_reader.h - a file of mails in a row, as it is read: where each begins and ends, and
 * which lines are its header.
 *
 *	From alice@example.org Thu Jan  1 00:00:01 2015		MBOX_FROM
 *	Subject: one						MBOX_HEADER
 *								MBOX_BLANK
 *	text							MBOX_BODY
 *								MBOX_BODY, and no part of it
 *	From bob@example.org Thu Jan  1 00:00:02 2015		MBOX_END, MBOX_FROM
 *
 * Lines stay as they are, ">From " too: what an old server has sent is what clients have. A
 * Content-Length is a field like others. Octets in memory, no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* A longer line comes in pieces. */
#define MBOX_LINE_MAX 4096

/*
 * Which lines that begin with "From " begin a message. Servers differ, and one that
 * differs from the old one makes other messages of a file.
 */
struct mbox_rule {
	bool after_blank; /* a blank line has to be in front of it */
	bool with_date;   /* and a date at its end: mbox_from_date() */
};

enum mbox_status {
	MBOX_MORE, /* give it more, or end it */
	MBOX_FROM,
	MBOX_HEADER,
	MBOX_BLANK,
	MBOX_BODY,
	MBOX_END,  /* of a message: at is where its text ends, a last blank line not counted */
	MBOX_NONE, /* no mbox: what it begins with begins no message. Nothing comes after it */
};

struct mbox_event {
	uint64_t at;      /* octets in front of it */
	struct span text; /* a line, or a piece of one. Lives until the next call */
	bool begins;      /* a line */
	bool ends;        /* it, with a line feed or with the file */
};

/* Large: not for the stack. */
struct mbox_reader {
	struct mbox_rule _rule;
	enum { _MBOX_START, _MBOX_IN_FROM, _MBOX_IN_HEADER, _MBOX_IN_BODY, _MBOX_NO_MBOX } _state;
	uint64_t _at;   /* of what is in _line */
	uint64_t _end;  /* where the message ends, if it ends here */
	bool _mid_line; /* a piece of this line was told already */
	bool _blank;    /* the line in front was blank */
	bool _ended;    /* this From line was told to be an end */
	bool _told;     /* what is in _line */
	bool _whole;    /* and it is a line, or the end of one */
	size_t _n;
	char _line[MBOX_LINE_MAX];
};

void mbox_reader_init(struct mbox_reader *r, const struct mbox_rule *rule);

/* Takes octets off the front of *in, up to the next event, which for MBOX_MORE there isn't. */
enum mbox_status mbox_reader_next(struct mbox_reader *r, struct span *in, struct mbox_event *ret);

/* When there are no more octets: call it until it says MBOX_MORE, or MBOX_NONE. */
enum mbox_status mbox_reader_end(struct mbox_reader *r, struct mbox_event *ret);

/*
 * The date of a From line, from the day of the week on:
 *
 *	From alice@example.org Wed Dec  2 05:53:22 1992
 *
 * also without seconds, with a zone in front of the year or behind it ("PST", "-0700"), and
 * with " remote from HOST" behind all of it. line is without its end. False for a line that
 * has no such date: it is text.
 */
bool mbox_from_date(struct span line, struct span *ret_date);

/* The line without its end, LF or CRLF. */
struct span mbox_line(struct span text);
