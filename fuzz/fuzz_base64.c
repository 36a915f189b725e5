/* SPDX-License-Identifier: MIT */
/*
 * Any octets: what decodes encodes to the same again, as there is only one way to
 * write it, and what encodes decodes to the same again.
 */
#include "codec/sasl/base64.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span in = span_of((const char *)data, size);
	const size_t cap = BASE64_ENCODED(size) + 1;
	struct out decoded = {.p = malloc(cap), .cap = cap};
	struct out encoded = {.p = malloc(cap), .cap = BASE64_ENCODED(size)};

	fuzz_need(decoded.p != NULL && encoded.p != NULL);
	fuzz_need(base64_encode(&encoded, in) && encoded.n == BASE64_ENCODED(size));
	fuzz_need(base64_decode(&decoded, out_span(&encoded)) == BASE64_OK);
	fuzz_need(span_eq(out_span(&decoded), in));

	decoded.n = 0;
	decoded.cap = BASE64_DECODED(size);
	if (base64_decode(&decoded, in) == BASE64_OK) {
		encoded.n = 0;
		fuzz_need(base64_encode(&encoded, out_span(&decoded)));
		fuzz_need(span_eq(out_span(&encoded), in));
		if (decoded.n > 0) {
			/* One octet less is no room, and nothing is written. */
			encoded = (struct out){.p = encoded.p, .cap = decoded.n - 1};
			fuzz_need(base64_decode(&encoded, in) == BASE64_NO_ROOM);
			fuzz_need(encoded.n == 0);
		}
	} else {
		fuzz_need(decoded.n == 0);
	}
	free(decoded.p);
	free(encoded.p);
	return 0;
}
