/* SPDX-License-Identifier: MIT */
/*
 * import_date.h - when a message arrived at the old server, in seconds since 1970: as mail
 * headers write it (RFC 5322 section 3.3), IMAP's INTERNALDATE, and the line in front of a
 * message in an mbox.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/*
 *	Thu, 13 Feb 1969 23:32:54 -0330 (Newfoundland Time)
 *	17-Jul-1996 02:44:25 -0700
 *	Thu Jan  1 00:00:00 1970
 *
 * What has no zone is taken for UTC. False for what has no day, month, year and time.
 */
bool import_date_parse(struct span text, uint64_t *ret_seconds);

/* The same, but what has no zone is taken for this machine's: so mbox files are written. */
bool import_date_parse_local(struct span text, uint64_t *ret_seconds);

/*
 * Reads a message's header as it comes, in pieces of any size: the newest Received field
 * is the last server's, so its date is when the message arrived. Zero it.
 */
#define IMPORT_DATE_FIELD_MAX 2048

struct import_date {
	uint64_t received; /* 0: not seen */
	uint64_t date;     /* the Date field's */
	bool _body;
	size_t _n;
	char _field[IMPORT_DATE_FIELD_MAX]; /* a field with the lines that go on with it */
};

void import_date_take(struct import_date *d, struct span text);

/* What is known when all has come; 0 for nothing. */
uint64_t import_date_end(struct import_date *d);
