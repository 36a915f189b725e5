/* SPDX-License-Identifier: MIT */
/* Names from strangers become parts of paths: nothing may lead out of the spool. */
#include "auth/user_name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void good_names(void **state)
{
	static const char *const cases[][2] = {
		{"alice", "alice"},
		{"Alice@Example.ORG", "alice@example.org"},
		{"a.b-c_d+e=f", "a.b-c_d+e=f"},
		{"a..b", "a..b"},
		{"two words", "two words"},
		{"#hash", "#hash"},
		{"a@b@c", "a@b@c"},
		{"\xe5\xb1\xb1\xe7\x94\xb0@\xe4\xbe\x8b.jp",
		 "\xe5\xb1\xb1\xe7\x94\xb0@\xe4\xbe\x8b.jp"},
		/* Only ASCII changes its case: Ü stays Ü. */
		{"\xc3\x9c"
		 "BER",
		 "\xc3\x9c"
		 "ber"},
		{"\xf0\x9f\x93\xae", "\xf0\x9f\x93\xae"},
		/* SASLprep: composed, in the usual width, without what can't be seen. */
		{"GRU\xcc\x88N", "gr\xc3\x9cn"},
		{"\xef\xbc\xa1lice", "alice"},
		{"a\xc2\xadlice\xc3\xa9", "alice\xc3\xa9"},
		/* No capital J has this accent, and a small one does. */
		{"J\xcc\x8c", "\xc7\xb0"},
		{"\xef\xbc\xaa\xcc\x8c", "\xc7\xb0"},
		/* A slash that only its width hid is none: the name is as it was. */
		{"a\xef\xbc\x8f"
		 "b",
		 "a\xef\xbc\x8f"
		 "b"},
		{"%u%h~", "%u%h~"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char name[LIMIT_USER + 1];
		struct err err = {{0}};

		if (user_name_check(span_str(cases[i][0]), &err) != 0)
			fail_msg("%s: %s", cases[i][0], err.text);
		assert_true(user_name_normalise(span_str(cases[i][0]), name));
		assert_string_equal(name, cases[i][1]);
		/* Once and for all. */
		assert_true(user_name_normalise(span_str(cases[i][1]), name));
		assert_string_equal(name, cases[i][1]);
	}
}

struct bad {
	struct span name;
	const char *says;
};

static void bad_names(void **state)
{
	static const struct bad cases[] = {
		{SPAN_LIT(""), "empty"},
		{SPAN_LIT("."), "'.'"},
		{SPAN_LIT(".."), "'.'"},
		{SPAN_LIT(".hidden"), "'.'"},
		{SPAN_LIT("../../etc"), "'/'"},
		{SPAN_LIT("a/b"), "'/'"},
		{SPAN_LIT("/"), "'/'"},
		{SPAN_LIT("alice@.."), "'.'"},
		{SPAN_LIT("alice@.example"), "'.'"},
		{SPAN_LIT("alice@a/../b"), "'/'"},
		{SPAN_LIT("@example.org"), "'@'"},
		{SPAN_LIT("alice@"), "'@'"},
		{SPAN_LIT("@"), "'@'"},
		{SPAN_LIT("a:b"), "':'"},
		{SPAN_LIT(" alice"), "space"},
		{SPAN_LIT("alice "), "space"},
		{SPAN_LIT("al\0ice"), "control"},
		{SPAN_LIT("al\nice"), "control"},
		{SPAN_LIT("al\rice"), "control"},
		{SPAN_LIT("al\tice"), "control"},
		{SPAN_LIT("al\x7fice"), "control"},
		{SPAN_LIT("al\x1b[31mice"), "control"},
		{SPAN_LIT("al\xc2\x85ice"), "control"}, /* NEL */
		{SPAN_LIT("al\x80ice"), "UTF-8"},
		{SPAN_LIT("al\xff"), "UTF-8"},
		{SPAN_LIT("al\xc3"), "UTF-8"},
		{SPAN_LIT("al\xc3\x28"), "UTF-8"},
		/* The overlong forms of '/' and '.', a surrogate, and what is beyond Unicode. */
		{SPAN_LIT("al\xc0\xaf"), "UTF-8"},
		{SPAN_LIT("al\xe0\x80\xaf"), "UTF-8"},
		{SPAN_LIT("al\xf0\x80\x80\xaf"), "UTF-8"},
		{SPAN_LIT("\xc0\xae\xc0\xae"), "UTF-8"},
		{SPAN_LIT("al\xed\xa0\x80"), "UTF-8"},
		{SPAN_LIT("al\xf4\x90\x80\x80"), "UTF-8"},
		{SPAN_LIT("al\xf5\x80\x80\x80"), "UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char name[LIMIT_USER + 1] = "untouched";
		struct err err = {{0}};

		if (user_name_check(cases[i].name, &err) != -EINVAL)
			fail_msg("case %zu is accepted", i);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("case %zu: '%s' doesn't say '%s'", i, err.text, cases[i].says);
		assert_false(user_name_normalise(cases[i].name, name));
		assert_string_equal(name, "untouched");
	}
}

static void length_has_a_limit(void **state)
{
	char name[LIMIT_USER + 1];
	char out[LIMIT_USER + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(user_name_normalise(span_of(name, LIMIT_USER), out));
	assert_int_equal(strlen(out), LIMIT_USER);
	assert_false(user_name_normalise(span_of(name, LIMIT_USER + 1), out));
}

static void parts(void **state)
{
	(void)state;
	assert_true(span_eq(user_name_local(SPAN_LIT("a@b@c")), SPAN_LIT("a@b")));
	assert_true(span_eq(user_name_domain(SPAN_LIT("a@b@c")), SPAN_LIT("c")));
	assert_true(span_eq(user_name_local(SPAN_LIT("abc")), SPAN_LIT("abc")));
	assert_int_equal(user_name_domain(SPAN_LIT("abc")).n, 0);
	assert_int_equal(user_name_local(SPAN_LIT("")).n, 0);
	assert_int_equal(user_name_domain(SPAN_LIT("")).n, 0);
}

struct place {
	const char *location;
	const char *name;
	const char *home;
	const char *domain;
	const char *path; /* NULL: refused */
};

static void paths(void **state)
{
	static const struct place cases[] = {
		{"/v/%d/%n", "alice@example.org", "", "", "/v/example.org/alice"},
		{"/v/%d/%n", "alice", "", "example.net", "/v/example.net/alice"},
		{"/v/%d/%n", "alice", "", "", "/v/alice"},
		{"/v/%u/", "a@b", "", "", "/v/a@b"},
		{"/v//%n///x", "a@b", "", "", "/v/a/x"},
		{"/v/100%%/%n", "a", "", "", "/v/100%/a"},
		{"%h/Maildir", "a", "/home/a", "", "/home/a/Maildir"},
		{"~/Maildir", "a", "/home/a", "", "/home/a/Maildir"},
		{"maildir:~/Maildir", "a", "/home/a", "", "/home/a/Maildir"},
		{"maildir:/v/%n:LAYOUT=fs:INDEX=/i", "a", "", "", "/v/a"},
		{"MAILDIR:/v/%n", "a", "", "", "/v/a"},
		/* A name is data: nothing in it is filled in again. */
		{"/v/%u", "%h%d", "/home/a", "d", "/v/%h%d"},
		{"/v/%u/~", "~", "/home/a", "d", "/v/~/~"},
		{"/v/a..b/%n", "c..d", "", "", "/v/a..b/c..d"},
		/* Refused */
		{"v/%n", "a", "", "", NULL},
		{"", "a", "", "", NULL},
		{"/", "a", "", "", NULL},
		{"%n", "a", "", "", NULL},
		{"~alice/x", "a", "/home/a", "", NULL},
		{"/v/../%n", "a", "", "", NULL},
		{"/v/%n/..", "a", "", "", NULL},
		{"/v/./%n", "a", "", "", NULL},
		{"/v/.%n", ".", "", "", NULL},
		{"/v/.%n/x", ".", "", "", NULL},
		{"/v/%n", "..", "", "", NULL},
		{"/v/%d/x", "a", "", "..", NULL},
		{"/v/%d/x", "a", "", "../..", NULL},
		{"%h/x", "a", "", "", NULL},
		{"~/x", "a", "", "", NULL},
		{"%h/x", "a", "/home/../root", "", NULL},
		{"%h/x", "a", "home", "", NULL},
		{"/v/%x", "a", "", "", NULL},
		{"/v/%", "a", "", "", NULL},
		{"mbox:/v/%n", "a", "", "", NULL},
		{"mdbox:~/mdbox", "a", "/home/a", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct place *c = &cases[i];
		const struct user_location of = {
			.name = span_str(c->name), .home = c->home, .default_domain = c->domain};
		char path[LIMIT_PATH] = "untouched";
		struct err err = {{0}};
		const int r = user_mail_path(c->location, &of, path, &err);

		if (c->path == NULL) {
			if (r != -EINVAL || err.text[0] == '\0')
				fail_msg("%s for %s: %d %s", c->location, c->name, r, path);
			assert_string_equal(path, "untouched");
			continue;
		}
		if (r != 0)
			fail_msg("%s for %s: %s", c->location, c->name, err.text);
		assert_string_equal(path, c->path);
	}
}

static void long_paths(void **state)
{
	char location[LIMIT_PATH + 16];
	char path[LIMIT_PATH];
	const struct user_location of = {.name = SPAN_LIT("a"), .home = "", .default_domain = ""};
	struct err err;

	(void)state;
	memset(location, 'x', sizeof(location));
	location[0] = '/';
	location[LIMIT_PATH - 1] = '\0';
	assert_int_equal(user_mail_path(location, &of, path, &err), 0);
	assert_int_equal(strlen(path), LIMIT_PATH - 1);
	location[LIMIT_PATH - 1] = 'x';
	location[LIMIT_PATH] = '\0';
	assert_int_equal(user_mail_path(location, &of, path, &err), -EINVAL);
	/* Short by itself, too long when filled in. */
	(void)snprintf(location + LIMIT_PATH - 4, 16, "%%n%%n");
	assert_int_equal(user_mail_path(location, &of, path, &err), 0);
	(void)snprintf(location + LIMIT_PATH - 4, 16, "%%n%%u%%n%%n");
	assert_int_equal(user_mail_path(location, &of, path, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_names),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(length_has_a_limit),
		cmocka_unit_test(parts),
		cmocka_unit_test(paths),
		cmocka_unit_test(long_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
