/* SPDX-License-Identifier: MIT */
/*
 * A dovecot-uidlist, whatever is in it: records lie in the file, UIDs rise, names lead
 * nowhere, and what is wrong is said. The first line is a pop3_uidl_format.
 */
#include "fuzz.h"

#include "import/dovecot_format.h"
#include "import/dovecot_uidlist.h"

static void check_format(const char *format, const struct dovecot_uidlist *l,
			 const struct dovecot_record *r)
{
	const struct dovecot_values values = {.uid = r->uid,
					      .uid_validity = l->uid_validity,
					      .filename = r->name,
					      .guid = r->guid};
	char text[300];
	struct out out = {.p = text, .cap = sizeof(text)};
	struct out small = {.p = text, .cap = 5};
	struct err err = {""};

	if (dovecot_format(format, &values, &out, &err))
		fuzz_need(out.n > 0 && err.text[0] == '\0');
	else
		fuzz_need(out.n == 0 && err.text[0] != '\0');
	(void)dovecot_format(format, &values, &small, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const size_t n = span_find(in, '\n');
	char format[64] = "";
	struct dovecot_uidlist l;
	struct dovecot_record r;
	enum dovecot_status status;
	struct err err = {""};
	uint32_t last = 0;

	if (n < sizeof(format) && n < in.n) {
		memcpy(format, in.p, n);
		span_skip(&in, n + 1);
	}

	const struct span file = fuzz_copy(in);

	if (dovecot_uidlist_open(&l, file, &err)) {
		fuzz_need(l.uid_validity != 0);
		while ((status = dovecot_uidlist_next(&l, &r, &err)) == DOVECOT_RECORD) {
			fuzz_need(r.uid > last && r.name.n > 0 && r.name.n <= 255);
			fuzz_need(span_find(r.name, '/') == r.name.n &&
				  span_find(r.name, ':') == r.name.n);
			fuzz_need_inside(r.name, file);
			fuzz_need_inside(r.pop3_uidl, file);
			fuzz_need_inside(r.guid, file);
			check_format(format, &l, &r);
			last = r.uid;
		}
		fuzz_need((status == DOVECOT_BAD) == (err.text[0] != '\0'));
	} else {
		fuzz_need(err.text[0] != '\0');
	}
	fuzz_free(file);
	return 0;
}
