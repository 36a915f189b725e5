/* SPDX-License-Identifier: MIT */
#include "codec/sasl/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

/* RFC 4648 section 10, and what uses every bit. */
static const struct {
	struct span plain, encoded;
} pairs[] = {
	{S(""), S("")},
	{S("f"), S("Zg==")},
	{S("fo"), S("Zm8=")},
	{S("foo"), S("Zm9v")},
	{S("foob"), S("Zm9vYg==")},
	{S("fooba"), S("Zm9vYmE=")},
	{S("foobar"), S("Zm9vYmFy")},
	{S("\0alice\0secret"), S("AGFsaWNlAHNlY3JldA==")},
	{S("\xff\xfe\xfd"), S("//79")},
	{S("\xfb\xef\xbe"), S("++++")},
	{S("\0\0\0"), S("AAAA")},
};

static void both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char memory[32] = "x";
		struct out out = {.p = memory, .n = 1, .cap = 1 + pairs[i].encoded.n};

		assert_int_equal(BASE64_ENCODED(pairs[i].plain.n), pairs[i].encoded.n);
		assert_true(BASE64_DECODED(pairs[i].encoded.n) >= pairs[i].plain.n);
		assert_true(base64_encode(&out, pairs[i].plain));
		assert_true(span_eq(span_of(memory + 1, out.n - 1), pairs[i].encoded));

		out = (struct out){.p = memory, .n = 1, .cap = 1 + pairs[i].plain.n};
		assert_int_equal(base64_decode(&out, pairs[i].encoded), BASE64_OK);
		assert_true(span_eq(span_of(memory + 1, out.n - 1), pairs[i].plain));
	}
}

static void without_room_there_is_nothing(void **state)
{
	(void)state;
	for (size_t i = 1; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char memory[32];

		for (size_t cap = 0; cap < pairs[i].encoded.n; cap++) {
			struct out out = {.p = memory, .cap = cap};

			assert_false(base64_encode(&out, pairs[i].plain));
			assert_int_equal(out.n, 0);
		}
		for (size_t cap = 0; cap < pairs[i].plain.n; cap++) {
			struct out out = {.p = memory, .cap = cap};

			assert_int_equal(base64_decode(&out, pairs[i].encoded), BASE64_NO_ROOM);
			assert_int_equal(out.n, 0);
		}
	}
}

/* Each octet value stands for six bits, or is refused, in each place of four. */
static void every_octet_in_every_place(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (unsigned place = 0; place < 4; place++) {
		for (unsigned c = 0; c < 256; c++) {
			char quad[4] = {'A', 'A', 'A', 'A'};
			char memory[3];
			struct out out = {.p = memory, .cap = sizeof(memory)};
			const char *hit = memchr(alphabet, (int)c, 64);
			enum base64_status want = hit != NULL ? BASE64_OK : BASE64_BAD;
			unsigned bits = 0;

			quad[place] = (char)c;
			if (place == 3 && c == '=')
				want = BASE64_OK;
			assert_int_equal(base64_decode(&out, span_of(quad, 4)), want);
			if (hit == NULL)
				continue;
			assert_int_equal(out.n, 3);
			for (unsigned i = 0; i < 3; i++)
				bits = bits << 8 | (unsigned char)memory[i];
			assert_int_equal(bits, (unsigned)(hit - alphabet) << (18 - 6 * place));
		}
	}
}

static void what_no_encoder_writes(void **state)
{
	static const struct span bad[] = {
		S("A"),
		S("AA"),
		S("AAA"),
		S("AAAAA"),
		S("="),
		S("===="),
		S("A==="),
		S("=AAA"),
		S("A=AA"),
		S("AA=A"),
		S("Zg==Zg=="),
		S("Zg=="
		  "="),
		S("Zm9v\n"),
		S("Zm9v\r\n"),
		S("Zm 9"),
		S(" Zm9"),
		S("Zm9v    "),
		S("Zm9-"),
		S("Zm9_"),
		S("Zm\0v"),
		S("Zm\xff"
		  "v"),
		/* bits behind the last octet */
		S("Zh=="),
		S("Zv=="),
		S("ZP=="),
		S("Zm9="),
		S("Zm+="),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char memory[16];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		assert_int_equal(base64_decode(&out, bad[i]), BASE64_BAD);
		assert_int_equal(out.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(without_room_there_is_nothing),
		cmocka_unit_test(every_octet_in_every_place),
		cmocka_unit_test(what_no_encoder_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
