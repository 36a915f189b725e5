/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define SENDER (1 << SMTP_PATH_REVERSE)
#define RECIPIENT (1 << SMTP_PATH_FORWARD)
#define BOTH (SENDER | RECIPIENT)

static const struct {
	struct span path;
	unsigned good; /* as what */
	struct span address, local, domain;
	bool utf8;
} cases[] = {
#define REFUSED(path)                                  \
	{                                              \
		S(path), 0, S(""), S(""), S(""), false \
	}
	{S("<a@b>"), BOTH, S("a@b"), S("a"), S("b"), false},
	{S("<Alice.B@Example.ORG>"), BOTH, S("Alice.B@Example.ORG"), S("Alice.B"), S("Example.ORG"),
	 false},
	{S("<!#$%&'*+-/=?^_`{|}~@b>"), BOTH, S("!#$%&'*+-/=?^_`{|}~@b"), S("!#$%&'*+-/=?^_`{|}~"),
	 S("b"), false},
	{S("<user+detail@b.example>"), BOTH, S("user+detail@b.example"), S("user+detail"),
	 S("b.example"), false},
	/* the null path and postmaster */
	{S("<>"), SENDER, S(""), S(""), S(""), false},
	{S("<postmaster>"), RECIPIENT, S("postmaster"), S("postmaster"), S(""), false},
	{S("<PostMaster>"), RECIPIENT, S("PostMaster"), S("PostMaster"), S(""), false},
	REFUSED("<postmasters>"),
	REFUSED("<alice>"),
	/* source routes */
	{S("<@relay.example:a@b>"), BOTH, S("a@b"), S("a"), S("b"), false},
	{S("<@one,@two.example,@[192.0.2.1]:a@b>"), BOTH, S("a@b"), S("a"), S("b"), false},
	{S("<@one:postmaster>"), RECIPIENT, S("postmaster"), S("postmaster"), S(""), false},
	REFUSED("<@one:>"),
	REFUSED("<@one a@b>"),
	REFUSED("<@one,two:a@b>"),
	REFUSED("<@:a@b>"),
	REFUSED("<@one,:a@b>"),
	REFUSED("<@one"),
	REFUSED("<@"),
	/* quoted local parts */
	{S("<\"a b\"@c>"), BOTH, S("\"a b\"@c"), S("\"a b\""), S("c"), false},
	{S("<\"a@b>\"@c>"), BOTH, S("\"a@b>\"@c"), S("\"a@b>\""), S("c"), false},
	{S("<\"a\\\"b\\\\\"@c>"), BOTH, S("\"a\\\"b\\\\\"@c"), S("\"a\\\"b\\\\\""), S("c"), false},
	{S("<\"\"@c>"), BOTH, S("\"\"@c"), S("\"\""), S("c"), false},
	REFUSED("<\"a@c>"),
	REFUSED("<\"a\\"),
	REFUSED("<\"a\tb\"@c>"),
	REFUSED("<\"a\\\tb\"@c>"),
	REFUSED("<\"a\0b\"@c>"),
	REFUSED("<\"a\"b@c>"),
	REFUSED("<a\"b\"@c>"),
	REFUSED("<\"a\".\"b\"@c>"),
	/* dots: strict for recipients, anywhere for senders */
	{S("<a.b.c@d>"), BOTH, S("a.b.c@d"), S("a.b.c"), S("d"), false},
	{S("<a..b@d>"), SENDER, S("a..b@d"), S("a..b"), S("d"), false},
	{S("<a.@d>"), SENDER, S("a.@d"), S("a."), S("d"), false},
	{S("<.a@d>"), SENDER, S(".a@d"), S(".a"), S("d"), false},
	/* domains */
	{S("<a@b-c.d_e.f>"), BOTH, S("a@b-c.d_e.f"), S("a"), S("b-c.d_e.f"), false},
	{S("<a@1.2>"), BOTH, S("a@1.2"), S("a"), S("1.2"), false},
	REFUSED("<a@>"),
	REFUSED("<a@.b>"),
	REFUSED("<a@b.>"),
	REFUSED("<a@b..c>"),
	REFUSED("<a@-b>"),
	REFUSED("<a@b->"),
	REFUSED("<a@b.-c>"),
	REFUSED("<a@b-.c>"),
	REFUSED("<a@b c>"),
	REFUSED("<a@b@c>"),
	REFUSED("<a@b,c>"),
	/* address literals */
	{S("<a@[192.0.2.255]>"), BOTH, S("a@[192.0.2.255]"), S("a"), S("[192.0.2.255]"), false},
	{S("<a@[IPv6:2001:db8::1]>"), BOTH, S("a@[IPv6:2001:db8::1]"), S("a"),
	 S("[IPv6:2001:db8::1]"), false},
	{S("<a@[x-tag:y]>"), BOTH, S("a@[x-tag:y]"), S("a"), S("[x-tag:y]"), false},
	REFUSED("<a@[192.0.2.256]>"),
	REFUSED("<a@[192.0.2]>"),
	REFUSED("<a@[192.0.2.1.2]>"),
	REFUSED("<a@[192.0.2.]>"),
	REFUSED("<a@[192.0..1]>"),
	REFUSED("<a@[192.0.2.0001]>"),
	REFUSED("<a@[192.0.2.4294967297]>"),
	REFUSED("<a@[192.0.2.1>"),
	REFUSED("<a@[]>"),
	REFUSED("<a@[:x]>"),
	REFUSED("<a@[x:]>"),
	REFUSED("<a@[host]>"),
	REFUSED("<a@[x:a b]>"),
	REFUSED("<a@[x:\xc3\xa4]>"),
	REFUSED("<a@[x:[y]]>"),
	/* UTF-8 (RFC 3629) */
	{S("<\xe3\x81\x82@\xe4\xbe\x8b.jp>"), BOTH, S("\xe3\x81\x82@\xe4\xbe\x8b.jp"),
	 S("\xe3\x81\x82"), S("\xe4\xbe\x8b.jp"), true},
	{S("<a@\xc3\xa4.de>"), BOTH, S("a@\xc3\xa4.de"), S("a"), S("\xc3\xa4.de"), true},
	{S("<\"\xc3\xa4 b\"@c>"), BOTH, S("\"\xc3\xa4 b\"@c"), S("\"\xc3\xa4 b\""), S("c"), true},
	{S("<\xf0\x9f\x93\xab@c>"), BOTH, S("\xf0\x9f\x93\xab@c"), S("\xf0\x9f\x93\xab"), S("c"),
	 true},
	{S("<\xf4\x8f\xbf\xbf@c>"), BOTH, S("\xf4\x8f\xbf\xbf@c"), S("\xf4\x8f\xbf\xbf"), S("c"),
	 true},
	{S("<\xc2\xa0@c>"), BOTH, S("\xc2\xa0@c"), S("\xc2\xa0"), S("c"), true},
	{S("<\xed\x9f\xbf@c>"), BOTH, S("\xed\x9f\xbf@c"), S("\xed\x9f\xbf"), S("c"), true},
	{S("<\xee\x80\x80@c>"), BOTH, S("\xee\x80\x80@c"), S("\xee\x80\x80"), S("c"), true},
	{S("<\xe0\xa0\x80@c>"), BOTH, S("\xe0\xa0\x80@c"), S("\xe0\xa0\x80"), S("c"), true},
	{S("<\xf0\x90\x80\x80@c>"), BOTH, S("\xf0\x90\x80\x80@c"), S("\xf0\x90\x80\x80"), S("c"),
	 true},
	{S("<\xf3\xbf\xbf\xbf@c>"), BOTH, S("\xf3\xbf\xbf\xbf@c"), S("\xf3\xbf\xbf\xbf"), S("c"),
	 true},
	REFUSED("<\x80@c>"),             /* a continuation alone */
	REFUSED("<\xc2@c>"),             /* cut */
	REFUSED("<\xe3\x81@c>"),         /* cut */
	REFUSED("<\xf0\x9f\x93@c>"),     /* cut */
	REFUSED("<\xe3\x81\x41@c>"),     /* the third is none */
	REFUSED("<\xc0\xaf@c>"),         /* overlong '/' */
	REFUSED("<\xc1\xbf@c>"),         /* overlong */
	REFUSED("<\xe0\x9f\xbf@c>"),     /* overlong */
	REFUSED("<\xf0\x8f\xbf\xbf@c>"), /* overlong */
	REFUSED("<\xed\xa0\x80@c>"),     /* a surrogate */
	REFUSED("<\xf4\x90\x80\x80@c>"), /* past U+10FFFF */
	REFUSED("<\xf5\x80\x80\x80@c>"),
	REFUSED("<\xff@c>"),
	REFUSED("<\xc2\x85@c>"), /* U+0085, a control */
	REFUSED("<\xc2\x9f@c>"), /* U+009F, the last of them */
	/* brackets and control octets */
	REFUSED(""),
	REFUSED("<"),
	REFUSED("a@b"),
	REFUSED(" <a@b>"),
	REFUSED("<a@b"),
	REFUSED("<<a@b>>"),
	REFUSED("< a@b>"),
	REFUSED("<a@b >"),
	REFUSED("<a b@c>"),
	REFUSED("<a\0b@c>"),
	REFUSED("<a\rb@c>"),
	REFUSED("<a@b\x7f>"),
	REFUSED("<@b>"),
	REFUSED("< >"),
#undef REFUSED
};

