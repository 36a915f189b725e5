/* SPDX-License-Identifier: MIT */
/*
 * courier_list.h - Courier's file courierpop3dsizelist in a Maildir: which UIDL its POP3
 * server gives to each message.
 *
 *	NAME SIZE			version 0: there is no header, the name is the UIDL
 *
 *	/1 NEXT				version 1: a number of its own for each, "UID7"
 *	NAME SIZE N
 *
 *	/2 NEXT UIDVALIDITY		version 2: and when numbers began, "UID7-1700000000"
 *	NAME SIZE N:UIDVALIDITY
 *
 *	/3 NEXT UIDVALIDITY		version 3, since 2016: and whether it has UTF-8 in its
 *header NAME SIZE N:UIDVALIDITY:UTF8
 *
 * A message that was there before numbers were has N 0, and keeps its name as UIDL; one that had
 *its number before UIDVALIDITY has that 0. Octets in memory, no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/out.h"
#include "base/span.h"

struct courier_list {
	unsigned version;
	unsigned line; /* of the file, that was read last */
	struct span _rest;
};

/* name borrows from the file. */
struct courier_record {
	struct span name; /* without info */
	uint64_t number;
	uint64_t uid_validity;
};

enum courier_status { COURIER_RECORD, COURIER_END, COURIER_BAD };

/* False for a header of a version that isn't known. */
bool courier_list_open(struct courier_list *l, struct span file, struct err *err);

/* On COURIER_BAD *err says what is wrong with line number l->line. */
enum courier_status courier_list_next(struct courier_list *l, struct courier_record *ret,
				      struct err *err);

/*
 * Appends the UIDL that Courier tells for it: for a name with octets that UIDLs may not
 * have, or quotes or '+', "+XX" for each of these. False: too little room.
 */
bool courier_uidl(const struct courier_record *r, struct out *out);
