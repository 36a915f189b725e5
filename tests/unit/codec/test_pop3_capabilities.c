/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_capabilities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static struct pop3_capabilities taken(struct span line)
{
	struct pop3_capabilities c = {0};

	pop3_capabilities_take(&c, line);
	return c;
}

static void assert_same(struct pop3_capabilities *got, struct pop3_capabilities *want)
{
	assert_int_equal(got->top, want->top);
	assert_int_equal(got->user, want->user);
	assert_int_equal(got->uidl, want->uidl);
	assert_int_equal(got->stls, want->stls);
	assert_int_equal(got->pipelining, want->pipelining);
	assert_int_equal(got->resp_codes, want->resp_codes);
	assert_int_equal(got->auth_resp_code, want->auth_resp_code);
	assert_int_equal(got->utf8, want->utf8);
	assert_int_equal(got->utf8_user, want->utf8_user);
	assert_int_equal(got->lang, want->lang);
	assert_int_equal(got->sasl, want->sasl);
	assert_int_equal(got->expire, want->expire);
	assert_int_equal(got->expire_days, want->expire_days);
	assert_int_equal(got->expire_user, want->expire_user);
	assert_int_equal(got->login_delay, want->login_delay);
	assert_int_equal(got->login_delay_seconds, want->login_delay_seconds);
	assert_int_equal(got->login_delay_user, want->login_delay_user);
	assert_int_equal(got->sasl_mechanisms_n, want->sasl_mechanisms_n);
	assert_memory_equal(got->sasl_mechanisms, want->sasl_mechanisms, want->sasl_mechanisms_n);
	assert_int_equal(got->implementation_n, want->implementation_n);
	assert_memory_equal(got->implementation, want->implementation, want->implementation_n);
}

/* Each line says this and nothing else. */
static struct {
	struct span line;
	struct pop3_capabilities says;
} cases[] = {
	{S("TOP"), {.top = true}},
	{S("top "), {.top = true}},
	{S("USER"), {.user = true}},
	{S("UIDL"), {.uidl = true}},
	{S("STLS"), {.stls = true}},
	{S("PIPELINING"), {.pipelining = true}},
	{S("RESP-CODES"), {.resp_codes = true}},
	{S("AUTH-RESP-CODE"), {.auth_resp_code = true}},
	{S("LANG"), {.lang = true}},
	{S("UTF8"), {.utf8 = true}},
	{S("UTF8 USER"), {.utf8 = true, .utf8_user = true}},
	{S("UTF8 OTHER"), {.utf8 = true}},
	{S("SASL"), {.sasl = true}},
	{S("SASL plain  login "),
	 {.sasl = true, .sasl_mechanisms = "PLAIN LOGIN", .sasl_mechanisms_n = 11}},
	{S("sasl\tPLAIN PLAIN plain"),
	 {.sasl = true, .sasl_mechanisms = "PLAIN", .sasl_mechanisms_n = 5}},
	{S("SASL SCRAM-SHA-256-PLUS X_1"),
	 {.sasl = true, .sasl_mechanisms = "SCRAM-SHA-256-PLUS X_1", .sasl_mechanisms_n = 22}},
	/* Names of 20 octets, of more, and such as no mechanism has. */
	{S("SASL ABCDEFGHIJKLMNOPQRST"),
	 {.sasl = true, .sasl_mechanisms = "ABCDEFGHIJKLMNOPQRST", .sasl_mechanisms_n = 20}},
	{S("SASL ABCDEFGHIJKLMNOPQRSTU PL\0IN \x80 A:B Z9"),
	 {.sasl = true, .sasl_mechanisms = "Z9", .sasl_mechanisms_n = 2}},
	{S("EXPIRE 30"), {.expire = true, .expire_days = 30}},
	{S("EXPIRE 0"), {.expire = true}},
	{S("EXPIRE NEVER"), {.expire = true, .expire_days = POP3_EXPIRE_NEVER}},
	{S("expire never"), {.expire = true, .expire_days = POP3_EXPIRE_NEVER}},
	{S("EXPIRE 30 USER"), {.expire = true, .expire_days = 30, .expire_user = true}},
	{S("EXPIRE 30 other"), {.expire = true, .expire_days = 30}},
	{S("EXPIRE 4294967296"), {0}},
	{S("EXPIRE -1"), {0}},
	{S("EXPIRE"), {0}},
	{S("LOGIN-DELAY 900"), {.login_delay = true, .login_delay_seconds = 900}},
	{S("LOGIN-DELAY 900 user"),
	 {.login_delay = true, .login_delay_seconds = 900, .login_delay_user = true}},
	{S("LOGIN-DELAY"), {0}},
	{S("LOGIN-DELAY soon"), {0}},
	{S("LOGIN-DELAY 4294967296"), {0}},
	{S("IMPLEMENTATION  Some Server 1.0\x80"),
	 {.implementation = "Some Server 1.0\x80", .implementation_n = 16}},
	{S("IMPLEMENTATION"), {0}},
	/* Nothing that is known. */
	{S("X-OWN TOP"), {0}},
	{S("TOPS"), {0}},
	{S("TO"), {0}},
	{S(""), {0}},
	{S("  "), {0}},
};

