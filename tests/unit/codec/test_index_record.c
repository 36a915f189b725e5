/* SPDX-License-Identifier: MIT */
#include "codec/index/index_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct index_header header = {
	.count = 3,
	.octets = UINT64_C(0x1122334455667788),
	.dirs = {{UINT64_C(0x0102030405060708), UINT64_C(0xa1a2a3a4a5a6a7a8)},
		 {UINT64_C(0x8877665544332211), UINT64_C(0xb1b2b3b4b5b6b7b8)}},
	.made_ns = UINT64_C(0xfedcba9876543210),
	.boot = UINT64_C(0xc1c2c3c4c5c6c7c8),
};

static const struct index_record record = {
	.octets = UINT64_C(5000000000),
	.bytes = UINT64_C(0x8000000000000001),
	.flags = INDEX_IN_CUR | INDEX_NAME_DERIVED,
	.uidl_len = 3,
	.name_len = 6,
	.text = "uid:2,S=1",
};

/* The format on disk, octet for octet: an index outlives the program that wrote it. */
static void known_octets(void **state)
{
	static const char header_octets[] = "rstidx\r\n"
					    "\x01\0\0\0\x03\0\0\0"
					    "\x88\x77\x66\x55\x44\x33\x22\x11"
					    "\x08\x07\x06\x05\x04\x03\x02\x01"
					    "\x11\x22\x33\x44\x55\x66\x77\x88"
					    "\x10\x32\x54\x76\x98\xba\xdc\xfe"
					    "\xa8\xa7\xa6\xa5\xa4\xa3\xa2\xa1"
					    "\xb8\xb7\xb6\xb5\xb4\xb3\xb2\xb1"
					    "\xc8\xc7\xc6\xc5\xc4\xc3\xc2\xc1";
	static const char record_octets[] = "\0\xf2\x05\x2a\x01\0\0\0"
					    "\x01\0\0\0\0\0\0\x80"
					    "\x41\0\0\0"
					    "\x03\x06\0\0"
					    "uid:2,S=1";
	char want[128] = {0}, got[128];

	(void)state;
	memcpy(want, header_octets, sizeof(header_octets) - 1);
	memcpy(want + 124, "\xd7\xfb\xdd\xc1", 4);
	index_header_encode(&header, got);
	assert_memory_equal(got, want, 128);

	memset(want, 0, sizeof(want));
	memcpy(want, record_octets, sizeof(record_octets) - 1);
	memcpy(want + 124, "\xdc\x67\xed\xea", 4);
	index_record_encode(&record, got);
	assert_memory_equal(got, want, 128);
}

static void round_trips(void **state)
{
	char octets[128];
	struct index_header h;
	struct index_record r;

	(void)state;
	index_header_encode(&header, octets);
	assert_true(index_header_decode(octets, &h));
	assert_int_equal(h.count, header.count);
	assert_int_equal(h.octets, header.octets);
	assert_true(index_mark_eq(h.dirs[0], header.dirs[0]));
	assert_true(index_mark_eq(h.dirs[1], header.dirs[1]));
	assert_false(index_mark_eq(h.dirs[0], header.dirs[1]));
	assert_int_equal(h.made_ns, header.made_ns);
	assert_int_equal(h.boot, header.boot);
	assert_int_equal(h.growth, 0);

	index_record_encode(&record, octets);
	assert_true(index_record_decode(octets, &r));
	assert_int_equal(r.octets, record.octets);
	assert_int_equal(r.bytes, record.bytes);
	assert_int_equal(r.flags, record.flags);
	assert_true(span_eq(index_record_uidl(&r), SPAN_LIT("uid")));
	assert_true(span_eq(index_record_name(&r), SPAN_LIT(":2,S=1")));
}

/* No octet can change, to any other value, and still be believed. */
static void any_damage_is_noticed(void **state)
{
	char h[128], r[128];
	struct index_header h_out = {.count = 77};
	struct index_record r_out = {.octets = 77};

	(void)state;
	index_header_encode(&header, h);
	index_record_encode(&record, r);
	for (size_t i = 0; i < 128; i++) {
		for (unsigned change = 1; change < 256; change++) {
			h[i] = (char)(h[i] ^ (char)change);
			r[i] = (char)(r[i] ^ (char)change);
			assert_false(index_header_decode(h, &h_out));
			assert_false(index_record_decode(r, &r_out));
			h[i] = (char)(h[i] ^ (char)change);
			r[i] = (char)(r[i] ^ (char)change);
		}
	}
	assert_int_equal(h_out.count, 77);
	assert_int_equal(r_out.octets, 77);
}

static void a_hole_in_the_file_is_no_record(void **state)
{
	const char zeros[128] = {0};
	struct index_header h;
	struct index_record r;

	(void)state;
	assert_false(index_header_decode(zeros, &h));
	assert_false(index_record_decode(zeros, &r));
}

/*
 * Writes the checksum that belongs to what stands before it: what a liar would do
 * who can write to a maildrop.
 */
static void seal(unsigned char *p)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < 124; i += 8) {
		uint64_t word = 0;

		for (unsigned j = 0; j < 8 && i + j < 124; j++)
			word |= (uint64_t)p[i + j] << (8 * j);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	h ^= h >> 32;
	for (unsigned j = 0; j < 4; j++)
		p[124 + j] = (unsigned char)(h >> (8 * j));
}

