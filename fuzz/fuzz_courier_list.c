/* SPDX-License-Identifier: MIT */
/*
 * A courierpop3dsizelist, whatever is in it: names lie in the file and lead nowhere, UIDLs have
 * no octet that a line can't have, and what is wrong is said.
 */
#include "fuzz.h"

#include "import/courier_list.h"

static void check_uidl(const struct courier_record *r)
{
	char text[3 * 255];
	struct out out = {.p = text, .cap = sizeof(text)};
	struct out small = {.p = text, .cap = 4};

	fuzz_need(courier_uidl(r, &out) && out.n > 0);
	for (size_t i = 0; i < out.n; i++)
		fuzz_need(text[i] >= 0x21 && text[i] <= 0x7e);
	fuzz_need(courier_uidl(r, &small) || small.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span file = fuzz_copy(span_of((const char *)data, size));
	struct courier_list l;
	struct courier_record r;
	enum courier_status status;
	struct err err = {""};

	if (courier_list_open(&l, file, &err)) {
		while ((status = courier_list_next(&l, &r, &err)) == COURIER_RECORD) {
			fuzz_need_inside(r.name, file);
			fuzz_need(r.name.n > 0 && r.name.n <= 255);
			fuzz_need(span_find(r.name, '/') == r.name.n &&
				  span_find(r.name, ':') == r.name.n);
			check_uidl(&r);
		}
		fuzz_need((status == COURIER_BAD) == (err.text[0] != '\0'));
	} else {
		fuzz_need(err.text[0] != '\0');
	}
	fuzz_free(file);
	return 0;
}