static void each_line_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pop3_capabilities got = taken(cases[i].line);

		assert_same(&got, &cases[i].says);
	}
}

static void mechanisms_are_found(void **state)
{
	struct pop3_capabilities c = taken(S("SASL PLAIN SCRAM-SHA-256"));

	(void)state;
	pop3_capabilities_take(&c, S("SASL LOGIN"));
	pop3_capabilities_take_mechanism(&c, S("cram-md5"));
	pop3_capabilities_take_mechanism(&c, S(" XOAUTH2 "));
	pop3_capabilities_take_mechanism(&c, S(""));
	assert_true(pop3_capabilities_has_mechanism(&c, S("plain")));
	assert_true(pop3_capabilities_has_mechanism(&c, S("SCRAM-SHA-256")));
	assert_true(pop3_capabilities_has_mechanism(&c, S("LOGIN")));
	assert_true(pop3_capabilities_has_mechanism(&c, S("CRAM-MD5")));
	assert_true(pop3_capabilities_has_mechanism(&c, S("XOAUTH2")));
	assert_false(pop3_capabilities_has_mechanism(&c, S("SCRAM-SHA-1")));
	assert_false(pop3_capabilities_has_mechanism(&c, S("SCRAM-SHA-256-PLUS")));
	assert_false(pop3_capabilities_has_mechanism(&c, S("")));
	assert_false(pop3_capabilities_has_mechanism(&c, S("PLAIN SCRAM-SHA-256")));
}

/* A server can list for ever: whole names as far as they go, and no octet further. */
static void what_has_no_room_is_left_out(void **state)
{
	struct pop3_capabilities c = {0};
	char name[] = "AAAAAAAAAAAAAAAAAAAA", text[200];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		name[0] = (char)('A' + i % 26);
		name[1] = (char)('A' + i / 26);
		pop3_capabilities_take_mechanism(&c, span_str(name));
	}
	/* 24 names of 20 octets and their spaces are 503. */
	assert_int_equal(c.sasl_mechanisms_n, 24 * 21 - 1);
	/* A space and 8 octets are what is left. */
	pop3_capabilities_take_mechanism(&c, S("123456789"));
	assert_int_equal(c.sasl_mechanisms_n, 24 * 21 - 1);
	pop3_capabilities_take_mechanism(&c, S("12345678"));
	assert_int_equal(c.sasl_mechanisms_n, POP3_CAPABILITIES_SASL_MAX);
	assert_true(pop3_capabilities_has_mechanism(&c, S("12345678")));

	memset(text, 'x', sizeof(text));
	memcpy(text, "IMPLEMENTATION ", 15);
	pop3_capabilities_take(&c, span_of(text, sizeof(text)));
	assert_int_equal(c.implementation_n, POP3_CAPABILITIES_IMPLEMENTATION_MAX);
	pop3_capabilities_take(&c, S("IMPLEMENTATION short"));
	assert_int_equal(c.implementation_n, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_taken),
		cmocka_unit_test(mechanisms_are_found),
		cmocka_unit_test(what_has_no_room_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
