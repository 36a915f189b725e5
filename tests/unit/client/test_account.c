/* SPDX-License-Identifier: MIT */
#include "client/account.h"

#include "client_help.h"

static unsigned number_of(const char *name)
{
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		if (strcmp(account_option(i)->name, name) == 0)
			return i;
	}
	fail_msg("there is no option %s", name);
	return 0;
}

static bool set(struct account *a, const char *name, const char *text, struct err *err)
{
	return account_set(a, number_of(name), text, err);
}

static struct account sound(void)
{
	struct account a;
	struct err err;

	account_init(&a);
	assert_true(set(&a, "host", "pop.example.org", &err));
	assert_true(set(&a, "user", "alice", &err));
	assert_true(set(&a, "maildir", "/mail", &err));
	return a;
}

static void defaults_are_safe(void **state)
{
	struct account a;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	account_init(&a);
	assert_int_equal(a.tls, ACCOUNT_TLS_IMPLICIT);
	assert_int_equal(a.on_server, ACCOUNT_KEEP);
	assert_int_equal(account_port(&a), 995);
	assert_int_equal(a.timeout, 120);
	assert_string_equal(a.auth, "auto");
	assert_string_equal(a.password, "");
	assert_non_null(account_check(&a));
}

static void choices(void **state)
{
	(void)state;
	assert_string_equal(account_option_choice(number_of("on_server"), 0), "keep");
	assert_string_equal(account_option_choice(number_of("on_server"), 1), "delete");
	assert_string_equal(account_option_choice(number_of("auth"), 0), "auto");
	assert_null(account_option_choice(number_of("drain"), 2));
	assert_null(account_option_choice(number_of("drain"), 3));
	assert_null(account_option_choice(number_of("host"), 0));
	assert_null(account_option_choice(1000, 0));
}

static void values(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *wrong; /* NULL: it is taken */
	} cases[] = {
		{"port", "110", NULL},
		{"port", "65535", NULL},
		{"port", "65536", "from 0 to 65535"},
		{"port", "pop3", "port needs a number, not \"pop3\""},
		{"timeout", "90", NULL},
		{"timeout", "1d", NULL},
		{"timeout", "2d", "from 1 to 86400"},
		{"timeout", "0", "from 1 to 86400"},
		{"timeout", "soon", "a time such as"},
		{"tls", "stls", NULL},
		{"tls", "send-passwords-in-clear", NULL},
		{"tls", "none", "implicit, stls, send-passwords-in-clear; not \"none\""},
		{"auth", "scram-sha-256", NULL},
		{"auth", "SCRAM-SHA-256", "must be one of"},
		{"on_server", "delete", NULL},
		{"on_server", "remove", "keep, delete"},
		{"user", "a b@c", NULL},
		{"user", "a\r\nDELE 1", "control character"},
		{"password", "p\x7f", "control character"},
		{"password", " p\xc3\xa4 ", NULL},
		{"maildir", "/a/b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct account a = sound();
		struct err err = {.text = ""};

		assert_int_equal(set(&a, cases[i].name, cases[i].text, &err),
				 cases[i].wrong == NULL);
		if (cases[i].wrong != NULL)
			assert_contains(err.text, cases[i].wrong);
	}
}

static void too_long(void **state)
{
	struct account a = sound();
	char text[LIMIT_USER + 2];
	struct err err;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(set(&a, "user", text, &err));
	assert_string_equal(err.text, "user is longer than 255 octets");
	text[LIMIT_USER] = '\0';
	assert_true(set(&a, "user", text, &err));
	assert_string_equal(a.user, text);
	/* No trace of a longer value. */
	assert_true(set(&a, "user", "y", &err));
	assert_memory_equal(a.user + 1, "\0\0\0\0", 4);
}

static void paths(void **state)
{
	struct account a = sound();
	char here[1024];
	char expected[2048];
	struct err err;

	(void)state;
	assert_int_equal(setenv("HOME", "/home/alice", 1), 0);
	assert_true(set(&a, "maildir", "~/Mail", &err));
	assert_string_equal(a.maildir, "/home/alice/Mail");
	assert_true(set(&a, "maildir", "/x/~/y", &err));
	assert_string_equal(a.maildir, "/x/~/y");
	assert_non_null(getcwd(here, sizeof(here)));
	(void)snprintf(expected, sizeof(expected), "%s/Mail", here);
	assert_true(set(&a, "maildir", "Mail", &err));
	assert_string_equal(a.maildir, expected);
	assert_true(set(&a, "cafile", "", &err));
	assert_string_equal(a.cafile, "");
	assert_int_equal(unsetenv("HOME"), 0);
	assert_false(set(&a, "maildir", "~/Mail", &err));
	assert_contains(err.text, "maildir needs an absolute path");
}

static void together(void **state)
{
	static const struct {
		const char *set[4];
		const char *wrong;
	} cases[] = {
		{{NULL}, NULL},
		{{"host", ""}, "there is no host"},
		{{"user", ""}, "there is no user"},
		{{"maildir", ""}, "there is no maildir"},
		{{"password", "a", "password_file", "/b"}, "exclude each other"},
		{{"password_command", "a", "password_file", "/b"}, "exclude each other"},
		{{"password_command", "a"}, NULL},
		{{"tls", "send-passwords-in-clear", "cafile", "/b"}, "cafile is for TLS"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct account a = sound();
		const char *wrong;
		struct err err;

		for (size_t k = 0; k < 4 && cases[i].set[k] != NULL; k += 2)
			assert_true(set(&a, cases[i].set[k], cases[i].set[k + 1], &err));
		wrong = account_check(&a);
		if (cases[i].wrong == NULL)
			assert_null(wrong);
		else
			assert_contains(wrong == NULL ? "nothing" : wrong, cases[i].wrong);
	}
}

static void identities(void **state)
{
	static const struct {
		const char *host;
		const char *port;
		const char *tls;
		const char *identity;
	} cases[] = {
		{"pop.example.org", "0", "implicit", "alice@pop.example.org"},
		{"POP.Example.ORG", "995", "implicit", "alice@pop.example.org"},
		{"pop.example.org", "0", "stls", "alice@pop.example.org"},
		{"pop.example.org", "110", "implicit", "alice@pop.example.org"},
		{"pop.example.org", "1995", "implicit", "alice@pop.example.org:1995"},
		{"::1", "0", "implicit", "alice@::1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char identity[ACCOUNT_IDENTITY_MAX + 1];
		struct account a = sound();
		struct err err;

		assert_true(set(&a, "host", cases[i].host, &err));
		assert_true(set(&a, "port", cases[i].port, &err));
		assert_true(set(&a, "tls", cases[i].tls, &err));
		account_identity(&a, identity);
		assert_string_equal(identity, cases[i].identity);
	}
}

/* The longest that can be said has room. */
static void longest_identity(void **state)
{
	char identity[ACCOUNT_IDENTITY_MAX + 1];
	struct account a = sound();

	(void)state;
	memset(a.user, 'u', LIMIT_USER);
	memset(a.host, 'h', LIMIT_ADDRESS);
	a.port = 65535;
	account_identity(&a, identity);
	assert_int_equal(strlen(identity), ACCOUNT_IDENTITY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_safe),
		cmocka_unit_test(values),
		cmocka_unit_test(choices),
		cmocka_unit_test(too_long),
		cmocka_unit_test(paths),
		cmocka_unit_test(together),
		cmocka_unit_test(identities),
		cmocka_unit_test(longest_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
