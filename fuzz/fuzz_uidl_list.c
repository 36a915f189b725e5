/* SPDX-License-Identifier: MIT */
/*
 * A restante.uidl, whatever is in it: it is whole or nothing of it is believed; its UIDLs are
 * such as RFC 1939 allows, its names lead nowhere; and written again, its lines are the same.
 */
#include "fuzz.h"

#include "codec/index/index_record.h"
#include "store/uidl_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span file = fuzz_copy(span_of((const char *)data, size));
	struct uidl_list l;
	struct span uidl;
	struct span name;
	struct buf again;
	uint32_t count;

	if (!uidl_list_open(&l, file)) {
		fuzz_free(file);
		return 0;
	}
	count = l.left;
	fuzz_need(uidl_list_begin(&again) == 0);
	for (uint32_t i = 0; i < count; i++) {
		fuzz_need(uidl_list_next(&l, &uidl, &name));
		fuzz_need_inside(uidl, file);
		fuzz_need_inside(name, file);
		fuzz_need(index_uidl_valid(uidl));
		fuzz_need(name.n > 0 && name.p[0] != '.' && span_find(name, '/') == name.n);
		fuzz_need(uidl_list_put(&again, uidl, name) == 0);
	}
	fuzz_need(!uidl_list_next(&l, &uidl, &name));
	fuzz_need(again.n < file.n && memcmp(again.p, file.p, again.n) == 0);
	fuzz_need(uidl_list_end(&again, count) == 0);
	fuzz_need(uidl_list_open(&l, buf_span(&again)) && l.left == count);
	/* One octet less is not a whole list. */
	fuzz_need(!uidl_list_open(&l, span_of(file.p, file.n - 1)));
	buf_done(&again);
	fuzz_free(file);
	return 0;
}
