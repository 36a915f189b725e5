/* SPDX-License-Identifier: MIT */
#include "codec/pop3/pop3_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* All that may happen; everything else may not. */
static const struct {
	enum pop3_state from;
	enum pop3_event event;
	enum pop3_state to;
} legal[] = {
	{POP3_AUTHORIZATION, POP3_EVENT_LOGIN, POP3_TRANSACTION},
	{POP3_AUTHORIZATION, POP3_EVENT_QUIT, POP3_ENDED},
	{POP3_AUTHORIZATION, POP3_EVENT_LOST, POP3_ENDED},
	{POP3_TRANSACTION, POP3_EVENT_QUIT, POP3_UPDATE},
	{POP3_TRANSACTION, POP3_EVENT_LOST, POP3_ENDED},
	{POP3_UPDATE, POP3_EVENT_DONE, POP3_ENDED},
	{POP3_UPDATE, POP3_EVENT_LOST, POP3_ENDED},
};

static void every_event_in_every_state(void **state)
{
	(void)state;
	for (unsigned from = 0; from < POP3_STATES; from++) {
		for (unsigned event = 0; event < POP3_EVENTS; event++) {
			enum pop3_state s = from;
			enum pop3_state want = from;
			bool may = false;

			for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
				if (legal[i].from == from && legal[i].event == event) {
					may = true;
					want = legal[i].to;
				}
			}
			assert_int_equal(pop3_state_next(&s, event), may);
			assert_int_equal(s, want);
		}
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(pop3_state_name(POP3_AUTHORIZATION), "AUTHORIZATION");
	assert_string_equal(pop3_state_name(POP3_TRANSACTION), "TRANSACTION");
	assert_string_equal(pop3_state_name(POP3_UPDATE), "UPDATE");
	assert_string_equal(pop3_state_name(POP3_ENDED), "ENDED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_state),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
