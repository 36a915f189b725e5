/* SPDX-License-Identifier: MIT */
#include "codec/smtp/lmtp_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* clang-format off */
/* What each phase says to each command. HELP, NOOP, STARTTLS and VRFY are always allowed. */
static const enum lmtp_verdict may[LMTP_MESSAGE][SMTP_VERBS] = {
	[LMTP_CONNECTED] = {
		[SMTP_MAIL] = LMTP_NO_LHLO,
		[SMTP_RCPT] = LMTP_NO_LHLO,
		[SMTP_DATA] = LMTP_NO_LHLO,
		[SMTP_BDAT] = LMTP_NO_LHLO,
	},
	[LMTP_READY] = {
		[SMTP_RCPT] = LMTP_NO_SENDER,
		[SMTP_DATA] = LMTP_NO_SENDER,
		[SMTP_BDAT] = LMTP_NO_SENDER,
	},
	[LMTP_SENDER] = {
		[SMTP_MAIL] = LMTP_NESTED_MAIL,
		[SMTP_DATA] = LMTP_NO_RECIPIENT,
		[SMTP_BDAT] = LMTP_NO_RECIPIENT,
	},
	[LMTP_RECIPIENT] = {
		[SMTP_MAIL] = LMTP_NESTED_MAIL,
	},
	[LMTP_CHUNKS] = {
		[SMTP_MAIL] = LMTP_IN_CHUNKS,
		[SMTP_RCPT] = LMTP_IN_CHUNKS,
		[SMTP_DATA] = LMTP_IN_CHUNKS,
	},
};

/* Where each command that is allowed leads; what isn't listed stays. */
static const struct {
	enum lmtp_phase from;
	enum smtp_verb verb;
	enum lmtp_phase to;
} steps[] = {
	{ LMTP_CONNECTED, SMTP_LHLO, LMTP_READY },
	{ LMTP_CONNECTED, SMTP_QUIT, LMTP_ENDED },
	{ LMTP_READY,     SMTP_MAIL, LMTP_SENDER },
	{ LMTP_READY,     SMTP_QUIT, LMTP_ENDED },
	{ LMTP_SENDER,    SMTP_RCPT, LMTP_RECIPIENT },
	{ LMTP_SENDER,    SMTP_RSET, LMTP_READY },
	{ LMTP_SENDER,    SMTP_LHLO, LMTP_READY },
	{ LMTP_SENDER,    SMTP_QUIT, LMTP_ENDED },
	{ LMTP_RECIPIENT, SMTP_DATA, LMTP_MESSAGE },
	{ LMTP_RECIPIENT, SMTP_RSET, LMTP_READY },
	{ LMTP_RECIPIENT, SMTP_LHLO, LMTP_READY },
	{ LMTP_RECIPIENT, SMTP_QUIT, LMTP_ENDED },
	{ LMTP_RECIPIENT, SMTP_BDAT, LMTP_CHUNKS },
	{ LMTP_CHUNKS,    SMTP_BDAT, LMTP_CHUNKS },
	{ LMTP_CHUNKS,    SMTP_RSET, LMTP_READY },
	{ LMTP_CHUNKS,    SMTP_LHLO, LMTP_READY },
	{ LMTP_CHUNKS,    SMTP_QUIT, LMTP_ENDED },
};
/* clang-format on */

static struct lmtp_state in_phase(enum lmtp_phase phase)
{
	return (struct lmtp_state){
		.phase = phase,
		.max_recipients = 3,
		.recipients = phase == LMTP_RECIPIENT || phase == LMTP_CHUNKS ? 1 : 0,
	};
}

/* EHLO and HELO are LHLO. */
static enum smtp_verb same(enum smtp_verb verb)
{
	return verb == SMTP_EHLO || verb == SMTP_HELO ? SMTP_LHLO : verb;
}

static void every_command_in_every_phase(void **state)
{
	(void)state;
	for (unsigned phase = 0; phase < LMTP_MESSAGE; phase++) {
		for (unsigned verb = 0; verb < SMTP_VERBS; verb++) {
			struct lmtp_state s = in_phase(phase);
			enum lmtp_phase to = phase;

			assert_int_equal(lmtp_state_may(&s, verb), may[phase][verb]);
			if (may[phase][verb] != LMTP_MAY)
				continue;
			for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
				if (steps[i].from == phase && steps[i].verb == same(verb))
					to = steps[i].to;
			}
			lmtp_state_did(&s, verb);
			assert_int_equal(s.phase, to);
			if (to == LMTP_READY)
				assert_int_equal(s.recipients, 0);
		}
	}
}

