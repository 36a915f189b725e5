/* SPDX-License-Identifier: MIT */
#include "codec/sasl/sasl_oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)
#define A "\1"

struct good {
	struct span message;
	const char *user;
	struct span token;
};

static void bearer(void **state)
{
	static const struct good cases[] = {
		/* RFC 7628 section 4.1 */
		{S("n,a=user@example.com," A "host=server.example.com" A "port=143" A
		   "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" A A),
		 "user@example.com", S("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")},
		{S("n,," A "auth=Bearer x" A A), "", S("x")},
		{S("y,," A "auth=bearer x" A A), "", S("x")},
		{S("n,," A "auth=BEARER   x" A A), "", S("x")},
		{S("n,," A "auth=Bearer -._~+/aZ09==" A "port=1" A A), "", S("-._~+/aZ09==")},
		{S("n,a=a=2Cb=3d," A "auth=Bearer x" A A), "a,b=", S("x")},
		{S("n,," A "path=/a=b?\t\r\n" A "auth=Bearer x" A A), "", S("x")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sasl_oauth it;

		if (!sasl_oauth_parse_bearer(cases[i].message, &it))
			fail_msg("case %zu", i);
		assert_string_equal(it.user, cases[i].user);
		assert_true(span_eq(it.token, cases[i].token));
		/* Cut anywhere, it is none. */
		for (size_t n = 0; n < cases[i].message.n; n++)
			assert_false(sasl_oauth_parse_bearer(span_of(cases[i].message.p, n), &it));
	}
}

static void not_bearer(void **state)
{
	static const struct span cases[] = {
		S(A),
		S("n,," A A),
		S("n,," A "host=x" A A),
		S("n," A "auth=Bearer x" A A),
		S("x,," A "auth=Bearer x" A A),
		S("n,b=x," A "auth=Bearer x" A A),
		S("n,a=," A "auth=Bearer x" A A),
		S("n,a=a,b," A "auth=Bearer x" A A),
		S("n,a=a=2x," A "auth=Bearer x" A A),
		S("n,a=a=2," A "auth=Bearer x" A A),
		S("n,a=a\0b," A "auth=Bearer x" A A),
		S("n,a=a\nb," A "auth=Bearer x" A A),
		S("p=tls-unique,," A "auth=Bearer x" A A),
		S("n,," A "auth=Bearer" A A),
		S("n,," A "auth=Bearer " A A),
		S("n,," A "auth=Bearer =" A A),
		S("n,," A "auth=Bearer a=b" A A),
		S("n,," A "auth=Bearer a b" A A),
		S("n,," A "auth=Bearer a\0" A A),
		S("n,," A "auth=Basic a" A A),
		S("n,," A "auth=MAC a" A A),
		S("n,," A "AUTH=Bearer a" A A),
		S("n,," A "auth=Bearer a" A "auth=Bearer b" A A),
		S("n,," A "=x" A "auth=Bearer a" A A),
		S("n,," A "x" A "auth=Bearer a" A A),
		S("n,," A "x1=y" A "auth=Bearer a" A A),
		S("n,," A "x=\x80" A "auth=Bearer a" A A),
		S("n,," A "auth=Bearer a" A),
		S("n,," A "auth=Bearer a" A A A),
		S("n,," A "auth=Bearer a" A A "x=y" A A),
	};
	struct sasl_oauth it;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (sasl_oauth_parse_bearer(cases[i], &it))
			fail_msg("case %zu", i);
	}
}

static void xoauth2(void **state)
{
	static const struct good cases[] = {
		/* What Google's page shows. */
		{S("user=someuser@example.com" A "auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzd"
		   "GEuY29tCg" A A),
		 "someuser@example.com", S("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")},
		{S("user=a,=b" A "auth=Bearer x" A A), "a,=b", S("x")},
	};
	static const struct span bad[] = {
		S("user=" A "auth=Bearer x" A A),      S("user=a" A A),
		S("User=a" A "auth=Bearer x" A A),     S("n,a=a," A "auth=Bearer x" A A),
		S("user=a\0b" A "auth=Bearer x" A A),  S("auth=Bearer x" A A),
		S("user=a" A "auth=Bearer x" A A "y"),
	};
	struct sasl_oauth it;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!sasl_oauth_parse_xoauth2(cases[i].message, &it))
			fail_msg("case %zu", i);
		assert_string_equal(it.user, cases[i].user);
		assert_true(span_eq(it.token, cases[i].token));
		for (size_t n = 0; n < cases[i].message.n; n++)
			assert_false(sasl_oauth_parse_xoauth2(span_of(cases[i].message.p, n), &it));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (sasl_oauth_parse_xoauth2(bad[i], &it))
			fail_msg("bad %zu", i);
	}
}

static void long_names(void **state)
{
	char text[LIMIT_USER + 64];

	(void)state;
	for (size_t n = LIMIT_USER - 1; n <= LIMIT_USER + 1; n++) {
		struct out out = {.p = text, .cap = sizeof(text)};
		struct sasl_oauth it;

		assert_true(out_put(&out, S("user=")));
		for (size_t i = 0; i < n; i++)
			assert_true(out_char(&out, 'u'));
		assert_true(out_put(&out, S(A "auth=Bearer x" A A)));
		assert_int_equal(sasl_oauth_parse_xoauth2(out_span(&out), &it), n <= LIMIT_USER);
	}
}

static void errors(void **state)
{
	static const struct {
		bool xoauth2;
		struct span status, scope, text;
	} cases[] = {
		{false, S("invalid_token"), S(""), S("{\"status\":\"invalid_token\"}")},
		{false, S("invalid_token"), S("mail"),
		 S("{\"status\":\"invalid_token\",\"scope\":\"mail\"}")},
		{false, S("x"), S("a\"\\\n"), S("{\"status\":\"x\",\"scope\":\"a\\\"\\\\ \"}")},
		{true, S("invalid_token"), S("mail"),
		 S("{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}")},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct out out = {.p = text, .cap = cases[i].text.n};

		assert_true(sasl_oauth_put_error(&out, cases[i].xoauth2, cases[i].status,
						 cases[i].scope));
		assert_true(span_eq(out_span(&out), cases[i].text));
		out = (struct out){.p = text, .cap = cases[i].text.n - 1};
		assert_false(sasl_oauth_put_error(&out, cases[i].xoauth2, cases[i].status,
						  cases[i].scope));
		assert_int_equal(out.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bearer),  cmocka_unit_test(not_bearer),
		cmocka_unit_test(xoauth2), cmocka_unit_test(long_names),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
