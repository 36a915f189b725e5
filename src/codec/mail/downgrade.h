/* SPDX-License-Identifier: MIT */
/*
 * downgrade.h - the header of an internationalised message (RFC 6532) made fit for
 * clients that know nothing of UTF-8 there (RFC 6858).
 *
 *	From: 鈴木 <suzuki@example.jp>     the name as encoded words, the address as it is
 *	To: 佐藤@例え.jp                    all of it as a name, with an address that is none
 *	Subject: 郵便 for you               words with UTF-8 as encoded words (RFC 2047)
 *	Content-Type: text/plain; name=é   without that parameter
 *	Received: from … for <佐藤@例え.jp> left out, as all other fields with UTF-8
 *
 * Fields in ASCII, and the body, stay octet for octet. A header is changed only if
 * everything in it that isn't ASCII is UTF-8: raw ISO-8859-1 or Shift_JIS is as it
 * has always been, and stays so.
 *
 * Field by field, so nothing is kept between two: whoever stops in between goes on
 * from where a field begins. What is measured is made by the same function that
 * makes what is sent, so the two can't differ.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"

/* A header with a longer field, or longer than this in all, is not changed. */
#define DOWNGRADE_FIELD_MAX 16384
#define DOWNGRADE_HEADER_MAX 65536
/* Nor one of which a field becomes longer than this, or the whole longer by so much. */
#define DOWNGRADE_OUT_MAX 16384
#define DOWNGRADE_GROWTH_MAX 32767

enum downgrade_part {
	DOWNGRADE_MORE,  /* the field's end, or what says that it is one, isn't there yet */
	DOWNGRADE_FIELD, /* *ret_field is the next one, with all its lines, and taken off *in */
	DOWNGRADE_BODY,  /* the header is over: a blank line is next, or nothing */
};

/* The next part of a header at the front of *in. whole: nothing follows *in. */
enum downgrade_part downgrade_next(struct span *in, bool whole, struct span *ret_field);

/*
 * Appends what becomes of a field: itself, or as above, with CRLFs; perhaps nothing.
 * False, and nothing appended: it would be longer than there is room.
 */
bool downgrade_field(struct span field, struct out *out);

enum downgrade_verdict {
	DOWNGRADE_NOT_NEEDED, /* all ASCII */
	DOWNGRADE_NEEDED,
	DOWNGRADE_NOT_POSSIBLE, /* it isn't UTF-8, isn't a header, or is past one of the limits */
};

/*
 * What is to be done with a message that begins with start, which is all of it
 * (whole) or its first DOWNGRADE_HEADER_MAX octets at least. With DOWNGRADE_NEEDED,
 * *ret_growth is by how many octets it becomes longer on the wire, or shorter; else
 * it is untouched. scratch has room for DOWNGRADE_OUT_MAX octets.
 */
enum downgrade_verdict downgrade_measure(struct span start, bool whole, char *scratch,
					 int32_t *ret_growth);