static void recipients_are_counted(void **state)
{
	struct lmtp_state s = {.max_recipients = 2};

	(void)state;
	lmtp_state_did(&s, SMTP_LHLO);
	for (unsigned transaction = 0; transaction < 2; transaction++) {
		lmtp_state_did(&s, SMTP_MAIL);
		/* One that was refused: it was allowed, and nothing was done. */
		assert_int_equal(lmtp_state_may(&s, SMTP_RCPT), LMTP_MAY);
		assert_int_equal(lmtp_state_may(&s, SMTP_DATA), LMTP_NO_RECIPIENT);
		lmtp_state_did(&s, SMTP_RCPT);
		lmtp_state_did(&s, SMTP_RCPT);
		assert_int_equal(s.recipients, 2);
		assert_int_equal(lmtp_state_may(&s, SMTP_RCPT), LMTP_TOO_MANY_RECIPIENTS);
		lmtp_state_did(&s, SMTP_DATA);
		assert_int_equal(s.phase, LMTP_MESSAGE);
		assert_int_equal(s.recipients, 2);
		lmtp_state_message_done(&s);
		assert_int_equal(s.phase, LMTP_READY);
		assert_int_equal(s.recipients, 0);
	}
}

static void the_last_chunk_ends_the_message(void **state)
{
	struct lmtp_state s = in_phase(LMTP_RECIPIENT);

	(void)state;
	lmtp_state_did(&s, SMTP_BDAT);
	lmtp_state_did(&s, SMTP_BDAT);
	assert_int_equal(s.recipients, 1);
	lmtp_state_last_chunk(&s);
	assert_int_equal(s.phase, LMTP_MESSAGE);
	lmtp_state_message_done(&s);
	assert_int_equal(s.phase, LMTP_READY);
	assert_int_equal(lmtp_state_may(&s, SMTP_BDAT), LMTP_NO_SENDER);
}

static void errors(void **state)
{
	static const struct {
		enum lmtp_verdict verdict;
		const char *line;
	} replies[] = {
		{LMTP_NO_LHLO, "503 5.5.1 say LHLO first\r\n"},
		{LMTP_IN_CHUNKS, "503 5.5.1 the message has begun: say BDAT or RSET\r\n"},
		{LMTP_NESTED_MAIL, "503 5.5.1 there is a sender already\r\n"},
		{LMTP_NO_SENDER, "503 5.5.1 say MAIL first\r\n"},
		{LMTP_NO_RECIPIENT, "503 5.5.1 no recipient was accepted\r\n"},
		{LMTP_TOO_MANY_RECIPIENTS, "452 4.5.3 too many recipients\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		char memory[SMTP_COMMAND_ERROR_MAX];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		assert_true(lmtp_state_error(&out, replies[i].verdict, SMTP_DIALECT_LMTP));
		assert_true(span_eq(out_span(&out), span_str(replies[i].line)));
	}
}

static void smtp_says_ehlo(void **state)
{
	char memory[SMTP_COMMAND_ERROR_MAX];
	struct out out = {.p = memory, .cap = sizeof(memory)};

	(void)state;
	assert_true(lmtp_state_error(&out, LMTP_NO_LHLO, SMTP_DIALECT_SMTP));
	assert_true(span_eq(out_span(&out), SPAN_LIT("503 5.5.1 say EHLO first\r\n")));
}

static void names(void **state)
{
	static const char *const wanted[LMTP_PHASES] = {
		"CONNECTED", "READY", "SENDER", "RECIPIENT", "CHUNKS", "MESSAGE", "ENDED"};

	(void)state;
	for (unsigned phase = 0; phase < LMTP_PHASES; phase++)
		assert_string_equal(lmtp_phase_name(phase), wanted[phase]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_in_every_phase),
		cmocka_unit_test(recipients_are_counted),
		cmocka_unit_test(the_last_chunk_ends_the_message),
		cmocka_unit_test(errors),
		cmocka_unit_test(smtp_says_ehlo),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
