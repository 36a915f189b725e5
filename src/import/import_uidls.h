/* SPDX-License-Identifier: MIT */
/*
 * import_uidls.h - the UIDLs of a listing made such that RFC 1939 allows them and no two
 * messages have the same, as a maildrop must have them. Nearly always they are so already.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/moving.h"
#include "import/import_listing.h"

/* Which message, and what is wrong with its UIDL, for the operator. text lives for the call. */
typedef void import_uidls_remark(void *ctx, size_t number, const char *text);

/*
 * Fills v, of l->n messages, with UIDL, name and arrival, and ret_index with which of the
 * listing's each is; returns how many there are, or -ENOMEM.
 *
 *	a UIDL of more than 70 octets, or with others than 0x21 to 0x7E    '~' and a digest
 *	the second and later ones with the same UIDL         '~' and a digest with its number
 *	none, because no client has seen it        its file's name, or '~' and a digest of it;
 *	                                              left out when it is in its place already
 *
 * They come out the same each time. text holds them: free it after v.
 */
ssize_t import_uidls(const struct import_listing *l, bool in_place, struct buf *text,
		     struct moving_message *v, size_t *ret_index, import_uidls_remark *remark,
		     void *ctx);
