/* SPDX-License-Identifier: MIT */
/*
 * Another program's list of what it has fetched: UIDLs lie in the file, are not empty and go
 * over no line. The first octet says whose it is.
 */
#include "fuzz.h"

#include "client/foreign_seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct foreign_seen s = {.user = "alice", .host = "pop.example.org"};
	struct span text;
	struct span uidl;

	if (size == 0)
		return 0;
	text = fuzz_copy(span_of((const char *)data + 1, size - 1));
	s.program = (enum foreign_program)(data[0] % FOREIGN_PROGRAMS);
	s.left = text;
	while (foreign_seen_next(&s, &uidl)) {
		fuzz_need_inside(uidl, text);
		fuzz_need(uidl.n > 0 && span_find(uidl, '\n') == uidl.n);
	}
	fuzz_need(s.left.n == 0);
	fuzz_free(text);
	return 0;
}
