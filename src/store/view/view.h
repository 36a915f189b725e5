/* SPDX-License-Identifier: MIT */
/*
 * view.h - maildrops that are seen otherwise than they are: with messages hidden that
 * were deleted, with several folders as one, with the newest messages only, and each of
 * several devices with a view of its own. One implementation over every driver.
 */
#pragma once

#include "store/store_priv.h"

/* Do these rules ask for more than the maildrop itself? */
bool view_wanted(const struct maildrop_rules *rules);

/* As store_expire(). */
int view_expire(struct store *s, const struct store_owner *owner, uint64_t before,
		uint32_t *ret_removed, struct err *err);

/* Have there been views of this maildrop? */
bool view_is_in_use(struct store *s, const struct store_owner *owner);

/* As maildrop_open(). */
int view_open(struct store *s, const struct store_owner *owner, struct maildrop **ret_maildrop,
	      struct err *err);
