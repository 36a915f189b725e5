/* SPDX-License-Identifier: MIT */
/*
 * pop3_listing.h - what a client reads out of the lines of STAT, LIST and UIDL (RFC
 * 1939 sections 5 and 7): the text of a POP3_CLIENT_OK to a command with a number, or
 * of a POP3_CLIENT_LINE.
 *
 * Spaces and tabs may stand before, between and after the numbers, more than one too.
 * False, and nothing set, for a line that says something else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* "2 320", to STAT; anything may follow. */
bool pop3_listing_stat(struct span text, uint32_t *ret_count, uint64_t *ret_octets);

/*
 * "1 120", of LIST; anything may follow (RFC 1939 section 5 lets servers add to a
 * scan listing). The number is from 1.
 */
bool pop3_listing_size(struct span line, uint32_t *ret_number, uint64_t *ret_octets);

/*
 * "1 whqtswO00WBw418f9t5JxYwZ", of UIDL. The UIDL is what follows the number and
 * spaces, without spaces at its end: of any length and any octets, spaces inside
 * too, because servers send such ones and a client only compares them. Empty when the
 * server gave none.
 */
bool pop3_listing_uidl(struct span line, uint32_t *ret_number, struct span *ret_uidl);
