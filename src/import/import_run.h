/* SPDX-License-Identifier: MIT */
/*
 * import_run.h - moves one user's mail from an old server into the maildrop, with UIDLs
 * and order. What was moved already isn't again, however often it is run and however it
 * ended the last time; so a first run may take its time while the old server still
 * works, and the last one brings what is new.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "store/store.h"
#include "import/import_source.h"

struct import_job {
	struct store *store;
	struct store_owner owner;
	struct import_source *source;
	bool dry_run;     /* says what would be done, and touches nothing */
	bool remove_gone; /* what was brought, and is gone from the old server, goes here too */
	void (*remark)(void *ctx, const char *text); /* may not be NULL */
	void *ctx;
};

struct import_result {
	bool in_place;  /* the old server's Maildir is the maildrop: only UIDLs were written */
	size_t listed;  /* by the old server */
	size_t here;    /* were here before */
	size_t brought; /* with dry_run: would be */
	size_t deleted; /* were brought once, and deleted here since: not again */
	size_t gone;    /* were brought once, are here, and gone from the old server */
	size_t failed;  /* couldn't be read there; each was remarked */
};

/*
 * 0, also when some messages failed: the others are here. -EBUSY: somebody is logged in;
 * otherwise as disk, network and source say, and it can be run again.
 */
int import_run(const struct import_job *job, struct import_result *ret_result, struct err *err);
