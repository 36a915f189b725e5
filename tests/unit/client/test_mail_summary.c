/* SPDX-License-Identifier: MIT */
#include "client/mail_summary.h"

#include "client_help.h"

static void headers(void **state)
{
	static const struct {
		struct span mail;
		const char *from;
		const char *subject;
		int64_t date;
	} cases[] = {
		{SPAN_LIT("From: Alice <alice@example.org>\r\nSubject: Hi\r\n"
			  "Date: Thu, 01 Jan 1970 01:00:01 +0100\r\n\r\nbody\r\n"),
		 "Alice", "Hi", 1},
		{SPAN_LIT("From: alice@example.org\nSubject:  two\n words\n\nSubject: body\n"),
		 "alice@example.org", "two words", 0},
		{SPAN_LIT("From: =?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= <y@example.jp>\r\n"
			  "Subject: =?Shift_JIS?B?ie+LYw==?= =?EUC-JP?B?t+8=?=\r\n\r\n"),
		 "山田", "会議件", 0},
		{SPAN_LIT("Subject: =?UTF-8?Q?caf=C3=A9?=\r\n\r\n"), "", "café", 0},
		/* As it is, without RFC 2047. */
		{SPAN_LIT("Subject: \033$B2q5D\033(B\r\n\r\n"), "", "会議", 0},
		{SPAN_LIT("Subject: caf\xc3\xa9\r\n\r\n"), "", "café", 0},
		{SPAN_LIT("From: \"Doe, John\" <j@example.org>, b@example.org\r\n\r\n"),
		 "Doe, John", "", 0},
		{SPAN_LIT("Date: soon\r\n\r\n"), "", "", 0},
		{SPAN_LIT("\r\nSubject: in the body\r\n"), "", "", 0},
		{SPAN_LIT(""), "", "", 0},
	};

	(void)state;
	mail_summary_init();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail_summary s;
		int fd;

		write_file(in_scratch("mail"), cases[i].mail, 0600);
		fd = open(in_scratch("mail"), O_RDONLY);
		assert_true(fd >= 0);
		assert_int_equal(mail_summary_read(fd, &s), 0);
		assert_string_equal(s.from, cases[i].from);
		assert_string_equal(s.subject, cases[i].subject);
		assert_int_equal(s.date, cases[i].date);
		mail_summary_done(&s);
		(void)close(fd);
	}
}

/* Octets of all kinds: something is shown, and nothing breaks. */
static void noise(void **state)
{
	char mail[4096];
	uint32_t x = 12345;

	(void)state;
	mail_summary_init();
	for (int turn = 0; turn < 200; turn++) {
		struct mail_summary s;
		int fd;

		for (size_t i = 0; i < sizeof(mail); i++) {
			x = x * 1664525 + 1013904223;
			mail[i] = (char)(x >> 24);
		}
		if (turn % 2 == 0)
			memcpy(mail, "Subject: =?", 11);
		write_file(in_scratch("mail"), span_of(mail, sizeof(mail)), 0600);
		fd = open(in_scratch("mail"), O_RDONLY);
		assert_int_equal(mail_summary_read(fd, &s), 0);
		assert_non_null(s.from);
		assert_non_null(s.subject);
		mail_summary_done(&s);
		(void)close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {scratch_test(headers), scratch_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
