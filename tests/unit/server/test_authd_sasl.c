/* SPDX-License-Identifier: MIT */
/* The auth process: SASL and APOP, and listeners that were taken over by an enemy. */
#include "authd_peers.h"

static const char users[] = "alice:{PLAIN}secret-a\n"
			    "tim:{PLAIN}tanstaaf\n"
			    "bob:{SSHA256}o+F310OzAPbJ5ME2rXvBcq/u7HZHnWXv/CHSuqDhhvZyZQ08\n"
			    "dave:!{PLAIN}secret-d\n";

static int setup(void **state)
{
	struct peers *p = malloc(sizeof(*p));

	assert_non_null(p);
	peers_prepare(p);
	p->config.apop = true;
	p->config.rules.recent_offer = 9;
	peers_write_users(p, users);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct peers *p = *state;

	peers_stop(p);
	free(p);
	return 0;
}

#define PLAIN(s) (s), sizeof(s) - 1

static void plain(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_sasl(p->a, 1, "PLAIN", PLAIN("\0alice\0secret-a"));
	hear_open(p, LISTENER_A, 1, "alice");
	say_sasl(p->a, 2, "PLAIN", PLAIN("alice\0alice\0secret-a"));
	hear_open(p, LISTENER_A, 2, "alice");
	say_sasl(p->a, 3, "PLAIN", PLAIN("\0bob\0pass word"));
	hear_open(p, LISTENER_A, 3, "bob");
	/* Of a device; nobody's device may be another user, nor the other way round. */
	say_sasl(p->a, 8, "PLAIN", PLAIN("\0alice+phone\0secret-a"));
	hear_open(p, LISTENER_A, 8, "alice");
	assert_string_equal(msg.grant.rules.device, "phone");
	say_sasl(p->a, 9, "PLAIN", PLAIN("bob+phone\0alice+phone\0secret-a"));
	hear_failed(p->a, 9, IPC_BAD_CREDENTIALS);
	/* Without an initial response: an empty challenge first. */
	say_sasl(p->a, 4, "PLAIN", NULL, 0);
	hear_challenge(p->a, 4);
	assert_int_equal(msg.sasl.n, 0);
	say_sasl(p->a, 4, NULL, PLAIN("\0alice\0secret-a"));
	hear_open(p, LISTENER_A, 4, "alice");
	/* Wrong, unknown, for somebody else. */
	say_sasl(p->a, 5, "PLAIN", PLAIN("\0alice\0secret-b"));
	hear_failed(p->a, 5, IPC_BAD_CREDENTIALS);
	say_sasl(p->a, 6, "PLAIN", PLAIN("\0nobody\0secret-b"));
	hear_failed(p->a, 6, IPC_BAD_CREDENTIALS);
	say_sasl(p->a, 7, "PLAIN", PLAIN("bob\0alice\0secret-a"));
	hear_failed(p->a, 7, IPC_BAD_CREDENTIALS);
	assert_false(peers_readable(p->storage));
}

static void plain_garbage(void **state)
{
	static const struct {
		const char *data;
		size_t n;
	} cases[] = {
		{PLAIN("")},
		{PLAIN("x")},
		{PLAIN("\0")},
		{PLAIN("\0\0")},
		{PLAIN("\0alice")},
		{PLAIN("\0alice\0secret-a\0")},
		{PLAIN("\0alice\0secret\0a")},
		{PLAIN("\0al\xff\0secret-a")},
	};
	struct peers *p = *state;
	static char big[LIMIT_SASL_OCTETS];

	peers_start(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say_sasl(p->a, i + 1, "PLAIN", cases[i].data, cases[i].n);
		assert_true(peers_receive(p->a));
		assert_int_equal(msg.head.type, IPC_AUTH_FAILED);
		if (msg.result.status != IPC_BAD_SASL && msg.result.status != IPC_BAD_CREDENTIALS)
			fail_msg("case %zu: %s", i, ipc_status_name(msg.result.status));
	}
	say_sasl(p->a, 90, "PLAIN", cases[0].data, 0);
	hear_failed(p->a, 90, IPC_BAD_SASL);
	/* As long as it can be: a password that nobody has. */
	memset(big, 'x', sizeof(big));
	memcpy(big, "\0alice\0", 7);
	say_sasl(p->a, 91, "PLAIN", big, sizeof(big));
	hear_failed(p->a, 91, IPC_BAD_CREDENTIALS);
	big[6] = 'x';
	say_sasl(p->a, 92, "PLAIN", big, sizeof(big));
	hear_failed(p->a, 92, IPC_BAD_SASL);
	assert_false(peers_readable(p->storage));
	say_sasl(p->a, 93, "PLAIN", PLAIN("\0alice\0secret-a"));
	hear_open(p, LISTENER_A, 93, "alice");
}

