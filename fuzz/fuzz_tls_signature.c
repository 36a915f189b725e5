/* SPDX-License-Identifier: MIT */
/*
 * What a listener that was taken over wants to have signed: version and scheme, then the
 * octets. What is let through is exactly what the RFCs say a server signs, and that is built
 * here anew from the few octets of it that are free.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 8446 section 4.4.3: all but the hash at its end. */
static bool is_verify(const uint8_t *p, size_t n)
{
	uint8_t text[98];

	memset(text, ' ', 64);
	memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
	return (n == 130 || n == 146) && memcmp(p, text, 98) == 0;
}

/* RFC 8422 section 5.4: all but randoms and the point. */
static bool is_exchange(const uint8_t *p, size_t n)
{
	return (n == 100 && memcmp(p + 64, "\3\0\x1d\x20", 4) == 0) ||
	       (n == 133 && memcmp(p + 64, "\3\0\x17\x41", 4) == 0) ||
	       (n == 165 && memcmp(p + 64, "\3\0\x18\x61", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;

	const unsigned min_version = 12 + (data[0] & 1U);
	const uint32_t scheme = (uint32_t)data[1] << 8 | data[2];
	const size_t n = size - 3;
	/* Exactly as long as it came: a look behind its end is found by the sanitizer. */
	uint8_t *const octets = malloc(n == 0 ? 1 : n);
	const struct tls_signing what = {.scheme = scheme, .octets = octets, .n = n};
	const bool in_12 = (scheme >= 0x0401 && scheme <= 0x0603 && (scheme & 0xff) % 2 == 1 &&
			    (scheme & 0xff) <= 3) ||
			   (scheme >= 0x0804 && scheme <= 0x0807);
	const bool in_13 = in_12 && (scheme & 0xff) != 1;

	if (octets == NULL)
		return 0;
	memcpy(octets, data + 3, n);

	const bool wanted = (in_13 && is_verify(octets, n)) ||
			    (in_12 && min_version == 12 && is_exchange(octets, n));

	if (tls_signing_is_plausible(min_version, &what) != wanted)
		abort();
	free(octets);
	return 0;
}
