/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_reply.h"

#include <assert.h>

static bool put_line(struct out *out, unsigned code, char separator, const char *enhanced,
		     struct span text)
{
	const size_t before = out->n;
	const struct span status = span_str(enhanced == NULL ? "" : enhanced);

	assert(code >= 200 && code <= 599);
	return (out_u64(out, code) && out_char(out, separator) && out_put(out, status) &&
		(status.n == 0 || out_char(out, ' ')) && out_put(out, text) &&
		out_put(out, SPAN_LIT("\r\n"))) ||
	       out_undo(out, before);
}

bool smtp_reply(struct out *out, unsigned code, const char *enhanced, struct span text)
{
	return put_line(out, code, ' ', enhanced, text);
}

bool smtp_reply_more(struct out *out, unsigned code, const char *enhanced, struct span text)
{
	return put_line(out, code, '-', enhanced, text);
}

bool smtp_reply_hello(struct out *out, const struct smtp_hello *hello)
{
	const size_t before = out->n;

	return (smtp_reply_more(out, 250, NULL, hello->host) &&
		out_put(out, SPAN_LIT("250-PIPELINING\r\n250-8BITMIME\r\n"
				      "250-CHUNKING\r\n250-SMTPUTF8\r\n")) &&
		(!hello->starttls || out_put(out, SPAN_LIT("250-STARTTLS\r\n"))) &&
		(hello->auth.n == 0 ||
		 (out_put(out, SPAN_LIT("250-AUTH ")) && out_put(out, hello->auth) &&
		  out_put(out, SPAN_LIT("\r\n")))) &&
		out_put(out, SPAN_LIT("250-SIZE")) &&
		(hello->size_limit == 0 ||
		 (out_char(out, ' ') && out_u64(out, hello->size_limit))) &&
		out_put(out, SPAN_LIT("\r\n250 ENHANCEDSTATUSCODES\r\n"))) ||
	       out_undo(out, before);
}
