/* SPDX-License-Identifier: MIT */
#include "client/mail_reading.h"

#include <errno.h>

#include "client/mail_match.h"
#include "client/mail_summary.h"
#include "client_help.h"

static int mail_fd(struct span mail)
{
	int fd;

	write_file(in_scratch("mail"), mail, 0600);
	fd = open(in_scratch("mail"), O_RDONLY);
	assert_true(fd >= 0);
	return fd;
}

#define MIXED                                                                              \
	"From: =?windows-31j?B?h0A=?= <a@example.org>, b@example.org\r\n"                  \
	"To: c@example.org\r\nCc: \"Doe, D\" <d@example.org>\r\n"                          \
	"Subject: =?windows-31j?B?h0A=?= =?iso-2022-jp?B?GyRCMnE1RBsoQg==?=\r\n"           \
	"Date: Thu, 01 Jan 1970 01:00:01 +0100\r\n"                                        \
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"           \
	"preamble\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"       \
	"--a\r\nContent-Type: text/plain; charset=shift_jis\r\n\r\n\x89\xef\x8b\x63\r\n"   \
	"--a\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--a--\r\n"                   \
	"--m\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"                         \
	"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"     \
	"AAECAwQF\r\n"                                                                     \
	"--m\r\nContent-Type: text/plain; name=n.txt\r\n"                                  \
	"Content-Disposition: attachment; filename*=utf-8''%E4%BC%9A.txt\r\n\r\nnotes\r\n" \
	"--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n"  \
	"--m--\r\n"

static void mixed(void **state)
{
	const int fd = mail_fd((struct span)SPAN_LIT(MIXED));
	struct mail_reading r;
	char octets[64];
	int to;

	(void)state;
	assert_int_equal(mail_reading_read(fd, &r), 0);
	assert_string_equal(r.from, "① <a@example.org>, b@example.org");
	assert_string_equal(r.to, "c@example.org");
	assert_string_equal(r.cc, "\"Doe, D\" <d@example.org>");
	assert_string_equal(r.subject, "①会議");
	assert_int_equal(r.date, 1);
	assert_int_equal(strncmp(r.text, "会議", strlen("会議")), 0);
	assert_null(strstr(r.text, "html"));
	assert_int_equal(r.n_attachments, 3);
	assert_string_equal(r.attachments[0].name, "a.pdf");
	assert_string_equal(r.attachments[0].type, "application/pdf");
	assert_int_equal(r.attachments[0].octets, 6);
	assert_string_equal(r.attachments[1].name, "会.txt");
	assert_string_equal(r.attachments[2].type, "message/rfc822");
	mail_reading_done(&r);

	to = open(in_scratch("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(mail_attachment_write(fd, 1, to), 0);
	assert_int_equal(pread(to, octets, sizeof(octets), 0), 6);
	assert_memory_equal(octets, "\0\1\2\3\4\5", 6);
	assert_int_equal(mail_attachment_write(fd, 4, to), -ENOENT);
	assert_int_equal(mail_attachment_write(fd, 0, to), -ENOENT);
	(void)close(to);
	to = open("/dev/full", O_WRONLY);
	assert_int_equal(mail_attachment_write(fd, 1, to), -ENOSPC);
	(void)close(to);
	(void)close(fd);
}

static void texts(void **state)
{
	static const struct {
		struct span mail;
		const char *text;
	} cases[] = {
		{SPAN_LIT("Subject: s\r\n\r\nhi\r\n"), "hi\n"},
		{SPAN_LIT("Subject: s\n\nno end"), "no end\n"},
		{SPAN_LIT("Subject: s\n\n"), ""},
		{SPAN_LIT(""), ""},
		{SPAN_LIT("Content-Type: text/html; charset=utf-8\r\n\r\n<p>caf\xc3\xa9</p>"),
		 "café\n"},
		{SPAN_LIT("Content-Transfer-Encoding: quoted-printable\r\n"
			  "Content-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf=E9=\r\n!\r\n"),
		 "café!\n"},
		{SPAN_LIT("Content-Transfer-Encoding: base64\r\n"
			  "Content-Type: text/plain; "
			  "charset=iso-2022-jp\r\n\r\nGyRCMnE1RBsoQg==\r\n"),
		 "会議\n"},
		{SPAN_LIT("Content-Type: multipart/alternative; boundary=a\r\n\r\n"
			  "--a\r\nContent-Type: text/html\r\n\r\n<b>only</b>\r\n--a--\r\n"),
		 "only\n"},
		{SPAN_LIT("Content-Type: multipart/mixed; boundary=a\r\n\r\nno parts\r\n"), ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int fd = mail_fd(cases[i].mail);
		struct mail_reading r;
		char *lf;

		assert_int_equal(mail_reading_read(fd, &r), 0);
		while ((lf = strstr(r.text, "\r\n")) != NULL)
			memmove(lf, lf + 1, strlen(lf));
		assert_string_equal(r.text, cases[i].text);
		mail_reading_done(&r);
		(void)close(fd);
	}
}

/* Parts in parts in parts: the innermost isn't reached, and nothing breaks. */
static void deep(void **state)
{
	char *const mail = malloc(1 << 20);
	struct mail_reading r;
	size_t n = 0;
	int fd;

	(void)state;
	assert_non_null(mail);
	n += (size_t)snprintf(mail + n, 100, "Content-Type: multipart/mixed; boundary=b0\r\n\r\n");
	for (int i = 0; i < 2000; i++)
		n += (size_t)snprintf(
			mail + n, 100,
			"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i + 1);
	fd = mail_fd((struct span){mail, n});
	assert_int_equal(mail_reading_read(fd, &r), 0);
	mail_reading_done(&r);
	(void)close(fd);
	free(mail);
}

static bool matches(int fd, const char *const *words)
{
	struct mail_match *const m = mail_match_new(words);
	bool found = false;

	assert_int_equal(mail_match_file(m, fd, &found), 0);
	mail_match_free(m);
	return found;
}

static void matching(void **state)
{
	static const char *const cases[][3] = {
		{"会議"},        {"text:会議"},        {"subject:会議"},  {"A@EXAMPLE.ORG"},
		{"from:a@ex"},   {"to:doe"},           {"会議", "a.pdf"}, {"SUBJECT:①会"},
		{"subject:1会"}, {"from:b@", "to:c@"},
	};
	static const char *const misses[][3] = {
		{"html"}, {"from:doe"}, {"text:example"}, {"会議", "nowhere"}, {"subject:a.pdf"},
	};
	const int fd = mail_fd((struct span)SPAN_LIT(MIXED));

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(matches(fd, cases[i]));
	for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++)
		assert_false(matches(fd, misses[i]));
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(mixed),
		scratch_test(texts),
		scratch_test(deep),
		scratch_test(matching),
	};

	mail_summary_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
