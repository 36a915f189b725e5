/* SPDX-License-Identifier: MIT */
/*
 * import_maildir.h - a Maildir as a source. What an old server's own file beside new/ and
 * cur/ says about UIDLs and order is what its flavour knows.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "import/import_source.h"

/* A longer one isn't what it is called. */
#define IMPORT_LIST_FILE_MAX ((size_t)1 << 27)

struct import_flavour {
	const char *list_file; /* NULL: it has none */
	/*
	 * Gives the messages UIDLs, and each its place in order. file is the list's content (there
	 * is one), path its name for errors. Names are without info, and sorted.
	 */
	int (*apply)(struct import_listing *l, struct span file, const char *path,
		     const char *uidl_format, struct err *err);
};

int import_maildir_open(const struct import_place *place, const struct import_flavour *flavour,
			const char *uidl_format, struct import_source **ret_source,
			struct err *err);

/* The message of this name, of a listing that is sorted by names: its place, or l->n. */
size_t import_maildir_find(const struct import_listing *l, struct span name);

/* The seconds that a Maildir name begins with; 0 for none. */
uint64_t import_maildir_seconds(struct span name);
