/* SPDX-License-Identifier: MIT */
#include "import/import_date.h"

#include <stdlib.h>
#include <time.h>

#include "import_help.h"

/* 0: no date. */
static const struct {
	const char *text;
	uint64_t seconds;
} dates[] = {
	{"Thu, 1 Jan 1970 00:00:01 +0000", 1},
	{"Wed, 25 Nov 2026 04:18:34 +0000", 1795580314},
	{"25 Nov 2026 04:18 GMT", 1795580280},
	{" Wed,\r\n\t25 Nov 2026 09:48:34 +0530 (India (Standard) Time)", 1795580314},
	{"Tue, 24 Nov 26 20:18:34 -0800", 1795580314},
	{"17-Jul-1996 02:44:25 -0700", 837596665},
	{" 7-Jul-1996 02:44:25 +0000", 836707465},
	{"Wed Nov 25 04:18:34 2026", 1795580314},
	{"Mon Jan  5 09:00:00 2004", 1073293200},
	{"", 0},
	{"yesterday", 0},
	{"25 Nov 2026", 0},
	{"32 Nov 2026 04:18:34", 0},
	{"25 Nov 2026 04:18:99 +0000", 0},
	{"25 Foo 2026 04:18:34", 0},
	{"1 Jan 1960 00:00:00 +0000", 0},
	{": - + -- :: 99999999999999999999", 0},
};

static void parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		uint64_t seconds = 0;

		assert_int_equal(import_date_parse(span_str(dates[i].text), &seconds),
				 dates[i].seconds != 0);
		assert_int_equal(seconds, dates[i].seconds);
	}
}

/* What has a zone is meant by it, and what has none by this machine's clock. */
static void local(void **state)
{
	const struct span without = SPAN_LIT("Wed Nov 25 04:18:34 2026");
	uint64_t seconds;

	(void)state;
	assert_int_equal(setenv("TZ", "JST-9", 1), 0);
	tzset();
	assert_true(import_date_parse_local(without, &seconds));
	assert_int_equal(seconds, 1795580314 - 9 * 3600);
	assert_true(import_date_parse_local(SPAN_LIT("Wed Nov 25 04:18:34 2026 +0000"), &seconds));
	assert_int_equal(seconds, 1795580314);
	assert_true(import_date_parse(without, &seconds));
	assert_int_equal(seconds, 1795580314);
}

static const char header[] = "Return-Path: <a@b>\r\n"
			     "Received: from x by y; for z;\r\n"
			     "\tWed, 25 Nov 2026 04:18:34 +0000\r\n"
			     "Date: Tue, 24 Nov 2026 00:00:00 +0000\r\n"
			     "Received: from w by x; Tue, 24 Nov 2026 01:00:00 +0000\r\n"
			     "\r\n"
			     "Received: by the body; Thu, 1 Jan 1970 00:00:01 +0000\r\n";

/* However it is cut, the first Received counts. */
static void header_cut(void **state)
{
	const struct span all = span_str(header);

	(void)state;
	for (size_t cut = 1; cut <= all.n; cut++) {
		struct import_date d = {0};

		for (size_t at = 0; at < all.n; at += cut)
			import_date_take(&d,
					 span_of(all.p + at, all.n - at < cut ? all.n - at : cut));
		assert_int_equal(import_date_end(&d), 1795580314);
	}
}

static void without_received(void **state)
{
	struct import_date d = {0};
	struct import_date none = {0};
	struct import_date open_end = {0};

	(void)state;
	import_date_take(&d,
			 span_str("Received: no date\nDate: Wed, 25 Nov 2026 04:18:34 +0000\n\nx"));
	assert_int_equal(import_date_end(&d), 1795580314);
	import_date_take(&none, span_str("\nDate: Wed, 25 Nov 2026 04:18:34 +0000\n"));
	assert_int_equal(import_date_end(&none), 0);
	import_date_take(&open_end, span_str("Date: Wed, 25 Nov 2026 04:18:34 +0000"));
	assert_int_equal(import_date_end(&open_end), 1795580314);
}

/* A field of any length is cut, and the next one is read. */
static void long_field(void **state)
{
	struct import_date d = {0};

	(void)state;
	import_date_take(&d, span_str("X: "));
	for (int i = 0; i < 10000; i++)
		import_date_take(&d, span_str("xxxxxxx"));
	import_date_take(&d, span_str("\r\nDate: Wed, 25 Nov 2026 04:18:34 +0000\r\n\r\n"));
	assert_int_equal(import_date_end(&d), 1795580314);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),     cmocka_unit_test(local),
		cmocka_unit_test(header_cut), cmocka_unit_test(without_received),
		cmocka_unit_test(long_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