static void check(size_t i, enum smtp_path_kind kind, struct span after)
{
	const bool good = (cases[i].good & 1U << kind) != 0;
	char *const memory = malloc(cases[i].path.n + after.n + 1);
	char *const begin = memory + 1;
	struct span in = span_of(begin, cases[i].path.n + after.n);
	struct smtp_path path = {.utf8 = true, .local = S("untouched")};

	assert_non_null(memory);
	memcpy(begin, cases[i].path.p, cases[i].path.n);
	memcpy(begin + cases[i].path.n, after.p, after.n);

	const enum smtp_path_status got = smtp_path_parse(&in, kind, &path);

	if (got != (good ? SMTP_PATH_OK : SMTP_PATH_BAD))
		fail_msg("'%.*s' as %s: status %d", (int)cases[i].path.n, cases[i].path.p,
			 kind == SMTP_PATH_REVERSE ? "sender" : "recipient", (int)got);
	if (good) {
		assert_true(span_eq(in, after));
		assert_true(span_eq(path.address, cases[i].address));
		assert_true(span_eq(path.local, cases[i].local));
		assert_true(span_eq(path.domain, cases[i].domain));
		assert_int_equal(path.utf8, cases[i].utf8);
	} else {
		assert_ptr_equal(in.p, begin);
		assert_int_equal(in.n, cases[i].path.n + after.n);
		assert_true(span_eq(path.local, S("untouched")));
	}
	free(memory);
}