static void login(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_sasl(p->a, 1, "LOGIN", NULL, 0);
	hear_challenge(p->a, 1);
	assert_true(msg.sasl.n > 0);
	say_sasl(p->a, 1, NULL, PLAIN("Bob"));
	hear_challenge(p->a, 1);
	assert_true(msg.sasl.n > 0);
	say_sasl(p->a, 1, NULL, PLAIN("pass word"));
	hear_open(p, LISTENER_A, 1, "bob");
	/* The name as initial response */
	say_sasl(p->a, 2, "LOGIN", PLAIN("alice"));
	hear_challenge(p->a, 2);
	say_sasl(p->a, 2, NULL, PLAIN("secret-a"));
	hear_open(p, LISTENER_A, 2, "alice");

	say_sasl(p->a, 3, "LOGIN", PLAIN("alice"));
	hear_challenge(p->a, 3);
	say_sasl(p->a, 3, NULL, PLAIN("wrong"));
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	say_sasl(p->a, 4, "LOGIN", PLAIN("al\0ice"));
	hear_failed(p->a, 4, IPC_BAD_SASL);
	say_sasl(p->a, 5, "LOGIN", PLAIN("alice"));
	hear_challenge(p->a, 5);
	say_sasl(p->a, 5, NULL, NULL, 0);
	hear_failed(p->a, 5, IPC_BAD_SASL);
	/* Given up in the middle, and begun again with the same id. */
	say_sasl(p->a, 6, "LOGIN", NULL, 0);
	hear_challenge(p->a, 6);
	say_cancel(p->a, 6);
	say_sasl(p->a, 6, "PLAIN", PLAIN("\0alice\0secret-a"));
	hear_open(p, LISTENER_A, 6, "alice");
}

/* RFC 2195: HMAC-MD5 of the challenge, made here by a library that is not the server's. */
static void answer_cram(int fd, uint64_t session, const char *user, const char *password)
{
	char challenge[512];
	char answer[512];
	char command[1200];
	FILE *f;

	say_sasl(fd, session, "CRAM-MD5", NULL, 0);
	hear_challenge(fd, session);
	assert_true(msg.sasl.n > 10 && msg.sasl.n < sizeof(challenge));
	(void)snprintf(challenge, sizeof(challenge), "%.*s", (int)msg.sasl.n, msg.sasl.data);
	/* "<random@host>": nothing that a shell would mind inside single quotes. */
	assert_null(strchr(challenge, '\''));
	(void)snprintf(command, sizeof(command),
		       "printf %%s '%s' | openssl dgst -md5 -hmac '%s' | sed 's/.*= //'", challenge,
		       password);
	f = popen(command, "r");
	assert_non_null(f);

	const int n = snprintf(answer, sizeof(answer), "%s ", user);

	assert_non_null(fgets(answer + n, (int)sizeof(answer) - n, f));
	assert_int_equal(pclose(f), 0);
	answer[n + 32] = '\0';
	say_sasl(fd, session, NULL, answer, strlen(answer));
}

static void cram_md5(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	answer_cram(p->a, 1, "tim", "tanstaaf");
	hear_open(p, LISTENER_A, 1, "tim");
	answer_cram(p->a, 2, "TIM@example.org", "tanstaaf");
	hear_open(p, LISTENER_A, 2, "tim");
	answer_cram(p->a, 9, "tim+phone", "tanstaaf");
	hear_open(p, LISTENER_A, 9, "tim");
	assert_string_equal(msg.grant.rules.device, "phone");
	answer_cram(p->a, 3, "tim", "tanstaag");
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	answer_cram(p->a, 4, "nobody", "tanstaaf");
	hear_failed(p->a, 4, IPC_BAD_CREDENTIALS);
	/* Stored as a hash: there is no way to know. */
	answer_cram(p->a, 5, "bob", "pass word");
	hear_failed(p->a, 5, IPC_BAD_CREDENTIALS);
	assert_non_null(strstr(peers_log(p), "password-not-kept-plain"));
	answer_cram(p->a, 6, "dave", "secret-d");
	hear_failed(p->a, 6, IPC_BAD_CREDENTIALS);
	say_sasl(p->a, 7, "CRAM-MD5", PLAIN("tim 00112233445566778899aabbccddeeff"));
	hear_failed(p->a, 7, IPC_BAD_SASL);
	for (int i = 0; i < 3; i++) {
		static const char *const garbage[] = {"x", " 0011", "tim 0011"};

		say_sasl(p->a, 8, "CRAM-MD5", NULL, 0);
		hear_challenge(p->a, 8);
		say_sasl(p->a, 8, NULL, garbage[i], strlen(garbage[i]));
		assert_true(peers_receive(p->a));
		assert_int_equal(msg.head.type, IPC_AUTH_FAILED);
	}
	assert_false(peers_readable(p->storage));
}

