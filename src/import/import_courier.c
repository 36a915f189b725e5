/* SPDX-License-Identifier: MIT */
/*
 * Courier's POP3 lists messages by the seconds that their names begin with, and then by
 * name, whatever its file says.
 */
#include <errno.h>

#include "import/courier_list.h"
#include "import/import_maildir.h"

static int apply(struct import_listing *l, struct span file, const char *path,
		 const char *uidl_format, struct err *err)
{
	struct courier_list list;
	struct courier_record rec;
	enum courier_status status;
	struct err why;

	(void)uidl_format;
	if (!courier_list_open(&list, file, &why))
		return err_set(err, EBADMSG, "%s:1: %s", path, why.text);
	for (size_t i = 0; i < l->n; i++)
		l->v[i].order = import_maildir_seconds(import_name(l, &l->v[i]));
	while ((status = courier_list_next(&list, &rec, &why)) == COURIER_RECORD) {
		const size_t i = import_maildir_find(l, rec.name);
		char text[3 * 255];
		struct out out = {.p = text, .cap = sizeof(text)};
		int r = 0;

		if (i < l->n && courier_uidl(&rec, &out))
			r = import_listing_set_uidl(l, i, out_span(&out));
		if (r < 0)
			return err_sys(err, -r, "cannot list the messages");
	}
	if (status == COURIER_BAD)
		return err_set(err, EBADMSG, "%s:%u: %s", path, list.line, why.text);
	return 0;
}

static const struct import_flavour flavour = {.list_file = "courierpop3dsizelist", .apply = apply};

int import_courier_open(const struct import_place *place, struct import_source **ret_source,
			struct err *err)
{
	return import_maildir_open(place, &flavour, NULL, ret_source, err);
}
