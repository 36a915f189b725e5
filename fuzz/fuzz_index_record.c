/* SPDX-License-Identifier: MIT */
/*
 * A header or a record of an index that somebody tampered with: what is believed
 * is exactly what an encoder writes. One octet of choice: header or record, with
 * the checksum that is there or with the right one (which search would never find).
 */
#include "codec/index/index_record.h"
#include "fuzz.h"

static void seal(char *p)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < 124; i += 8) {
		uint64_t word = 0;

		for (unsigned j = 0; j < 8 && i + j < 124; j++)
			word |= (uint64_t)(unsigned char)p[i + j] << (8 * j);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	h ^= h >> 32;
	for (unsigned j = 0; j < 4; j++)
		p[124 + j] = (char)(unsigned char)(h >> (8 * j));
}

static void check_record(const char *octets)
{
	struct index_record r;
	char again[INDEX_RECORD_SIZE];

	if (!index_record_decode(octets, &r))
		return;
	fuzz_need(index_uidl_valid(index_record_uidl(&r)));
	fuzz_need(span_find(index_record_name(&r), '/') == r.name_len);
	index_record_encode(&r, again);
	fuzz_need(memcmp(octets, again, sizeof(again)) == 0);
}

static void check_header(const char *octets)
{
	struct index_header h;
	char again[INDEX_HEADER_SIZE];

	if (!index_header_decode(octets, &h))
		return;
	fuzz_need(h.count <= INDEX_COUNT_MAX);
	index_header_encode(&h, again);
	fuzz_need(memcmp(octets, again, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const uint8_t choice = fuzz_choice(&in);
	char octets[INDEX_RECORD_SIZE] = {0};

	_Static_assert(INDEX_RECORD_SIZE == INDEX_HEADER_SIZE, "one array serves both");
	if (in.n > sizeof(octets))
		return 0;
	if (in.n > 0)
		memcpy(octets, in.p, in.n);
	if (choice & 2)
		seal(octets);
	(choice & 1 ? check_header : check_record)(octets);
	return 0;
}