/* What is sealed and can't be: each row changes one thing of a good one. */
static const struct {
	unsigned at;
	unsigned char octet;
	bool header, good;
} lies[] = {
	{8, 2, true, false},      /* version */
	{0, 'R', true, false},    /* magic */
	{15, 0x7f, true, true},   /* count 0x7f000003 */
	{15, 0x80, true, false},  /* count past INDEX_COUNT_MAX */
	{72, 1, true, true},      /* there are views */
	{72, 2, true, false},     /* more than yes */
	{76, 3, true, true},      /* all are away */
	{76, 4, true, false},     /* more than there are */
	{80, 1, true, true},      /* growth */
	{88, 1, true, false},     /* behind the fields */
	{123, 1, true, false},    /* the last octet before the checksum */
	{16, 0xff, false, true},  /* all flags there are */
	{17, 1, false, true},     /* and the ninth */
	{17, 4, false, false},    /* one more */
	{19, 0x80, false, false}, /* the highest */
	{20, 0, false, false},    /* no UIDL */
	{20, 1, false, false},    /* a shorter UIDL, and so text behind the name */
	{20, 4, false, false},    /* a longer UIDL, and so a NUL in the name */
	{21, 5, false, false},    /* a shorter name */
	{21, 97, false, false},   /* 100 octets with NULs */
	{21, 98, false, false},   /* more than there is room for */
	{21, 255, false, false},  /* the lengths' sum wraps in 8 bits */
	{22, 1, false, false},    /* between the fields */
	{23, 1, false, false},    {24, ' ', false, false}, /* the UIDL's alphabet */
	{24, 0x7f, false, false}, {24, 0x21, false, true},
	{26, 0x7e, false, true},  {26, 0x80, false, false},
	{28, '/', false, false}, /* the name would be a path */
	{28, 0, false, false},    {28, 0xff, false, true},
	{33, 1, false, false}, /* behind the name */
	{123, 1, false, false},
};

static void sealed_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		unsigned char octets[128];
		struct index_header h;
		struct index_record r;
		bool good;

		if (lies[i].header)
			index_header_encode(&header, (char *)octets);
		else
			index_record_encode(&record, (char *)octets);
		octets[lies[i].at] = lies[i].octet;
		seal(octets);
		good = lies[i].header ? index_header_decode((char *)octets, &h)
				      : index_record_decode((char *)octets, &r);
		if (good != lies[i].good)
			fail_msg("row %zu is %s", i, good ? "believed" : "refused");
	}
}

/* How much longer a message is when it is downgraded: only of one that is, in both directions. */
static void growth(void **state)
{
	static const int16_t values[] = {0, 1, 14, -1, -5000, INT16_MAX, -INT16_MAX};
	char octets[128];
	struct index_header h = header;
	struct index_record r = record;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct index_header h_again;
		struct index_record r_again;

		h.growth = values[i] * INT64_C(1000000000000);
		index_header_encode(&h, octets);
		assert_true(index_header_decode(octets, &h_again));
		assert_int_equal(h_again.growth, h.growth);
		r.flags = record.flags | INDEX_UTF8_HEADER;
		r.growth = values[i];
		index_record_encode(&r, octets);
		assert_true(index_record_decode(octets, &r_again));
		assert_int_equal(r_again.growth, values[i]);
		assert_int_equal(r_again.flags, r.flags);
	}

	/* It stands where zeros stood: an index from before is one without such messages. */
	r.growth = 0x0102;
	index_record_encode(&r, octets);
	assert_memory_equal(octets + 22, "\x02\x01", 2);
	h.growth = 3;
	index_header_encode(&h, octets);
	assert_memory_equal(octets + 72, "\0\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 16);
}

static void the_longest_texts(void **state)
{
	struct index_record r = {.uidl_len = LIMIT_UIDL, .name_len = INDEX_TEXT_MAX - LIMIT_UIDL};
	struct index_record back;
	char octets[128];

	(void)state;
	memset(r.text, 'x', sizeof(r.text));
	index_record_encode(&r, octets);
	assert_true(index_record_decode(octets, &back));
	assert_memory_equal(back.text, r.text, sizeof(r.text));

	/* A name that stands elsewhere, or that is the UIDL, has no text of its own. */
	r = (struct index_record){.uidl_len = 1, .text = "u", .flags = INDEX_NAME_ELSEWHERE};
	index_record_encode(&r, octets);
	assert_true(index_record_decode(octets, &back));
	assert_int_equal(index_record_name(&back).n, 0);
}

static void uidls(void **state)
{
	char longest[LIMIT_UIDL + 1];

	(void)state;
	memset(longest, '~', sizeof(longest));
	assert_true(index_uidl_valid(span_of(longest, LIMIT_UIDL)));
	assert_false(index_uidl_valid(span_of(longest, LIMIT_UIDL + 1)));
	assert_false(index_uidl_valid(SPAN_LIT("")));
	for (unsigned c = 0; c < 256; c++) {
		const char text[2] = {'a', (char)c};

		assert_int_equal(index_uidl_valid(span_of(text, 2)), c >= 0x21 && c <= 0x7e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_octets),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(any_damage_is_noticed),
		cmocka_unit_test(a_hole_in_the_file_is_no_record),
		cmocka_unit_test(sealed_lies),
		cmocka_unit_test(growth),
		cmocka_unit_test(the_longest_texts),
		cmocka_unit_test(uidls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
