/* SPDX-License-Identifier: MIT */
#include "client/progress.h"

#include "client_help.h"

static void sizes(void **state)
{
	static const struct {
		uint64_t octets;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1000, "1.0 kB"},
		{12345, "12.3 kB"},
		{999949, "999.9 kB"},
		{999950, "1.0 MB"},
		{48000000, "48.0 MB"},
		{UINT64_C(5000000000), "5.0 GB"},
		{UINT64_MAX, "18.4 EB"},
	};
	char text[PROGRESS_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		progress_size(cases[i].octets, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void lines(void **state)
{
	static const struct {
		struct progress p;
		uint64_t elapsed_ms;
		size_t columns;
		const char *line;
	} cases[] = {
		/* Too early for a rate. */
		{{.name = "work",
		  .messages = 4,
		  .octets = 1000,
		  .messages_come = 2,
		  .octets_come = 500},
		 100,
		 60,
		 "work  [===============>              ]  2/4  500 B of 1.0 kB"},
		{{.name = "work",
		  .messages = 4,
		  .octets = 4000,
		  .messages_come = 2,
		  .octets_come = 2000},
		 2000,
		 79,
		 "work  [================>               ]  2/4  2.0 kB of 4.0 kB  1.0 kB/s  0:02"},
		/* As long as it is useful; no room for a bar; no room for all of it. */
		{{.name = "work",
		  .messages = 4,
		  .octets = 1000,
		  .messages_come = 2,
		  .octets_come = 500},
		 100,
		 200,
		 "work  [====================>                   ]  2/4  500 B of 1.0 kB"},
		{{.name = "work",
		  .messages = 4,
		  .octets = 1000,
		  .messages_come = 2,
		  .octets_come = 500},
		 100,
		 38,
		 "work  [====>   ]  2/4  500 B of 1.0 kB"},
		{{.name = "work",
		  .messages = 4,
		  .octets = 1000,
		  .messages_come = 2,
		  .octets_come = 500},
		 100,
		 37,
		 "work  2/4  500 B of 1.0 kB"},
		{{.name = "work",
		  .messages = 4,
		  .octets = 1000,
		  .messages_come = 2,
		  .octets_come = 500},
		 100,
		 10,
		 "work  2/4 "},
		/* More than LIST has said; LIST said nothing. */
		{{.name = "w", .messages = 1, .octets = 10, .octets_come = 2000},
		 1000,
		 60,
		 "w  [==================]  0/1  2.0 kB of 10 B  2.0 kB/s  0:00"},
		{{.name = "w", .messages = 1}, 0, 36, "w  [==============]  0/1  0 B of 0 B"},
		/* An hour and more. */
		{{.name = "w", .messages = 1, .octets = 36610000, .octets_come = 10000},
		 1000,
		 49,
		 "w  0/1  10.0 kB of 36.6 MB  10.0 kB/s  1:01:00"},
	};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		progress_line(&cases[i].p, cases[i].elapsed_ms, cases[i].columns, line);
		assert_true(strlen(line) <= cases[i].columns);
		assert_string_equal(line, cases[i].line);
	}
}

/* However wide the terminal and long the name, it is one line. */
static void fits(void **state)
{
	static const struct progress p = {
		.name = "an-account-with-a-very-long-name-that-goes-on-and-on",
		.messages = 100000,
		.octets = UINT64_C(123456789012),
		.messages_come = 99999,
		.octets_come = UINT64_C(12345678901),
	};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	for (size_t columns = 1; columns < 400; columns++) {
		progress_line(&p, 60000, columns, line);
		assert_true(strlen(line) <= columns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(lines),
		cmocka_unit_test(fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
