/* SPDX-License-Identifier: MIT */
/*
 * A message's header, whatever is in it: the date is the same however it is cut, and from
 * the header alone.
 */
#include "fuzz.h"

#include "import/import_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random r = {._state = fuzz_choice(&in)};
	const struct span all = fuzz_copy(in);
	struct span rest = all;
	struct import_date whole = {0};
	struct import_date cut = {0};
	uint64_t seconds = 0;

	import_date_take(&whole, all);
	while (rest.n > 0) {
		const size_t n = fuzz_length(&r, rest.n);

		import_date_take(&cut, span_of(rest.p, n));
		span_skip(&rest, n);
	}
	fuzz_need(import_date_end(&whole) == import_date_end(&cut));
	if (!import_date_parse(all, &seconds))
		fuzz_need(seconds == 0);
	fuzz_free(all);
	return 0;
}
