/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct pop3_capa facts[] = {
	{.state = POP3_AUTHORIZATION},
	{.state = POP3_AUTHORIZATION,
	 .stls = true,
	 .user = true,
	 .sasl = {"PLAIN LOGIN", 11},
	 .implementation = {"restante", 8}},
	{.state = POP3_TRANSACTION,
	 .stls = true,
	 .user = true,
	 .sasl = {"PLAIN", 5},
	 .implementation = {"restante", 8}},
	{.state = POP3_AUTHORIZATION, .login_delay = 900, .expire_days = 30, .by_user = true},
	{.state = POP3_TRANSACTION, .login_delay = UINT32_MAX, .expire_days = 7},
	{.state = POP3_AUTHORIZATION, .by_user = true},
};

#define UIDL "0123456789012345678901234567890123456789012345678901234567890123456789"

/* Calls number i of all these; false past the last one. */
static bool call(unsigned i, struct out *out, bool *ret_wrote, const char **ret_want)
{
#define CASE(number, want, wrote)   \
	case number:                \
		*ret_want = want;   \
		*ret_wrote = wrote; \
		return true
	switch (i) {
		CASE(0, "+OK\r\n", pop3_reply_ok(out, SPAN_LIT("")));
		CASE(1, "+OK hello there\r\n", pop3_reply_ok(out, SPAN_LIT("hello there")));
		CASE(2, "-ERR no\r\n", pop3_reply_err(out, POP3_CODE_NONE, SPAN_LIT("no")));
		CASE(3, "-ERR [IN-USE] no\r\n",
		     pop3_reply_err(out, POP3_CODE_IN_USE, SPAN_LIT("no")));
		CASE(4, "-ERR [LOGIN-DELAY] no\r\n",
		     pop3_reply_err(out, POP3_CODE_LOGIN_DELAY, SPAN_LIT("no")));
		CASE(5, "-ERR [SYS/TEMP] no\r\n",
		     pop3_reply_err(out, POP3_CODE_SYS_TEMP, SPAN_LIT("no")));
		CASE(6, "-ERR [SYS/PERM] no\r\n",
		     pop3_reply_err(out, POP3_CODE_SYS_PERM, SPAN_LIT("no")));
		CASE(7, "-ERR [AUTH] no\r\n", pop3_reply_err(out, POP3_CODE_AUTH, SPAN_LIT("no")));
		CASE(8, "+OK 120 octets\r\n", pop3_reply_retr(out, POP3_LANGUAGE_EN, 120));
		CASE(9, "+OK 0 0\r\n", pop3_reply_stat(out, 0, 0));
		/* Totals beyond 4 GiB, which 32 bits would show as 705032704. */
		CASE(10, "+OK 2 5000000000\r\n", pop3_reply_stat(out, 2, UINT64_C(5000000000)));
		CASE(11, "+OK 0 messages (0 octets)\r\n",
		     pop3_reply_list_begin(out, POP3_LANGUAGE_EN, 0, 0));
		CASE(12, "+OK 1 message (7 octets)\r\n",
		     pop3_reply_list_begin(out, POP3_LANGUAGE_EN, 1, 7));
		CASE(13, "+OK 2 messages (5000000000 octets)\r\n",
		     pop3_reply_list_begin(out, POP3_LANGUAGE_EN, 2, UINT64_C(5000000000)));
		CASE(14, "+OK 2 200\r\n", pop3_reply_list_one(out, 2, 200));
		CASE(15, "2 18446744073709551615\r\n", pop3_reply_list_line(out, 2, UINT64_MAX));
		CASE(16, "+OK 2 QhdPYR:00WBw1Ph7x7\r\n",
		     pop3_reply_uidl_one(out, 2, SPAN_LIT("QhdPYR:00WBw1Ph7x7")));
		CASE(17, "4294967295 " UIDL "\r\n",
		     pop3_reply_uidl_line(out, UINT32_MAX, SPAN_LIT(UIDL)));
		CASE(18, ".\r\n", pop3_reply_end(out));
		CASE(19,
		     "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		     "AUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\nUTF8 USER\r\nEXPIRE NEVER\r\n.\r\n",
		     pop3_reply_capa(out, &facts[0]));
		CASE(20,
		     "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		     "AUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\nUTF8 USER\r\nSTLS\r\nUSER\r\nSASL "
		     "PLAIN "
		     "LOGIN\r\nEXPIRE NEVER\r\n"
		     "IMPLEMENTATION restante\r\n.\r\n",
		     pop3_reply_capa(out, &facts[1]));
		/* STLS is nothing for who is logged in (RFC 2595 section 4). */
		CASE(21,
		     "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		     "AUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\nUTF8 USER\r\nUSER\r\nSASL "
		     "PLAIN\r\nEXPIRE "
		     "NEVER\r\n"
		     "IMPLEMENTATION restante\r\n.\r\n",
		     pop3_reply_capa(out, &facts[2]));
		CASE(22, "+OK mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n",
		     pop3_reply_mechanisms(out, POP3_LANGUAGE_EN, SPAN_LIT("PLAIN LOGIN")));
		CASE(23, "+OK mechanisms follow\r\n.\r\n",
		     pop3_reply_mechanisms(out, POP3_LANGUAGE_EN, SPAN_LIT("")));
		CASE(24,
		     "+OK language list follows\r\ni-default English\r\nen English\r\n"
		     "ja 日本語\r\n.\r\n",
		     pop3_reply_languages(out, POP3_LANGUAGE_I_DEFAULT));
		CASE(25, "+OK ja 言語を切り替えました\r\n",
		     pop3_reply_language(out, POP3_LANGUAGE_JA));
		CASE(26, "+OK i-default language changed\r\n",
		     pop3_reply_language(out, POP3_LANGUAGE_I_DEFAULT));
		CASE(27, "+OK 120 オクテット\r\n", pop3_reply_retr(out, POP3_LANGUAGE_JA, 120));
		CASE(28, "+OK 1 通 (7 オクテット)\r\n",
		     pop3_reply_list_begin(out, POP3_LANGUAGE_JA, 1, 7));
		CASE(29,
		     "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		     "AUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\nUTF8 USER\r\nLOGIN-DELAY 900 "
		     "USER\r\nEXPIRE 30 "
		     "USER\r\n.\r\n",
		     pop3_reply_capa(out, &facts[3]));
		CASE(30,
		     "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		     "AUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\nUTF8 USER\r\nLOGIN-DELAY "
		     "4294967295\r\nEXPIRE "
		     "7\r\n.\r\n",
		     pop3_reply_capa(out, &facts[4]));
		CASE(31,
		     "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
		     "AUTH-RESP-CODE\r\nPIPELINING\r\nLANG\r\nUTF8 USER\r\nEXPIRE NEVER\r\n.\r\n",
		     pop3_reply_capa(out, &facts[5]));
	default:
		return false;
	}
#undef CASE
}

