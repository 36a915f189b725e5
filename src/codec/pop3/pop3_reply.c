/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_reply.h"

#include <assert.h>

#define EOL SPAN_LIT("\r\n")

const char *pop3_code_name(enum pop3_code code)
{
	static const char *const names[POP3_CODES] = {
		[POP3_CODE_NONE] = "",
		[POP3_CODE_IN_USE] = "IN-USE",
		[POP3_CODE_LOGIN_DELAY] = "LOGIN-DELAY",
		[POP3_CODE_SYS_TEMP] = "SYS/TEMP",
		[POP3_CODE_SYS_PERM] = "SYS/PERM",
		[POP3_CODE_AUTH] = "AUTH",
	};

	assert(code < POP3_CODES);
	return names[code];
}

bool pop3_reply_ok(struct out *out, struct span text)
{
	const size_t before = out->n;

	return (out_put(out, SPAN_LIT("+OK")) && (text.n == 0 || out_char(out, ' ')) &&
		out_put(out, text) && out_put(out, EOL)) ||
	       out_undo(out, before);
}

bool pop3_reply_err(struct out *out, enum pop3_code code, struct span text)
{
	const size_t before = out->n;

	return (out_put(out, SPAN_LIT("-ERR ")) &&
		(code == POP3_CODE_NONE ||
		 (out_char(out, '[') && out_put(out, span_str(pop3_code_name(code))) &&
		  out_put(out, SPAN_LIT("] ")))) &&
		out_put(out, text) && out_put(out, EOL)) ||
	       out_undo(out, before);
}

/* Two numbers with `between`, and `end`. */
static bool put_numbers(struct out *out, struct span begin, uint64_t first, struct span between,
			uint64_t second, struct span end)
{
	const size_t before = out->n;

	return (out_put(out, begin) && out_u64(out, first) && out_put(out, between) &&
		out_u64(out, second) && out_put(out, end)) ||
	       out_undo(out, before);
}

/* "+OK", and a text with two numbers in it, of which the second may be left out. */
static bool put_filled(struct out *out, enum pop3_language language, const char *english,
		       uint64_t first, uint64_t second)
{
	const size_t before = out->n;
	char digits[2][20];
	struct out one = {.p = digits[0], .cap = sizeof(digits[0])};
	struct out two = {.p = digits[1], .cap = sizeof(digits[1])};

	(void)out_u64(&one, first); /* 20 digits hold every one */
	(void)out_u64(&two, second);

	const struct span args[] = {out_span(&one), out_span(&two)};

	return (out_put(out, SPAN_LIT("+OK ")) && pop3_text_fill(out, language, english, args, 2) &&
		out_put(out, EOL)) ||
	       out_undo(out, before);
}

bool pop3_reply_retr(struct out *out, enum pop3_language language, uint64_t octets)
{
	return put_filled(out, language, "{1} octets", octets, 0);
}

bool pop3_reply_stat(struct out *out, uint32_t count, uint64_t octets)
{
	return put_numbers(out, SPAN_LIT("+OK "), count, SPAN_LIT(" "), octets, EOL);
}

bool pop3_reply_list_begin(struct out *out, enum pop3_language language, uint32_t count,
			   uint64_t octets)
{
	return put_filled(out, language,
			  count == 1 ? "{1} message ({2} octets)" : "{1} messages ({2} octets)",
			  count, octets);
}

bool pop3_reply_list_one(struct out *out, uint32_t number, uint64_t octets)
{
	return put_numbers(out, SPAN_LIT("+OK "), number, SPAN_LIT(" "), octets, EOL);
}

bool pop3_reply_list_line(struct out *out, uint32_t number, uint64_t octets)
{
	return put_numbers(out, SPAN_LIT(""), number, SPAN_LIT(" "), octets, EOL);
}

static bool put_uidl(struct out *out, struct span begin, uint32_t number, struct span uidl)
{
	const size_t before = out->n;

	return (out_put(out, begin) && out_u64(out, number) && out_char(out, ' ') &&
		out_put(out, uidl) && out_put(out, EOL)) ||
	       out_undo(out, before);
}

