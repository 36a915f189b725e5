/* SPDX-License-Identifier: MIT */
/*
 * Dovecot's POP3 lists messages with an order of their own first, by that, and then the
 * others, by UID. The UIDL is the message's own, or made by pop3_uidl_format; %f is the name up to
 * the flags, and %g the same where the list has no GUID.
 */
#include <errno.h>

#include "import/dovecot_format.h"
#include "import/dovecot_uidlist.h"
#include "import/import_maildir.h"

/* Orders are small numbers in practice; with the UID behind them they leave a bit free. */
#define ORDER_NONE (UINT64_C(1) << 31)
#define UIDL_ROOM 512

static int set_uidl(struct import_listing *l, size_t i, const struct dovecot_uidlist *list,
		    const struct dovecot_record *rec, const char *format, struct err *err)
{
	const struct dovecot_values values = {
		.uid = rec->uid,
		.uid_validity = list->uid_validity,
		.filename = rec->name,
		.guid = rec->guid.n > 0 ? rec->guid : rec->name,
	};
	char text[UIDL_ROOM];
	struct out out = {.p = text, .cap = sizeof(text)};
	int r;

	if (rec->has_pop3_uidl)
		r = import_listing_set_uidl(l, i,
					    rec->pop3_uidl.n > 0 ? rec->pop3_uidl : rec->name);
	else if (!dovecot_format(format, &values, &out, err))
		return -EINVAL;
	else
		r = import_listing_set_uidl(l, i, out_span(&out));
	if (r < 0)
		return err_sys(err, -r, "cannot list the messages");
	l->v[i].order = rec->uid | (rec->has_pop3_order && rec->pop3_order < ORDER_NONE
					    ? (uint64_t)rec->pop3_order << 32
					    : (ORDER_NONE - 1) << 32);
	return 0;
}

static int apply(struct import_listing *l, struct span file, const char *path,
		 const char *uidl_format, struct err *err)
{
	struct dovecot_uidlist list;
	struct dovecot_record rec;
	enum dovecot_status status;
	struct err why;

	if (!dovecot_uidlist_open(&list, file, &why))
		return err_set(err, EBADMSG, "%s:1: %s", path, why.text);
	/* Of two lines for a file the later one counts, as it does for Dovecot. */
	while ((status = dovecot_uidlist_next(&list, &rec, &why)) == DOVECOT_RECORD) {
		const size_t i = import_maildir_find(l, rec.name);
		const int r = i < l->n ? set_uidl(l, i, &list, &rec, uidl_format, err) : 0;

		if (r < 0)
			return r;
	}
	if (status == DOVECOT_BAD)
		return err_set(err, EBADMSG, "%s:%u: %s", path, list.line, why.text);
	return 0;
}

static const struct import_flavour flavour = {.list_file = "dovecot-uidlist", .apply = apply};

int import_dovecot_open(const struct import_place *place, const char *uidl_format,
			struct import_source **ret_source, struct err *err)
{
	const struct dovecot_values some = {
		.uid = 1, .uid_validity = 1, .filename = SPAN_LIT("f"), .guid = SPAN_LIT("g")};
	char text[UIDL_ROOM];
	struct out out = {.p = text, .cap = sizeof(text)};

	/* Said before anybody's mail is looked at. */
	if (!dovecot_format(uidl_format, &some, &out, err))
		return -EINVAL;
	return import_maildir_open(place, &flavour, uidl_format, ret_source, err);
}
