/* SPDX-License-Identifier: MIT */
/*
 * foreign_seen.h - the UIDLs of messages that another program has fetched:
 *
 *	fetchmail  .fetchids               USER@HOST UIDL
 *	mpop       .mpop_uidls/...         " NUMBER HOST USER", then a UIDL a line
 *	getmail    oldmail-HOST-PORT-USER  UIDL NUL TIME
 *	fdm        the account's cache     LENGTH UIDL
 */
#pragma once

#include "base/span.h"
#include "client/foreign_config.h"

struct foreign_seen {
	enum foreign_program program;
	const char *user; /* whose, where a file has those of several */
	const char *host;
	struct span left; /* the file. Borrowed */
	bool _ours;       /* mpop: the list that is being read is this one's */
};

/* The next UIDL, a part of the file and never empty. False at the end. */
bool foreign_seen_next(struct foreign_seen *s, struct span *ret_uidl);
