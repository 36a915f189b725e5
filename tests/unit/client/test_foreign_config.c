/* SPDX-License-Identifier: MIT */
#include "client/foreign_config.h"

#include "client_help.h"

static char remarks[4096];

static void on_remark(void *ctx, unsigned line, const char *text)
{
	const size_t n = strlen(remarks);

	(void)ctx;
	(void)snprintf(remarks + n, sizeof(remarks) - n, "%u: %s\n", line, text);
}

static struct foreign_config parse(enum foreign_program program, const char *text)
{
	struct foreign_config c = {.path = "/home/alice/rc", .remark = on_remark};
	struct err err = {""};

	remarks[0] = '\0';
	(void)setenv("HOME", "/home/alice", 1);
	if (foreign_config_parse(&c, program, span_str(text), &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void fetchmail(void **state)
{
	struct foreign_config c = parse(
		FOREIGN_FETCHMAIL, "defaults proto pop3 timeout 30 keep\n"
				   "set idfile seen\n"
				   "poll a via b.example.org, user \"x y\" pass z ssl nokeep\n"
				   " and user two there with no keep, sslproto '' no envelope\n"
				   "poll c user d limit 5 fetchlimit 6 sslcertfile /ca\n");

	(void)state;
	assert_int_equal(c.n, 3);
	assert_string_equal(c.accounts[0].account.host, "b.example.org");
	assert_string_equal(c.accounts[0].seen_host, "a");
	assert_string_equal(c.accounts[0].seen_file, "/home/alice/seen");
	assert_string_equal(c.accounts[0].account.user, "x y");
	assert_int_equal(c.accounts[0].account.tls, ACCOUNT_TLS_IMPLICIT);
	assert_int_equal(c.accounts[0].account.on_server, ACCOUNT_DELETE);
	assert_int_equal(c.accounts[0].account.timeout, 30);
	assert_string_equal(c.accounts[1].account.user, "two");
	/* What the first user has isn't the second one's. */
	assert_string_equal(c.accounts[1].account.password, "");
	assert_int_equal(c.accounts[1].account.tls, ACCOUNT_TLS_NONE);
	assert_int_equal(c.accounts[2].account.tls, ACCOUNT_TLS_STLS);
	assert_int_equal(c.accounts[2].account.max_size, 5);
	assert_int_equal(c.accounts[2].account.max_messages, 6);
	assert_int_equal(c.accounts[2].account.on_server, ACCOUNT_KEEP);
	foreign_config_done(&c);
}

static void mpop(void **state)
{
	struct foreign_config c = parse(FOREIGN_MPOP, "defaults\ntls on\nuser u\n"
						      "account a\nhost h\npassword \"p w\"\n"
						      "account b : a\nhost i\ntls_starttls off\n"
						      "uidls_file ~/%H-%U\nkillsize 7\n"
						      "account c\nhost j\ndelivery mbox /m\n");

	(void)state;
	assert_int_equal(c.n, 3);
	assert_string_equal(c.accounts[0].account.name, "a");
	assert_string_equal(c.accounts[0].seen_file, "/home/alice/.mpop_uidls/u_at_h");
	assert_int_equal(c.accounts[0].account.tls, ACCOUNT_TLS_STLS);
	assert_string_equal(c.accounts[1].account.password, "p w");
	assert_int_equal(c.accounts[1].account.tls, ACCOUNT_TLS_IMPLICIT);
	assert_string_equal(c.accounts[1].seen_file, "/home/alice/i-u");
	assert_string_equal(c.accounts[2].account.password, "");
	assert_string_equal(remarks, "11: left out: killsize 7\n14: left out: delivery mbox /m\n");
	foreign_config_done(&c);
}

static void getmail(void **state)
{
	struct foreign_config c = parse(
		FOREIGN_GETMAIL, "[destination]\npath = ~/M/\ntype = Maildir\n[retriever]\n"
				 "type = SimplePOP3SSLRetriever\nserver: h\nusername = a/b:c\n"
				 "password_command = ('get', \"it's\")\n; x\n[options]\n"
				 "read_all = no\nmax_message_size = 9\ndelivered_to = 1\n");

	(void)state;
	assert_int_equal(c.n, 1);
	assert_string_equal(c.accounts[0].account.maildir, "/home/alice/M/");
	assert_string_equal(c.accounts[0].account.password_command, "'get' 'it'\\''s'");
	assert_string_equal(c.accounts[0].seen_file, "/home/alice/oldmail-h-995-a-b-c");
	assert_int_equal(c.accounts[0].account.max_size, 9);
	assert_string_equal(remarks, "13: left out: [options] delivered_to\n");
	foreign_config_done(&c);
}

static void fdm(void **state)
{
	struct foreign_config c = parse(
		FOREIGN_FDM,
		"$box = \"Mail\"\nset timeout 7\naction \"a\" maildir \"%h/${box}\"\n"
		"account \"x\" pop3s server \"h\" port pop3s\n\tuser \"u\" pass \"$p\"\n"
		"\tnew-only cache \"~/c\" no-verify\n"
		"account \"y\" imap server \"h\" user \"u\"\nmatch \"spam\" action \"a\"\n"
		"match all actions { \"a\" }\naction \"b\" maildir \"b\"\n");

	(void)state;
	assert_int_equal(c.n, 1);
	assert_string_equal(c.accounts[0].account.maildir, "/home/alice/Mail");
	assert_string_equal(c.accounts[0].account.password, "$p");
	assert_string_equal(c.accounts[0].seen_file, "/home/alice/c");
	assert_int_equal(c.accounts[0].account.port, 995);
	assert_int_equal(c.accounts[0].account.timeout, 7);
	assert_int_equal(c.accounts[0].account.on_server, ACCOUNT_DELETE);
	assert_string_equal(remarks, "6: restante verifies certificates, always\n"
				     "7: y left out: it isn't POP3\n"
				     "8: left out: a rule: match spam\n"
				     "10: left out: action b, a second Maildir\n");
	foreign_config_done(&c);
}

static void more_than_there_may_be(void **state)
{
	static char text[16384];
	struct foreign_config c = {.path = "/rc", .remark = on_remark};
	struct err err = {""};
	size_t n = 0;

	(void)state;
	for (int i = 0; i < FOREIGN_ACCOUNTS_MAX + 2; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "account a\n");
	assert_true(foreign_config_parse(&c, FOREIGN_MPOP, span_of(text, n), &err) < 0);
	foreign_config_done(&c);
}

static void whose(void **state)
{
	(void)state;
	assert_int_equal(foreign_program_guess(SPAN_LIT("# x\nset daemon 5\npoll\th\n")),
			 FOREIGN_FETCHMAIL);
	assert_int_equal(foreign_program_guess(SPAN_LIT("defaults\nkeep on\n")), FOREIGN_MPOP);
	assert_int_equal(foreign_program_guess(SPAN_LIT("[retriever]\nserver = x\n")),
			 FOREIGN_GETMAIL);
	assert_int_equal(foreign_program_guess(SPAN_LIT("account \"x\" pop3\n")), FOREIGN_FDM);
	assert_int_equal(foreign_program_guess(SPAN_LIT("hello\n")), FOREIGN_PROGRAMS);
	assert_int_equal(foreign_program_of("fdm"), FOREIGN_FDM);
	assert_int_equal(foreign_program_of("mutt"), FOREIGN_PROGRAMS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fetchmail), cmocka_unit_test(mpop),
		cmocka_unit_test(getmail),   cmocka_unit_test(fdm),
		cmocka_unit_test(whose),     cmocka_unit_test(more_than_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
