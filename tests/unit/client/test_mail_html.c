/* SPDX-License-Identifier: MIT */
#include "client/mail_html.h"

#include "client_help.h"

static void text_of(void **state)
{
	static const struct {
		const char *html;
		const char *text;
	} cases[] = {
		{"", ""},
		{"plain", "plain\n"},
		{"<p>one</p><p>two\n  lines</p>", "one\n\ntwo lines\n"},
		{"a<br>b<br/>c", "a\nb\nc\n"},
		{"<div>a</div><div>b</div>", "a\nb\n"},
		{"<b>bo</b>ld and <i>it</i>", "bold and it\n"},
		{"<ul><li>one<li>two</ul>after", "- one\n- two\n\nafter\n"},
		{"<pre>a  b\n  c</pre>", "a  b\n  c\n"},
		{"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"},
		{"<head><title>t</title><style>p{}</style></head><body>x<script>y()</script></"
		 "body>",
		 "x\n"},
		{"caf&eacute; &amp; &#x4f1a;&#35696; &lt;b&gt;", "café & 会議 <b>\n"},
		{"<img src='http://x/track.gif'><img src=x alt='a cat'>", "a cat\n"},
		/* Where a link leads is seen, whatever its text says. */
		{"<a href='https://evil.example/'>https://bank.example</a>",
		 "https://bank.example <https://evil.example/>\n"},
		{"<a href='https://a.example/'>https://a.example/</a>", "https://a.example/\n"},
		{"<a href='mailto:a@example.org'>a@example.org</a>", "a@example.org\n"},
		{"<a href='javascript:x()'>click</a>", "click\n"},
		/* As mails are written. */
		{"<p>never closed <b>at all", "never closed at all\n"},
		{"</p></div></b>too many ends", "too many ends\n"},
		{"<meta charset=shift_jis>会議", "会議\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *const text = mail_html_text(cases[i].html);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

/* Deeper than anybody means it. */
static void deep(void **state)
{
	enum { DEPTH = 100000 };
	char *const html = malloc(5 * DEPTH + 2);
	char *text;

	(void)state;
	assert_non_null(html);
	for (size_t i = 0; i < DEPTH; i++)
		memcpy(html + 5 * i, "<div>", 5);
	memcpy(html + 5 * DEPTH, "x", 2);
	text = mail_html_text(html);
	assert_non_null(text);
	free(text);
	free(html);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of),
		cmocka_unit_test(deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
