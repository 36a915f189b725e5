/* SPDX-License-Identifier: MIT */
#include "client/pin.h"

#include "client_help.h"

#define ZEROS "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ONES "sha256////////////////////////////////////////////8="

static void lists(void **state)
{
	static const char *const good[] = {"", ZEROS, ONES, ZEROS ";" ONES};
	static const char *const bad[] = {
		"x",
		";",
		ZEROS ";",
		";" ZEROS,
		ZEROS " ",
		ZEROS "," ONES,
		"sha256//AAAA",
		"sha1////AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(pin_check(span_str(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(pin_check(span_str(bad[i])));
}

static void digests(void **state)
{
	uint8_t zeros[PIN_OCTETS] = {0};
	uint8_t ones[PIN_OCTETS];
	char text[PIN_TEXT_MAX];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_true(pin_has(span_str(ZEROS), zeros));
	assert_false(pin_has(span_str(ZEROS), ones));
	assert_true(pin_has(span_str(ZEROS ";" ONES), ones));
	assert_false(pin_has(span_str(""), zeros));
	zeros[31] = 1;
	assert_false(pin_has(span_str(ZEROS ";" ONES), zeros));
	pin_text(ones, text);
	assert_string_equal(text, ONES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(digests)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
