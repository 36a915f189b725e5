/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_capabilities.h"

#include "base/num.h"
#include "base/out.h"

/* RFC 4422 section 3.1. */
#define MECHANISM_MAX 20

/* Takes the next word off the front; empty at the end. */
static struct span take_word(struct span *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		span_skip(s, 1);

	size_t n = 0;

	while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t')
		n++;

	const struct span word = span_of(s->p, n);

	span_skip(s, n);
	return word;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_mechanism(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = upper(s.p[i]);

		if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return s.n > 0 && s.n <= MECHANISM_MAX;
}

void pop3_capabilities_take_mechanism(struct pop3_capabilities *c, struct span line)
{
	const struct span name = take_word(&line);
	struct out out = {
		.p = c->sasl_mechanisms,
		.n = c->sasl_mechanisms_n,
		.cap = sizeof(c->sasl_mechanisms),
	};

	if (!is_mechanism(name) || pop3_capabilities_has_mechanism(c, name) ||
	    (out.n > 0) + name.n > out_room(&out))
		return;
	if (out.n > 0)
		(void)out_char(&out, ' ');
	for (size_t i = 0; i < name.n; i++)
		(void)out_char(&out, upper(name.p[i]));
	c->sasl_mechanisms_n = out.n;
}

bool pop3_capabilities_has_mechanism(const struct pop3_capabilities *c, struct span mechanism)
{
	struct span names = span_of(c->sasl_mechanisms, c->sasl_mechanisms_n);

	while (names.n > 0) {
		if (span_eq_nocase(take_word(&names), mechanism))
			return true;
	}
	return false;
}

static void take_sasl(struct pop3_capabilities *c, struct span arguments)
{
	c->sasl = true;
	while (arguments.n > 0)
		pop3_capabilities_take_mechanism(c, take_word(&arguments));
}

/* RFC 2449 section 6.7: "EXPIRE 30", "EXPIRE NEVER", "EXPIRE 30 USER". */
static void take_expire(struct pop3_capabilities *c, struct span arguments)
{
	const struct span policy = take_word(&arguments);
	uint64_t days = POP3_EXPIRE_NEVER;

	if (!span_eq_nocase(policy, SPAN_LIT("NEVER")) &&
	    !num_parse_u64(policy, POP3_EXPIRE_NEVER, &days))
		return;
	c->expire = true;
	c->expire_days = (uint32_t)days;
	c->expire_user = span_eq_nocase(take_word(&arguments), SPAN_LIT("USER"));
}

/* RFC 2449 section 6.5: "LOGIN-DELAY 900", "LOGIN-DELAY 900 USER". */
static void take_login_delay(struct pop3_capabilities *c, struct span arguments)
{
	uint64_t seconds;

	if (!num_parse_u64(take_word(&arguments), UINT32_MAX, &seconds))
		return;
	c->login_delay = true;
	c->login_delay_seconds = (uint32_t)seconds;
	c->login_delay_user = span_eq_nocase(take_word(&arguments), SPAN_LIT("USER"));
}

/* RFC 6856 section 2: "UTF8", "UTF8 USER". */
static void take_utf8(struct pop3_capabilities *c, struct span arguments)
{
	c->utf8 = true;
	c->utf8_user = span_eq_nocase(take_word(&arguments), SPAN_LIT("USER"));
}

static void take_implementation(struct pop3_capabilities *c, struct span text)
{
	struct out out = {.p = c->implementation, .cap = sizeof(c->implementation)};

	while (text.n > 0 && text.p[0] == ' ')
		span_skip(&text, 1);
	(void)out_put(&out, span_of(text.p, text.n < out.cap ? text.n : out.cap));
	c->implementation_n = out.n;
}

void pop3_capabilities_take(struct pop3_capabilities *c, struct span line)
{
	const struct {
		struct span name;
		bool *announced; /* all that is said by the name, */
		void (*take)(struct pop3_capabilities *c, struct span arguments); /* or not */
	} rows[] = {
		{SPAN_LIT("TOP"), &c->top, NULL},
		{SPAN_LIT("USER"), &c->user, NULL},
		{SPAN_LIT("UIDL"), &c->uidl, NULL},
		{SPAN_LIT("STLS"), &c->stls, NULL},
		{SPAN_LIT("PIPELINING"), &c->pipelining, NULL},
		{SPAN_LIT("RESP-CODES"), &c->resp_codes, NULL},
		{SPAN_LIT("AUTH-RESP-CODE"), &c->auth_resp_code, NULL},
		{SPAN_LIT("LANG"), &c->lang, NULL},
		{SPAN_LIT("UTF8"), NULL, take_utf8},
		{SPAN_LIT("SASL"), NULL, take_sasl},
		{SPAN_LIT("EXPIRE"), NULL, take_expire},
		{SPAN_LIT("LOGIN-DELAY"), NULL, take_login_delay},
		{SPAN_LIT("IMPLEMENTATION"), NULL, take_implementation},
	};
	const struct span name = take_word(&line);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!span_eq_nocase(name, rows[i].name))
			continue;
		if (rows[i].announced != NULL)
			*rows[i].announced = true;
		else
			rows[i].take(c, line);
		return;
	}
}
