/* SPDX-License-Identifier: MIT */
#include "codec/mail/mbox_quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static const struct {
	struct span message, text;
} cases[] = {
	{S(""), S("\n")},
	{S("a\r\nb\r\n"), S("a\nb\n\n")},
	{S("a\nb"), S("a\nb\n\n")},
	{S("From x\r\n"), S(">From x\n\n")},
	{S("a\r\n\r\nFrom x\r\n>From y\r\n>>>From z"), S("a\n\n>From x\n>>From y\n>>>>From z\n\n")},
	{S("From\r\nFro\nFrom"), S("From\nFro\nFrom\n\n")},
	{S(" From x\r\n> From y\r\nfrom z\r\nFFrom \r\n"),
	 S(" From x\n> From y\nfrom z\nFFrom \n\n")},
	{S(">\r\n>>\r\n>"), S(">\n>>\n>\n\n")},
	{S("a\rb\r\r\nFrom\r\nF\rrom \r\n\rFrom x"), S("a\rb\r\nFrom\nF\rrom \n\rFrom x\n\n")},
	{S("a\r"), S("a\r\n\n")},
	{S("\0\x80\xff\r\n\0"), S("\0\x80\xff\n\0\n\n")},
};

/* In pieces of step octets, into room that is as small as it may be. */
static void quote(struct span message, size_t step, struct out *all)
{
	char room[MBOX_QUOTE_MAX];
	struct mbox_quoter q = {._matched = 0};

	while (message.n > 0) {
		struct span in = span_of(message.p, message.n < step ? message.n : step);

		span_skip(&message, in.n);
		while (in.n > 0) {
			struct out out = {.p = room, .cap = sizeof(room)};

			mbox_quote(&q, &in, &out);
			assert_true(out_put(all, out_span(&out)));
		}
	}

	struct out out = {.p = room, .cap = sizeof(room)};

	mbox_quote_end(&q, &out);
	assert_true(out_put(all, out_span(&out)));
}

static void cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t step = 1; step <= cases[i].message.n + 1; step++) {
			char text[128];
			struct out all = {.p = text, .cap = sizeof(text)};

			quote(cases[i].message, step, &all);
			if (!span_eq(out_span(&all), cases[i].text))
				fail_msg("case %zu, in pieces of %zu", i, step);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
