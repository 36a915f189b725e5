/* SPDX-License-Identifier: MIT */
#include "import/dovecot_uidlist.h"

#include "import_help.h"

static void version_3(void **state)
{
	static const char file[] = "3 V1597910300 N12 G0123456789\n"
				   "1 :a.host\n"
				   "2 W44 S40 :b.host,S=40:2,S\n"
				   "5  O3 Pold-uidl G77aa :c:host\n"
				   "6 P :d.host\n"
				   "7 Onone Q1 :e.host\n"
				   "9 :being-writ";
	struct dovecot_uidlist l;
	struct dovecot_record r;
	struct err err;

	(void)state;
	assert_true(dovecot_uidlist_open(&l, span_str(file), &err));
	assert_int_equal(l.uid_validity, 1597910300);
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	assert_int_equal(r.uid, 1);
	expect_span(r.name, "a.host");
	assert_false(r.has_pop3_uidl || r.has_pop3_order || r.guid.n > 0);
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	expect_span(r.name, "b.host,S=40");
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	assert_int_equal(r.uid, 5);
	expect_span(r.name, "c");
	assert_true(r.has_pop3_uidl && r.has_pop3_order);
	expect_span(r.pop3_uidl, "old-uidl");
	assert_int_equal(r.pop3_order, 3);
	expect_span(r.guid, "77aa");
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	assert_true(r.has_pop3_uidl);
	expect_span(r.pop3_uidl, "");
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	assert_false(r.has_pop3_order);
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_END);
}

static void version_1(void **state)
{
	struct dovecot_uidlist l;
	struct dovecot_record r;
	struct err err;

	(void)state;
	assert_true(dovecot_uidlist_open(
		&l, span_str("1 77 9\n3 x.host:2,RS\n4 P name with spaces\n"), &err));
	assert_int_equal(l.uid_validity, 77);
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	expect_span(r.name, "x.host");
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
	expect_span(r.name, "P name with spaces");
	assert_false(r.has_pop3_uidl);
	assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_END);
}

static void bad_headers(void **state)
{
	static const char *const files[] = {
		"",          "3 V1 N2",   "2 1 2\n",         "4 V1 N2\n",     "3 N2\n",
		"3 V0 N2\n", "3 Vx N2\n", "1 1\n",           "1 1 2 extra\n", "1 0 2\n",
		"x\n",       "\n",        "3 V4294967296\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct dovecot_uidlist l;
		struct err err = {""};

		assert_false(dovecot_uidlist_open(&l, span_str(files[i]), &err));
		assert_true(err.text[0] != '\0');
	}
}

static void bad_lines(void **state)
{
	static const char *const lines[] = {
		"\n",        "0 :a\n",   "x :a\n",          "5\n",    "5 \n", "5 W1\n", "5 :\n",
		"5 ::2,S\n", "5 :a/b\n", "4294967296 :a\n", "1 :a\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char file[128];
		struct dovecot_uidlist l;
		struct dovecot_record r;
		struct err err = {""};

		(void)snprintf(file, sizeof(file), "3 V1 N2\n2 :ok\n%s", lines[i]);
		assert_true(dovecot_uidlist_open(&l, span_str(file), &err));
		assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_RECORD);
		assert_int_equal(dovecot_uidlist_next(&l, &r, &err), DOVECOT_BAD);
		assert_int_equal(l.line, 3);
		assert_true(err.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_3),
		cmocka_unit_test(version_1),
		cmocka_unit_test(bad_headers),
		cmocka_unit_test(bad_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
