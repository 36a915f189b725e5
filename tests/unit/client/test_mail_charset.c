/* SPDX-License-Identifier: MIT */
#include "client/mail_charset.h"

#include "client_help.h"

static void to_utf8(void **state)
{
	static const struct {
		struct span octets;
		const char *charset;
		const char *text;
	} cases[] = {
		{SPAN_LIT("caf\xc3\xa9"), "utf-8", "café"},
		{SPAN_LIT("caf\xe9"), "ISO-8859-1", "café"},
		{SPAN_LIT("\x93quoted\x94"), "iso-8859-1", "\xe2\x80\x9cquoted\xe2\x80\x9d"},
		{SPAN_LIT("\x89\xef\x8b\x63"), "Shift_JIS", "会議"},
		{SPAN_LIT("\x87\x40"), "windows-31j", "①"},
		{SPAN_LIT("\x87\x40"), "Shift_JIS", "①"},
		{SPAN_LIT("\xb2\xf1\xb5\xc4"), "euc-jp", "会議"},
		{SPAN_LIT("\033$B2q5D\033(B"), "iso-2022-jp", "会議"},
		{SPAN_LIT("\xbb\xe1\xd2\xe9"), "gb2312", "会议"},
		/* No charset, a wrong one, or one that nobody knows. */
		{SPAN_LIT("caf\xc3\xa9"), NULL, "café"},
		{SPAN_LIT("caf\xe9"), NULL, "café"},
		{SPAN_LIT("\033$B2q5D\033(B"), "us-ascii", "会議"},
		{SPAN_LIT("caf\xc3\xa9"), "us-ascii", "café"},
		{SPAN_LIT("caf\xc3\xa9"), "x-nobody-knows", "café"},
		{SPAN_LIT("caf\xc3\xa9"), "unknown-8bit", "café"},
		{SPAN_LIT(""), "utf-8", ""},
		{{NULL, 0}, NULL, ""},
		/* What can't be read is seen to be so, and what follows it is read. */
		{SPAN_LIT("a\xff\xc3"), "utf-8", "a\xef\xbf\xbd\xef\xbf\xbd"},
		{SPAN_LIT("a\xff"
			  "b"),
		 "utf-8",
		 "a\xef\xbf\xbd"
		 "b"},
		{SPAN_LIT("a\0b"), "utf-8", "a?b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *const text = mail_charset_utf8(cases[i].octets, cases[i].charset);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

/* More than is converted at once. */
static void long_text(void **state)
{
	char octets[20001];
	char *text;

	(void)state;
	memset(octets, 0xe9, sizeof(octets));
	text = mail_charset_utf8((struct span){octets, sizeof(octets)}, "iso-8859-1");
	assert_int_equal(strlen(text), 2 * sizeof(octets));
	for (size_t i = 0; i < strlen(text); i += 2)
		assert_memory_equal(text + i, "é", 2);
	free(text);
}

static void words(void **state)
{
	char header[] =
		"Subject: =?Windows-31J?B?h0A=?= =?windows-31j?Q?=87=40?= =?utf-8?Q?a?= =?wind";
	const char fixed[] = "Subject: =?cp932?B?h0A=?= =?cp932?Q?=87=40?= =?utf-8?Q?a?= =?wind";
	const size_t n = mail_charset_fix_words(header, sizeof(header) - 1);

	(void)state;
	assert_int_equal(n, sizeof(fixed) - 1);
	assert_memory_equal(header, fixed, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_utf8),
		cmocka_unit_test(long_text),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
