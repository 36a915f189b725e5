/* SPDX-License-Identifier: MIT */
#include "client/message_key.h"

#include "client_help.h"

static struct message_key key(const char *identity, const char *uidl,
			      const struct header_digest *header, unsigned ordinal)
{
	struct message_key k;

	assert_true(message_key_make(span_str(identity), span_str(uidl), header, ordinal, &k));
	return k;
}

/* Whatever differs makes another key, and nothing is taken for a part of its neighbour. */
static void keys_differ(void **state)
{
	static const struct header_digest h1 = {.octets = {1}};
	static const struct header_digest h2 = {.octets = {2}};
	const struct message_key keys[] = {
		key("a@h", "1", NULL, 0), key("a@h", "2", NULL, 0), key("a@h", "", NULL, 0),
		key("a@h1", "", NULL, 0), key("b@h", "1", NULL, 0), key("a@h", "1", &h1, 0),
		key("a@h", "1", &h2, 0),  key("a@h", "1", &h1, 1),  key("a@h", "1", &h1, 2),
		key("a@h", "", &h1, 0),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		for (size_t k = 0; k < i; k++)
			assert_false(message_key_equal(&keys[i], &keys[k]));
	}
}

/* It is in the names of files: it may never change. */
static void key_stays(void **state)
{
	static const uint8_t expected[MESSAGE_KEY_OCTETS] = {0xd9, 0x87, 0xf9, 0xe8, 0x04, 0x11,
							     0x3f, 0x3a, 0xbb, 0xdf, 0x6a, 0xcb,
							     0x12, 0xf1, 0x9b, 0x07};
	const struct message_key k = key("alice@pop.example.org", "whqtswO00WBw418f9t5JxYwZ", NULL,
					 0);

	(void)state;
	assert_memory_equal(k.octets, expected, sizeof(expected));
	assert_true(message_key_equal(&k, &k));
}

static void too_many(void **state)
{
	struct message_key k;

	(void)state;
	assert_true(message_key_make(span_str("a"), span_str("b"), NULL, 255, &k));
	assert_false(message_key_make(span_str("a"), span_str("b"), NULL, 256, &k));
}

/* The digest of what is shown in pieces of n octets; n 0: all at once. */
static struct header_digest digest(struct span s, size_t n)
{
	struct header_reader h = {0};
	struct header_digest d;

	assert_true(header_reader_init(&h));
	while (s.n > 0) {
		const size_t piece = n == 0 || n > s.n ? s.n : n;

		header_reader_take(&h, span_of(s.p, piece));
		span_skip(&s, piece);
	}
	header_reader_end(&h, &d);
	header_reader_done(&h);
	return d;
}

#define S(text) SPAN_LIT(text)

static void alike(void **state)
{
	static const struct {
		struct span a;
		struct span b;
		bool equal;
	} cases[] = {
		{S("A: b\r\n\r\nbody"), S("A: b\r\n\r\nother"), true},
		{S("A: b\r\n\r\n"), S("A: b\n\nx"), true},
		{S("A: b\r\n\r\n"), S("A: b\r\n"), true}, /* TOP without the blank line */
		{S("A: b\r\n\r\n"), S("A: b"), true},
		{S("A: b\r\n\r\n"), S("A: c\r\n\r\n"), false},
		{S("A: b\r\nC: d\r\n\r\n"), S("A: b\r\n\r\n"), false},
		{S("A: b\r\nC: d\r\n\r\n"), S("A: bC: d\r\n\r\n"), false},
		{S("A: b\r\n\r\n"), S("A: b\r\r\n\r\n"), false},
		{S("A: b\rc\r\n\r\n"), S("A: bc\r\n\r\n"), false},
		{S("A: b\0\r\n\r\n"), S("A: b\r\n\r\n"), false},
		{S(""), S("\r\n"), true},
		{S("\r\nA: b"), S("\r\nC: d"), true},
		{S("A: b\r\nStatus: RO\r\n\r\n"), S("A: b\r\n\r\n"), true},
		{S("A: b\r\nX-STATUS: O\r\nC: d\r\n\r\n"), S("A: b\r\nC: d\r\n\r\n"), true},
		{S("status:\r\n\r\n"), S("\r\n"), true},
		{S("Statuses: RO\r\n\r\n"), S("\r\n"), false},
		{S("X: Status: RO\r\n\r\n"), S("X: \r\n\r\n"), false},
		{S("Status\r\n\r\n"), S("\r\n"), false},
		{S("0123456789abcdef\r\n\r\n"), S("0123456789abcde\r\n\r\n"), false},
		{S("0123456789abcdefg\r\n\r\n"), S("0123456789abcdef\r\n\r\n"), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct header_digest a = digest(cases[i].a, 0);
		const struct header_digest b = digest(cases[i].b, 0);

		if (header_digest_equal(&a, &b) != cases[i].equal)
			fail_msg("case %zu", i);
		for (size_t n = 1; n <= cases[i].a.n; n++) {
			const struct header_digest cut = digest(cases[i].a, n);

			assert_true(header_digest_equal(&a, &cut));
		}
	}
}

static void is_over(void **state)
{
	struct header_reader h = {0};

	(void)state;
	assert_true(header_reader_init(&h));
	header_reader_take(&h, S("A: b\r\n\r"));
	assert_false(header_reader_over(&h));
	header_reader_take(&h, S("\n"));
	assert_true(header_reader_over(&h));
	/* The next message. */
	assert_true(header_reader_init(&h));
	assert_false(header_reader_over(&h));
	header_reader_done(&h);
	header_reader_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_differ), cmocka_unit_test(key_stays),
		cmocka_unit_test(too_many),    cmocka_unit_test(alike),
		cmocka_unit_test(is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
