/* SPDX-License-Identifier: MIT */
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* The octets of a code point, by RFC 3629's pattern of bits, also where it must not be. */
static size_t encode(uint32_t c, char *to)
{
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0x40; c < 0x200000; c++) {
		char octets[5] = {0};
		const size_t n = encode(c, octets);
		const bool good = c >= 0x80 && c < 0x110000 && !(c >= 0xd800 && c < 0xe000);

		octets[n] = 'x';
		if (utf8_length(span_of(octets, 5)) != (good ? n : 0))
			fail_msg("U+%04X", c);
		assert_int_equal(utf8_length(span_of(octets, n - 1)), 0);
		assert_int_equal(utf8_valid(span_of(octets, n)), good);
	}
}

static void strings(void **state)
{
	static const struct {
		struct span text;
		bool valid;
	} cases[] = {
		{SPAN_LIT(""), true},
		{SPAN_LIT("abc\0\x7f"), true},
		{SPAN_LIT("gr\xc3\xbcn \xe6\x97\xa5\xf0\x9f\x93\xae"), true},
		{SPAN_LIT("gr\xfcn"), false},
		{SPAN_LIT("\xc3"), false},
		{SPAN_LIT("\xe6\x97"), false},
		{SPAN_LIT("\xe6\x97x"), false},
		{SPAN_LIT("\x80"), false},
		{SPAN_LIT("\xc0\xaf"), false},
		{SPAN_LIT("\xe0\x80\xaf"), false},
		{SPAN_LIT("\xff"), false},
	};

	(void)state;
	assert_int_equal(utf8_length(SPAN_LIT("a\xc3\xbc")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(utf8_valid(cases[i].text), cases[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
