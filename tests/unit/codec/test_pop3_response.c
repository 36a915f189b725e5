/* SPDX-License-Identifier: MIT */
/* Kinds, texts and codes are in test_pop3_client.c, as a client meets them. */
#include "codec/pop3/pop3_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) SPAN_LIT(text)

static const struct {
	struct span text;
	struct span timestamp;
} timestamps[] = {
	{S("POP3 server ready <1896.697170952@dbc.mtview.ca.us>"),
	 S("<1896.697170952@dbc.mtview.ca.us>")},
	{S("<a@b>"), S("<a@b>")},
	{S("<a@b> and more"), S("<a@b>")},
	{S("<Popper> ready <a@b>"), S("<a@b>")},
	{S("a < b <a@b>"), S("<a@b>")},
	{S("<<a@b>>"), S("<a@b>")},
	{S("<~!@!~>"), S("<~!@!~>")},
	{S(""), S("")},
	{S("ready"), S("")},
	{S("<ready>"), S("")},
	{S("<>"), S("")},
	{S("<@>"), S("")},
	{S("<a@>"), S("")},
	{S("<@b>"), S("")},
	{S("<a@b"), S("")},
	{S("a@b>"), S("")},
	/* What a digest must not be made of: CVE-2007-1558. */
	{S("<a@b@c>"), S("")},
	{S("<a @b>"), S("")},
	{S("<a\0@b>"), S("")},
	{S("<a@b\x80>"), S("")},
	{S("<a@\x7f>"), S("")},
};

static void a_timestamp_is_a_message_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(timestamps) / sizeof(timestamps[0]); i++)
		assert_true(span_eq(pop3_response_timestamp(timestamps[i].text),
				    timestamps[i].timestamp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timestamp_is_a_message_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