/* With room it writes what is wanted; with less room, however much, nothing. */
static void replies(void **state)
{
	char memory[300];
	bool wrote;
	const char *want;

	(void)state;
	for (unsigned i = 0;; i++) {
		struct out out = {.p = memory, .cap = sizeof(memory)};

		assert_true(pop3_reply_ok(&out, SPAN_LIT("before")));

		const size_t before = out.n;

		if (!call(i, &out, &wrote, &want))
			break;
		assert_true(wrote);
		out_char(&out, '\0');
		assert_string_equal(memory + before, want);
		for (size_t room = 0; room < strlen(want); room++) {
			out.n = before;
			out.cap = before + room;
			assert_true(call(i, &out, &wrote, &want));
			assert_false(wrote);
			assert_int_equal(out.n, before);
		}
	}
}

static void a_scan_line_fits_where_its_header_says(void **state)
{
	char memory[POP3_SCAN_LINE_MAX];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	(void)state;
	assert_true(pop3_reply_uidl_line(&out, UINT32_MAX, SPAN_LIT(UIDL)));
	assert_int_equal(out_room(&out), 0);
	out.n = 0;
	assert_true(pop3_reply_list_line(&out, UINT32_MAX, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
		cmocka_unit_test(a_scan_line_fits_where_its_header_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
