/* SPDX-License-Identifier: MIT */
/*
 * qmail-pop3d lists messages by their files' times, and its UIDL is the name up to the
 * flags. Of files that have the same time it lists first which happens to come first in
 * its heap; here it is the name that decides.
 */
#include <errno.h>

#include "import/import_maildir.h"

static int apply(struct import_listing *l, struct span file, const char *path,
		 const char *uidl_format, struct err *err)
{
	int r = 0;

	(void)file;
	(void)path;
	(void)uidl_format;
	for (size_t i = 0; i < l->n && r == 0; i++) {
		l->v[i].order = l->v[i].arrived;
		/* UIDLs move the memory in which names are. */
		char name[255];
		const struct span is = import_name(l, &l->v[i]);

		memcpy(name, is.p, is.n);
		r = import_listing_set_uidl(l, i, span_of(name, is.n));
	}
	return r < 0 ? err_sys(err, -r, "cannot list the messages") : 0;
}

static const struct import_flavour flavour = {.apply = apply};

int import_qmail_open(const struct import_place *place, struct import_source **ret_source,
		      struct err *err)
{
	return import_maildir_open(place, &flavour, NULL, ret_source, err);
}
