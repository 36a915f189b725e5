/* SPDX-License-Identifier: MIT */
/*
 * A line of a server's answer: what is taken for one is written again as it was.
 */
#include "codec/smtp/smtp_answer.h"
#include "base/out.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span line = fuzz_copy(span_of((const char *)data, size));
	struct smtp_answer a;

	if (smtp_answer_line(line, &a)) {
		char code[8];
		struct out out = {.p = code, .cap = sizeof(code)};

		fuzz_need_inside(a.text, line);
		fuzz_need(a.code >= 200 && a.code <= 599);
		fuzz_need(out_u64(&out, a.code) &&
			  (line.n == 3 || out_char(&out, a.more ? '-' : ' ')));
		fuzz_need(line.n == out.n + a.text.n && memcmp(line.p, code, out.n) == 0);
		fuzz_need(!smtp_answer_announces(a.text, SPAN_LIT("8BITMIME")) || a.text.n >= 8);
	}
	fuzz_free(line);
	return 0;
}
