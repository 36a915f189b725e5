/* SPDX-License-Identifier: MIT */
#include "store/uidl_digest.h"

#include <openssl/evp.h>
#include <stdint.h>

bool uidl_digest(struct span s, char *out)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t sum[32];

	if (EVP_Digest(s.p, s.n, sum, NULL, EVP_sha256(), NULL) != 1)
		return false;

	/* 160 bits in base32: four times five octets as eight characters. */
	*out++ = '~';
	for (size_t group = 0; group < 4; group++) {
		uint64_t bits = 0;

		for (size_t i = 0; i < 5; i++)
			bits = bits << 8 | sum[group * 5 + i];
		for (int shift = 35; shift >= 0; shift -= 5)
			*out++ = digits[bits >> shift & 31];
	}
	return true;
}
