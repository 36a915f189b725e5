/* SPDX-License-Identifier: MIT */
/*
 * A line of an IMAP server's answer: its parts are parts of it, in order, and what ends a command
 * has its tag.
 */
#include "codec/imap/imap_answer.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span line = fuzz_copy(span_of((const char *)data, size));
	struct imap_answer a;

	if (imap_answer_line(line, SPAN_LIT("r1"), &a)) {
		fuzz_need_inside(a.code, line);
		fuzz_need_inside(a.text, line);
		fuzz_need(a.code.n == 0 || a.text.n == 0 || a.code.p + a.code.n < a.text.p);
		fuzz_need(a.kind < IMAP_OK ? line.p[0] == '*' || line.p[0] == '+'
					   : memcmp(line.p, "r1 ", 3) == 0);
		fuzz_need(!imap_answer_found(&a) || (a.kind == IMAP_UNTAGGED && a.text.n >= 8));
		fuzz_need(!imap_answer_has_code(&a, SPAN_LIT("LIMIT")) || a.code.n >= 5);
	}
	fuzz_free(line);
	return 0;
}
