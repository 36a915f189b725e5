/* SPDX-License-Identifier: MIT */
#include "client/mail_charset.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Names as mails have them, and who reads all that was written under them. */
static const struct {
	const char *said;
	const char *meant;
} names[] = {
	{"windows-31j", "CP932"},
	{"shift_jis", "CP932"}, /* Windows writes its own characters under the standard's name */
	{"shift-jis", "CP932"},
	{"x-sjis", "CP932"},
	{"sjis", "CP932"},
	{"ms_kanji", "CP932"},
	{"euc-jp", "EUC-JP-MS"},
	{"x-euc-jp", "EUC-JP-MS"},
	{"cp50220", "ISO-2022-JP-3"},
	{"cp50221", "ISO-2022-JP-3"},
	{"iso-2022-jp", "ISO-2022-JP-3"},
	{"iso-8859-1", "CP1252"}, /* likewise */
	{"latin1", "CP1252"},
	{"gb2312", "GB18030"},
	{"gbk", "GB18030"},
	{"x-gbk", "GB18030"},
	{"ks_c_5601-1987", "CP949"},
	{"euc-kr", "CP949"},
	{"big5", "CP950"},
	{"x-big5", "CP950"},
	{"utf8", "UTF-8"},
	{"x-unicode-2-0-utf-8", "UTF-8"},
	{"unicode-1-1-utf-7", "UTF-7"},
};

static const char *meant_by(const char *charset)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(names[i].said, charset) == 0)
			return names[i].meant;
	}
	return charset;
}

/* Text without a charset: mails of all decades, and of programs that don't care. */
static const char *guess(struct span octets)
{
	if (memmem(octets.p, octets.n, "\033$", 2) != NULL)
		return "ISO-2022-JP-3";
	if (g_utf8_validate(octets.p, (gssize)octets.n, NULL))
		return "UTF-8";
	return "CP1252";
}

static iconv_t open_charset(const char *charset, struct span octets)
{
	iconv_t cd = (iconv_t)-1;

	/* Plain ASCII is what programs say that never look. */
	if (charset != NULL && charset[0] != '\0' && strcasecmp(charset, "us-ascii") != 0 &&
	    strncasecmp(charset, "unknown", 7) != 0)
		cd = iconv_open("UTF-8", meant_by(charset));
	return cd != (iconv_t)-1 ? cd : iconv_open("UTF-8", guess(octets));
}

char *mail_charset_utf8(struct span octets, const char *charset)
{
	GString *const out = g_string_sized_new(octets.n + 1);

	/* Without octets there may be no memory to point at either. */
	if (octets.n == 0)
		return g_string_free(out, FALSE);

	const iconv_t cd = open_charset(charset, octets);
	char *in = (char *)(uintptr_t)octets.p; /* iconv(3) doesn't write there */
	size_t left = octets.n;
	char buffer[4096];

	while (left > 0 && cd != (iconv_t)-1) {
		char *to = buffer;
		size_t room = sizeof(buffer);
		const size_t r = iconv(cd, &in, &left, &to, &room);
		const int e = errno;

		g_string_append_len(out, buffer, (gssize)(sizeof(buffer) - room));
		if (r != (size_t)-1 || e == E2BIG)
			continue;
		g_string_append(out, "\xef\xbf\xbd");
		in++;
		left--;
	}
	if (cd != (iconv_t)-1)
		(void)iconv_close(cd);
	for (size_t i = 0; i < out->len; i++) {
		if (out->str[i] == '\0')
			out->str[i] = '?';
	}
	return g_string_free(out, FALSE);
}

size_t mail_charset_fix_words(char *header, size_t n)
{
	static const char said[] = "=?windows-31j?";
	static const char meant[] = "=?cp932?";
	size_t to = 0;

	for (size_t at = 0; at < n;) {
		if (n - at >= sizeof(said) - 1 &&
		    strncasecmp(header + at, said, sizeof(said) - 1) == 0) {
			memcpy(header + to, meant, sizeof(meant) - 1);
			to += sizeof(meant) - 1;
			at += sizeof(said) - 1;
		} else {
			header[to++] = header[at++];
		}
	}
	return to;
}

/* Mail of the nineties has it, and so have some programs that send from machines. */
char *mail_charset_escapes(const char *text)
{
	char *decoded;

	if (strstr(text, "\033$") == NULL)
		return g_strdup(text);
	decoded = g_convert(text, -1, "UTF-8", "ISO-2022-JP-3", NULL, NULL, NULL);
	return decoded != NULL ? decoded : g_strdup(text);
}