bool pop3_reply_uidl_one(struct out *out, uint32_t number, struct span uidl)
{
	return put_uidl(out, SPAN_LIT("+OK "), number, uidl);
}

bool pop3_reply_uidl_line(struct out *out, uint32_t number, struct span uidl)
{
	return put_uidl(out, SPAN_LIT(""), number, uidl);
}

bool pop3_reply_end(struct out *out)
{
	return out_put(out, SPAN_LIT(".\r\n"));
}

/* "KEYWORD argument", or nothing at all without an argument. */
static bool put_fact(struct out *out, struct span keyword, struct span argument)
{
	return argument.n == 0 || (out_put(out, keyword) && out_char(out, ' ') &&
				   out_put(out, argument) && out_put(out, EOL));
}

/* "KEYWORD number", and "USER" where the user's own number is known only after login. */
static bool put_number(struct out *out, struct span keyword, uint32_t number, bool by_user)
{
	return out_put(out, keyword) && out_char(out, ' ') && out_u64(out, number) &&
	       (!by_user || out_put(out, SPAN_LIT(" USER"))) && out_put(out, EOL);
}

bool pop3_reply_capa(struct out *out, const struct pop3_capa *capa)
{
	const bool stls = capa->stls && capa->state == POP3_AUTHORIZATION;
	const size_t before = out->n;

	return (pop3_reply_ok(out, pop3_text(capa->language, "capability list follows")) &&
		out_put(out, SPAN_LIT("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
				      "PIPELINING\r\nLANG\r\nUTF8 USER\r\n")) &&
		(!stls || out_put(out, SPAN_LIT("STLS\r\n"))) &&
		(!capa->user || out_put(out, SPAN_LIT("USER\r\n"))) &&
		put_fact(out, SPAN_LIT("SASL"), capa->sasl) &&
		(capa->login_delay == 0 ||
		 put_number(out, SPAN_LIT("LOGIN-DELAY"), capa->login_delay, capa->by_user)) &&
		(capa->expire_days == 0
			 ? put_fact(out, SPAN_LIT("EXPIRE"), SPAN_LIT("NEVER"))
			 : put_number(out, SPAN_LIT("EXPIRE"), capa->expire_days, capa->by_user)) &&
		put_fact(out, SPAN_LIT("IMPLEMENTATION"), capa->implementation) &&
		pop3_reply_end(out)) ||
	       out_undo(out, before);
}

bool pop3_reply_mechanisms(struct out *out, enum pop3_language language, struct span sasl)
{
	const size_t before = out->n;
	bool complete = pop3_reply_ok(out, pop3_text(language, "mechanisms follow"));

	while (complete && sasl.n > 0) {
		const size_t n = span_find(sasl, ' ');

		if (n > 0)
			complete = out_put(out, span_of(sasl.p, n)) && out_put(out, EOL);
		span_skip(&sasl, n < sasl.n ? n + 1 : n);
	}
	return (complete && pop3_reply_end(out)) || out_undo(out, before);
}

bool pop3_reply_languages(struct out *out, enum pop3_language language)
{
	const size_t before = out->n;
	bool complete = pop3_reply_ok(out, pop3_text(language, "language list follows"));

	for (unsigned i = 0; i < POP3_LANGUAGES && complete; i++) {
		const enum pop3_language one = (enum pop3_language)i;

		complete = out_put(out, span_str(pop3_language_tag(one))) && out_char(out, ' ') &&
			   out_put(out, span_str(pop3_language_name(one))) && out_put(out, EOL);
	}
	return (complete && pop3_reply_end(out)) || out_undo(out, before);
}

bool pop3_reply_language(struct out *out, enum pop3_language language)
{
	const size_t before = out->n;

	return (out_put(out, SPAN_LIT("+OK ")) &&
		out_put(out, span_str(pop3_language_tag(language))) && out_char(out, ' ') &&
		out_put(out, pop3_text(language, "language changed")) && out_put(out, EOL)) ||
	       out_undo(out, before);
}