/* PLAIN and LOGIN show the password, CRAM-MD5 does not. */
static void clear_passwords_need_leave(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_sasl_from(p->a, 1, "PLAIN", PLAIN("\0alice\0secret-a"), 0);
	hear_failed(p->a, 1, IPC_PERMANENT);
	say_sasl_from(p->a, 2, "LOGIN", NULL, 0, 0);
	hear_failed(p->a, 2, IPC_PERMANENT);
	say_sasl_from(p->a, 3, "CRAM-MD5", NULL, 0, 0);
	hear_challenge(p->a, 3);
	say_sasl_from(p->a, 4, "PLAIN", PLAIN("\0alice\0secret-a"), IPC_AUTH_LOOPBACK);
	hear_open(p, LISTENER_A, 4, "alice");
}

static void mechanisms_that_are_not(void **state)
{
	static const char *const names[] = {"",          "plain",    "DIGEST-MD5",
					    "ANONYMOUS", "EXTERNAL", "scram-sha-256"};
	struct peers *p = *state;

	p->config.apop = false;
	peers_start(p);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		say_sasl(p->a, i + 1, names[i], PLAIN("alice"));
		hear_failed(p->a, i + 1, IPC_BAD_SASL);
	}
	/* Only when the configuration says so. */
	say_sasl(p->a, 20, "CRAM-MD5", NULL, 0);
	hear_failed(p->a, 20, IPC_BAD_SASL);
}

static void say_apop(int fd, uint64_t session, const char *user, const char *digest)
{
	ipc_start(&msg, IPC_AUTH_APOP, session);
	msg.apop.origin.storage = listeners_storage;
	put(msg.apop.origin.remote, sizeof(msg.apop.origin.remote), "192.0.2.9");
	put(msg.apop.user, sizeof(msg.apop.user), user);
	put(msg.apop.timestamp, sizeof(msg.apop.timestamp), "<1896.697170952@dbc.mtview.ca.us>");
	put(msg.apop.digest, sizeof(msg.apop.digest), digest);
	peers_send(fd, &msg, -1);
}

/* The example of RFC 1939 section 7. */
#define RFC_DIGEST "c4c9334bac560ecc979e58001b3e22fb"

static void apop(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_apop(p->a, 1, "tim", RFC_DIGEST);
	hear_open(p, LISTENER_A, 1, "tim");
	say_apop(p->a, 10, "recent:tim+phone", RFC_DIGEST);
	hear_open(p, LISTENER_A, 10, "tim");
	assert_string_equal(msg.grant.rules.device, "");
	assert_int_equal(msg.grant.rules.recent_days, 9);
	say_apop(p->a, 2, "tim", "c4c9334bac560ecc979e58001b3e22fc");
	hear_failed(p->a, 2, IPC_BAD_CREDENTIALS);
	say_apop(p->a, 3, "tim", "C4C9334BAC560ECC979E58001B3E22FB");
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	say_apop(p->a, 4, "tim", "");
	hear_failed(p->a, 4, IPC_BAD_CREDENTIALS);
	say_apop(p->a, 5, "nobody", RFC_DIGEST);
	hear_failed(p->a, 5, IPC_BAD_CREDENTIALS);
	say_apop(p->a, 6, "bob", RFC_DIGEST);
	hear_failed(p->a, 6, IPC_BAD_CREDENTIALS);
	say_apop(p->a, 7, "dave", RFC_DIGEST);
	hear_failed(p->a, 7, IPC_BAD_CREDENTIALS);
	/* What is hashed in a password's place is public, and no key. */
	say_apop(p->a, 8, "nobody", "315b65e5be7759ae09c45a1885f2584e");
	hear_failed(p->a, 8, IPC_BAD_CREDENTIALS);
	say_apop(p->a, 9, "bob", "315b65e5be7759ae09c45a1885f2584e");
	hear_failed(p->a, 9, IPC_BAD_CREDENTIALS);
	assert_false(peers_readable(p->storage));
}

