/* SPDX-License-Identifier: MIT */
/*
 * import_seen.h - tells the state what another program has fetched for an account.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "client/foreign_config.h"
#include "client/state.h"

struct import_seen {
	size_t imported; /* UIDLs that are remembered now */
	size_t known;    /* that were remembered already */
	size_t too_long; /* that restante would know by another name */
};

/* Remembers what a->seen_file has for this account. -ENOENT: there is no such file. */
int import_seen(struct state *s, enum foreign_program program, const struct foreign_account *a,
		struct import_seen *ret_seen, struct err *err);