static void paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(i, SMTP_PATH_REVERSE, S(""));
		check(i, SMTP_PATH_FORWARD, S(""));
		check(i, SMTP_PATH_REVERSE, S(" SIZE=1"));
	}
}

/* 256 octets with the brackets; a source route doesn't count, it is dropped. */
static void lengths(void **state)
{
	char memory[600] = "<@relay.example:";
	const size_t route = strlen("@relay.example:");
	char *const address = memory + 1 + route;

	(void)state;
	memset(address, 'a', 255);
	address[100] = '@';
	for (size_t n = 250; n <= 255; n++) {
		for (unsigned routed = 0; routed < 2; routed++) {
			char *const begin = routed ? memory : address - 1;
			struct span in;
			struct smtp_path path;
			const char was = address[n];

			address[-1] = routed ? ':' : '<';
			address[n] = '>';
			in = span_of(begin, (size_t)(address + n + 1 - begin));
			assert_int_equal(smtp_path_parse(&in, SMTP_PATH_FORWARD, &path),
					 n <= 254 ? SMTP_PATH_OK : SMTP_PATH_TOO_LONG);
			address[n] = was;
		}
	}
}

static void unquoting(void **state)
{
	static const struct {
		struct span local, plain;
	} pairs[] = {
		{S("alice"), S("alice")},         {S("\"alice\""), S("alice")},
		{S("\"a b\""), S("a b")},         {S("\"a\\\"b\""), S("a\"b")},
		{S("\"\\\\\""), S("\\")},         {S("\"\""), S("")},
		{S("\"a\\ b\\@c\""), S("a b@c")}, {S(""), S("")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char memory[16];
		struct out out = {.p = memory, .cap = pairs[i].plain.n};

		assert_true(smtp_local_unquote(&out, pairs[i].local));
		assert_true(span_eq(out_span(&out), pairs[i].plain));
		for (size_t cap = 0; cap < pairs[i].plain.n; cap++) {
			out = (struct out){.p = memory, .cap = cap};
			assert_false(smtp_local_unquote(&out, pairs[i].local));
			assert_int_equal(out.n, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(lengths),
		cmocka_unit_test(unquoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
