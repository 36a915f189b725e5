/* SPDX-License-Identifier: MIT */
/*
 * dovecot_uidlist.h - Dovecot's file dovecot-uidlist in a Maildir: which UID each message
 * has, and for those that came from another server also its POP3 UIDL and place.
 *
 *	1 UIDVALIDITY NEXT-UID			version 1, Dovecot 1.0 and Courier IMAP
 *	UID NAME
 *
 *	3 VUIDVALIDITY NNEXT-UID GGUID		version 3, since Dovecot 1.1
 *	UID KEYvalue KEYvalue :NAME
 *
 * Octets in memory, no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct dovecot_uidlist {
	uint32_t uid_validity;
	unsigned version;
	unsigned line; /* of the file, that was read last */
	uint32_t _last_uid;
	struct span _rest;
};

/* Spans borrow from the file. */
struct dovecot_record {
	uint32_t uid;
	struct span name; /* without info */
	bool has_pop3_uidl;
	struct span pop3_uidl; /* P: empty means the name */
	bool has_pop3_order;
	uint32_t pop3_order; /* O */
	struct span guid;    /* G; empty: none */
};

enum dovecot_status { DOVECOT_RECORD, DOVECOT_END, DOVECOT_BAD };

/* False for a header that isn't one, with *err saying what is wrong with it. */
bool dovecot_uidlist_open(struct dovecot_uidlist *l, struct span file, struct err *err);

/*
 * The next record, in the order of UIDs. A last line without its end is none yet: Dovecot
 * is writing it. On DOVECOT_BAD *err says what is wrong with line number l->line.
 */
enum dovecot_status dovecot_uidlist_next(struct dovecot_uidlist *l, struct dovecot_record *ret,
					 struct err *err);
