/* SPDX-License-Identifier: MIT */
#include "import/courier_list.h"

#include "import_help.h"

/* A list of one line, and the UIDL that Courier tells; NULL: the line is wrong. */
static const struct {
	const char *file;
	const char *name;
	const char *uidl;
} lines[] = {
	{"1700.a 10\n", "1700.a", "1700.a"},
	{"with space 10\n", "with space", "with+20space"},
	{"q'\"+\xc3\xa9:2,S 10\n", "q'\"+\xc3\xa9", "q+27+22+2B+C3+A9"},
	{"/1 9\na:2, 10 7\n", "a", "UID7"},
	{"/1 9\na 10 0\n", "a", "a"},
	{"/2 9 55\na 10 7:55\n", "a", "UID7-55"},
	{"/2 9 55\na 10 7:0\n", "a", "UID7"},
	{"/3 9 55\na 10 7:55:1\n", "a", "UID7-55"},
	{"/3 9 55\na 10 0:0:0\n", "a", "a"},
	{"/3 9 55\na 10 18446744073709551615:1:0\n", "a", "UID18446744073709551615-1"},
	{"/3 9 55\na 10 18446744073709551616:1:0\n", NULL, NULL},
	{"/3 9 55\na 10 7:55\n", NULL, NULL},
	{"/3 9 55\na 10 7:55:0:0\n", NULL, NULL},
	{"/3 9 55\na x 7:55:0\n", NULL, NULL},
	{"/3 9 55\n10 7:55:0\n", NULL, NULL},
	{"/3 9 55\n 10 7:55:0\n", NULL, NULL},
	{"/3 9 55\na/b 10 7:55:0\n", NULL, NULL},
	{"/2 9 55\na 10 7:55:0\n", NULL, NULL},
	{"/1 9\na 10\n", NULL, NULL},
	{"a\n", NULL, NULL},
	{"\n", NULL, NULL},
	{"a 10", NULL, NULL},
};

static void reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct courier_list l;
		struct courier_record r;
		struct err err = {""};
		char text[128];
		struct out out = {.p = text, .cap = sizeof(text)};

		assert_true(courier_list_open(&l, span_str(lines[i].file), &err));
		if (lines[i].uidl == NULL) {
			assert_int_equal(courier_list_next(&l, &r, &err), COURIER_BAD);
			assert_true(err.text[0] != '\0');
			continue;
		}
		assert_int_equal(courier_list_next(&l, &r, &err), COURIER_RECORD);
		expect_span(r.name, lines[i].name);
		assert_true(courier_uidl(&r, &out));
		expect_span(out_span(&out), lines[i].uidl);
		out = (struct out){.p = text, .cap = strlen(lines[i].uidl) - 1};
		assert_false(courier_uidl(&r, &out));
		assert_int_equal(out.n, 0);
		assert_int_equal(courier_list_next(&l, &r, &err), COURIER_END);
	}
}

static void versions(void **state)
{
	static const char *const bad[] = {"/0 1\n", "/4 1 2\n",  "/\n",
					  "/3\n",   "/33 1 2\n", "/3 1 2"};
	struct courier_list l;
	struct courier_record r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(courier_list_open(&l, span_str(bad[i]), &err));
	assert_true(courier_list_open(&l, span_str(""), &err));
	assert_int_equal(courier_list_next(&l, &r, &err), COURIER_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(versions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