static void apop_is_off(void **state)
{
	struct peers *p = *state;

	p->config.apop = false;
	peers_start(p);
	say_apop(p->a, 1, "tim", RFC_DIGEST);
	hear_failed(p->a, 1, IPC_PERMANENT);
}

/* ---- an enemy inside a listener ---- */

enum crime {
	TWO_QUESTIONS,
	STEP_OF_NOTHING,
	STEP_AFTER_THE_END,
	STEP_WHILE_VERIFYING,
	GARBAGE,
	TOO_SHORT,
	NOT_FOR_AUTH,
	FORGED_GRANT,
	NO_END_OF_STRING,
	BAD_FLAGS,
	WITH_DESCRIPTOR,
	CRIMES
};

static void commit(int fd, enum crime crime)
{
	switch (crime) {
	case TWO_QUESTIONS:
		say_sasl(fd, 5, "LOGIN", NULL, 0);
		say_pass(fd, 5, "alice", "secret-a");
		break;
	case STEP_OF_NOTHING:
		say_sasl(fd, 5, NULL, PLAIN("alice"));
		break;
	case STEP_AFTER_THE_END:
		say_sasl(fd, 5, "PLAIN", PLAIN("x"));
		say_sasl(fd, 5, NULL, PLAIN("\0alice\0secret-a"));
		break;
	case STEP_WHILE_VERIFYING:
		say_sasl(fd, 5, "PLAIN", PLAIN("\0alice\0wrong"));
		say_sasl(fd, 5, NULL, PLAIN("\0alice\0secret-a"));
		break;
	case GARBAGE:
		memset(&msg, 0xa5, sizeof(msg));
		assert_int_equal(fdpass_send(fd, &msg, sizeof(msg), -1), 0);
		break;
	case TOO_SHORT:
		assert_int_equal(fdpass_send(fd, "x", 1, -1), 0);
		break;
	case NOT_FOR_AUTH:
		ipc_start(&msg, IPC_GET, 5);
		msg.get.number = 1;
		peers_send(fd, &msg, -1);
		break;
	case FORGED_GRANT:
		ipc_start(&msg, IPC_GRANT_OPEN, 5);
		peers_send(fd, &msg, -1);
		break;
	case NO_END_OF_STRING:
		ipc_start(&msg, IPC_AUTH_PASS, 5);
		memset(msg.pass.user, 'x', sizeof(msg.pass.user));
		peers_send(fd, &msg, -1);
		break;
	case BAD_FLAGS:
		ipc_start(&msg, IPC_AUTH_PASS, 5);
		msg.pass.origin.flags = 0x80;
		peers_send(fd, &msg, -1);
		break;
	case WITH_DESCRIPTOR:
		ipc_start(&msg, IPC_AUTH_CANCEL, 5);
		peers_send(fd, &msg, STDIN_FILENO);
		break;
	case CRIMES:
		break;
	}
}

static void a_crime_costs_the_channel(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	for (enum crime crime = 0; crime < CRIMES; crime++) {
		/* What it asked before dies with it; what others asked does not. */
		say_pass(p->b, 1, "nobody", "x");
		say_pass(p->a, 1, "nobody", "x");
		commit(p->a, crime);
		hear_hangup(p->a);
		peers_close(&p->a);
		hear_failed(p->b, 1, IPC_BAD_CREDENTIALS);
		say_pass(p->b, 2, "alice", "secret-a");
		hear_open(p, LISTENER_B, 2, "alice");
		assert_false(peers_readable(p->storage));
		p->a = peers_link(p, IPC_LISTENER, LISTENER_A);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(plain),
		TEST(plain_garbage),
		TEST(login),
		TEST(cram_md5),
		TEST(clear_passwords_need_leave),
		TEST(mechanisms_that_are_not),
		TEST(apop),
		TEST(apop_is_off),
		TEST(a_crime_costs_the_channel),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
