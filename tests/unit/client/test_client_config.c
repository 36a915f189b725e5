/* SPDX-License-Identifier: MIT */
/* Good files and every kind of bad one, and the file and line that the user is told. */
#include "client/client_config.h"

#include <errno.h>

#include "client_help.h"

#define ACCOUNT(name, host) \
	"account " name " {\n\thost = " host "\n\tuser = alice\n\tmaildir = /mail\n}\n"

static int load_mode(const char *text, mode_t mode, struct client_config *c, struct err *err)
{
	write_file(in_scratch("conf"), span_str(text), mode);
	return client_config_load(in_scratch("conf"), c, err);
}

static void good(const char *text, struct client_config *c)
{
	struct err err;

	if (load_mode(text, 0644, c, &err) != 0)
		fail_msg("%s", err.text);
}

static void accounts(void **state)
{
	struct client_config c;

	(void)state;
	good("// what is the same for all\n"
	     "state_file = /state.db\nparallel = 7\n" ACCOUNT(
		     "work", "a.example") "/* another\n */\n" ACCOUNT("home", "b.example"),
	     &c);
	assert_int_equal(c.n, 2);
	assert_string_equal(c.state_file, "/state.db");
	assert_int_equal(c.parallel, 7);
	assert_string_equal(c.accounts[0].name, "work");
	assert_string_equal(c.accounts[0].host, "a.example");
	assert_string_equal(c.accounts[1].name, "home");
	assert_string_equal(c.accounts[1].host, "b.example");
	assert_int_equal(c.accounts[1].tls, ACCOUNT_TLS_IMPLICIT);
	assert_ptr_equal(client_config_find(&c, "home"), &c.accounts[1]);
	assert_null(client_config_find(&c, "hom"));
	client_config_done(&c);
	assert_int_equal(c.n, 0);
}

static void nothing(void **state)
{
	struct client_config c;

	(void)state;
	good("", &c);
	assert_int_equal(c.n, 0);
	assert_string_equal(c.state_file, "");
	assert_int_equal(c.parallel, 0);
	client_config_done(&c);
}

/* Options of one account don't leak into the next. */
static void every_option(void **state)
{
	struct client_config c;

	(void)state;
	good("account a {\n"
	     "host = h\nport = 1\ntls = stls\ncafile = /ca\nuser = u\nauth = plain\n"
	     "password_command = \"echo x\"\nmaildir = /m\non_server = delete\ntimeout = 5m\n"
	     "}\n" ACCOUNT("b", "h2"),
	     &c);
	assert_int_equal(c.accounts[0].port, 1);
	assert_int_equal(c.accounts[0].tls, ACCOUNT_TLS_STLS);
	assert_string_equal(c.accounts[0].cafile, "/ca");
	assert_string_equal(c.accounts[0].auth, "plain");
	assert_string_equal(c.accounts[0].password_command, "echo x");
	assert_string_equal(c.accounts[0].maildir, "/m");
	assert_int_equal(c.accounts[0].on_server, ACCOUNT_DELETE);
	assert_int_equal(c.accounts[0].timeout, 300);
	assert_int_equal(c.accounts[1].port, 0);
	assert_int_equal(c.accounts[1].on_server, ACCOUNT_KEEP);
	assert_string_equal(c.accounts[1].password_command, "");
	client_config_done(&c);
}

static void bad(void **state)
{
	static const struct {
		const char *text;
		const char *wrong; /* behind the file's name */
	} cases[] = {
		{"hots = x\n", ":1: no such option 'hots'"},
		{"\naccount a {\n\n\tusr = x\n}\n", ":4: no such option 'usr'"},
		{"account a {\n\thost = x\n\thost = y\n}\n",
		 ":3: host is given twice (first in line 2)"},
		{"parallel = 4\nparallel = 4\n", ":2: parallel is given twice (first in line 1)"},
		{"parallel = 65\n", ":1: parallel: '65' is no number from 1 to 64"},
		{"state_file = /a\nstate_file = /b\n",
		 ":2: state_file is given twice (first in line 1)"},
		{"account a {\n\tport = many\n}\n", ":2: port needs a number, not \"many\""},
		{"account a {\n\ttls = off\n}\n", ":2: tls must be one of"},
		{"account a {\n}\n", ":2: account a: there is no host"},
		{"account a {\n\thost = x\n\tuser = u\n}\n", ":4: account a: there is no maildir"},
		{"account {\n\thost = x\n}\n", ":1: "},
		{"account \"a b\" {\n\thost = x\n}\n", ":3: the account's name has a space"},
		{"account -a {\n\thost = x\n}\n", ":3: the account's name looks like an option"},
		{"account \"\" {\n\thost = x\n}\n", ":3: an account needs a name"},
		{ACCOUNT("a", "h") ACCOUNT("a", "h2"), ":6: "},
		{ACCOUNT("a", "h") ACCOUNT("b", "H"),
		 ":10: accounts a and b are the same mailbox, alice@h"},
		{"account a {\nhost = x\nuser = u\nmaildir = \"/m}\"\n",
		 ":5: the last section isn't"},
		{"account a {\n\thost = \"x\n}\n", ":4: premature end of file"},
		{"host = x\n", ":1: no such option 'host'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client_config c = {.n = 4711};
		char expected[512];
		struct err err;

		(void)snprintf(expected, sizeof(expected), "%s%s", in_scratch("conf"),
			       cases[i].wrong);
		assert_int_equal(load_mode(cases[i].text, 0600, &c, &err), -EINVAL);
		assert_contains(err.text, expected);
		assert_int_equal(c.n, 4711);
	}
}

static void secrets_are_secret(void **state)
{
	static const char text[] = "account a {\n\thost = h\n\tuser = u\n\tmaildir = /m\n"
				   "\tpassword = \"p\"\n}\n" ACCOUNT("b", "h2");
	struct client_config c;
	struct err err;

	(void)state;
	assert_int_equal(load_mode(text, 0600, &c, &err), 0);
	assert_string_equal(c.accounts[0].password, "p");
	client_config_done(&c);
	assert_int_equal(load_mode(text, 0640, &c, &err), -EPERM);
	assert_contains(err.text, "chmod 600");
	assert_int_equal(load_mode(text, 0604, &c, &err), -EPERM);
}

static void not_there(void **state)
{
	struct client_config c;
	struct err err;

	(void)state;
	assert_int_equal(client_config_load(in_scratch("nothing"), &c, &err), -ENOENT);
	assert_contains(err.text, "nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(accounts),           scratch_test(nothing),
		scratch_test(every_option),       scratch_test(bad),
		scratch_test(secrets_are_secret), scratch_test(not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
