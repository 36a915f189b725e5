/* SPDX-License-Identifier: MIT */
#include "client/netrc.h"

#include "client_help.h"

static void look_ups(void **state)
{
	static const struct {
		const char *file;
		enum netrc_status status;
		const char *password;
		unsigned line;
	} rows[] = {
		{"", NETRC_NONE, "", 0},
		{"machine pop.example.org login alice password s3cret\n", NETRC_FOUND, "s3cret", 1},
		{"machine POP.example.ORG\n\tlogin alice\n\tpassword s3cret", NETRC_FOUND, "s3cret",
		 3},
		{"machine pop.example.org password s3cret login alice", NETRC_FOUND, "s3cret", 1},
		{"machine pop.example.org password s3cret", NETRC_FOUND, "s3cret", 1},
		{"machine pop.example.org login bob password s3cret", NETRC_NONE, "", 0},
		{"machine pop.example.org login Alice password s3cret", NETRC_NONE, "", 0},
		{"machine pop.example.or login alice password s3cret", NETRC_NONE, "", 0},
		{"machine pop.example.org login alice", NETRC_NONE, "", 0},
		{"machine pop.example.org login bob password x\n"
		 "machine pop.example.org login alice password y\n"
		 "machine pop.example.org login alice password z\n",
		 NETRC_FOUND, "y", 2},
		{"machine a password x\ndefault login alice password y", NETRC_FOUND, "y", 2},
		{"default login bob password y", NETRC_NONE, "", 0},
		{"default password y\nmachine pop.example.org password x", NETRC_FOUND, "y", 1},
		{"machine pop.example.org login alice account x password y", NETRC_FOUND, "y", 1},
		{"# machine pop.example.org password x\nmachine pop.example.org # here\n password "
		 "y",
		 NETRC_FOUND, "y", 3},
		{"machine pop.example.org password a#b", NETRC_FOUND, "a#b", 1},
		{"machine pop.example.org password \"a b\\\"c\\\\\"", NETRC_FOUND, "a b\"c\\", 1},
		{"machine \"pop.example.org\" login \"alice\" password \"\"", NETRC_FOUND, "", 1},
		{"macdef init\nmachine pop.example.org password x\n\n"
		 "machine pop.example.org password y",
		 NETRC_FOUND, "y", 4},
		{"machine pop.example.org password x\r\nmachine b\r\n", NETRC_FOUND, "x", 1},
		{"machine pop.example.org\npassword", NETRC_BAD, "", 2},
		{"machine", NETRC_BAD, "", 1},
		{"machine a\nlogin b\npasswort c", NETRC_BAD, "", 3},
		{"machine a\npassword \"never ends\n", NETRC_BAD, "", 2},
		{"\n\"", NETRC_BAD, "", 2},
		{"machine pop.example.org password 1234567890123456789012345", NETRC_NO_ROOM, "",
		 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char password[24];
		struct out out = {.p = password, .cap = sizeof(password)};
		unsigned line = 0;
		const enum netrc_status status = netrc_find(
			span_str(rows[i].file), "pop.example.org", "alice", &out, &line);

		if (status != rows[i].status)
			fail_msg("row %zu: %d", i, status);
		if (status == NETRC_FOUND && !span_eq(out_span(&out), span_str(rows[i].password)))
			fail_msg("row %zu: %.*s", i, (int)out.n, out.p);
		if (rows[i].line != 0 && line != rows[i].line)
			fail_msg("row %zu: line %u", i, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(look_ups)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
