/* SPDX-License-Identifier: MIT */
/* The auth process against everybody it talks to: logins, recipients, and its ends. */
#include "authd_peers.h"

#include "base/clock.h"

/* Passwords that may never be in the log are called "secret-...". */
static const char users[] =
	"alice:{PLAIN}secret-a:1001:1002::/home/alice::\n"
	"bob@example.net:{SSHA256}o+F310OzAPbJ5ME2rXvBcq/u7HZHnWXv/CHSuqDhhvZyZQ08\n"
	"carol:{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$OZpYHTOnjUd44KWZaV7c5w$"
	"Onl+FhUYI/KGM5IAht9AiyqRFKFyFNBldmuZL6PTV8A::::::userdb_mail=maildir:/var/%n/M\n"
	"dave:!{PLAIN}secret-d\n"
	"erin:{ROT13}frperg\n"
	"frank:{PLAIN}secret-f::::::userdb_mail=mbox:/var/mail/frank\n"
	"\xe5\xb1\xb1:{PLAIN}\xef\xbc\x91\xef\xbc\x92\n";

static int setup(void **state)
{
	struct peers *p = malloc(sizeof(*p));

	assert_non_null(p);
	peers_prepare(p);
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

static void right_password_opens(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_pass(p->a, 1, "alice", "secret-a");
	hear_open(p, LISTENER_A, 1, "alice");
	assert_string_equal(msg.grant.path, "/mail/example.org/alice");
	assert_int_equal(msg.grant.uid, 1001);
	assert_int_equal(msg.grant.gid, 1002);
	assert_int_equal(msg.grant.transaction, 0);

	say_pass(p->b, 1, "Alice@Example.org", "secret-a");
	hear_open(p, LISTENER_B, 1, "alice");
	/* No uid in the row: storage's own. */
	say_pass(p->a, 2, "BOB@example.NET", "pass word");
	hear_open(p, LISTENER_A, 2, "bob@example.net");
	assert_string_equal(msg.grant.path, "/mail/example.net/bob");
	assert_int_equal(msg.grant.uid, UINT32_MAX);
	assert_int_equal(msg.grant.gid, UINT32_MAX);
	say_pass(p->a, 3, "carol", "pass word");
	hear_open(p, LISTENER_A, 3, "carol");
	assert_string_equal(msg.grant.path, "/var/carol/M");
	/* A session that has been answered may ask again. */
	say_pass(p->a, 1, "alice", "secret-a");
	hear_open(p, LISTENER_A, 1, "alice");
	assert_false(peers_readable(p->a));
	assert_false(peers_readable(p->b));
}

static void expect_view(const char *device, uint32_t recent_days)
{
	assert_string_equal(msg.grant.rules.device, device);
	assert_int_equal(msg.grant.rules.recent_days, recent_days);
}

static void devices_have_views(void **state)
{
	static const struct {
		const char *login, *password;
		const char *user; /* who is granted; NULL: refused as everybody */
		const char *device;
		uint32_t recent_days;
	} cases[] = {
		{"alice", "secret-a", "alice", "", 0},
		{"Alice+Phone", "secret-a", "alice", "phone", 0},
		{"alice+laptop@Example.Org", "secret-a", "alice", "laptop", 0},
		/* Somebody who is called so has no device, and another password. */
		{"alice+boss", "secret-b", "alice+boss", "", 0},
		{"alice+boss", "secret-a", NULL, NULL, 0},
		{"alice+boss+phone", "secret-b", "alice+boss", "phone", 0},
		/* Only to look. */
		{"recent:alice", "secret-a", "alice", "", 30},
		{"recent:carol+phone", "secret-c", "carol", "", 7},
		/* As any wrong password, of who is there and who isn't. */
		{"alice+phone", "secret-b", NULL, NULL, 0},
		{"nobody+phone", "secret-b", NULL, NULL, 0},
		{"recent:nobody", "secret-b", NULL, NULL, 0},
		{"recent:dan", "secret-b", NULL, NULL, 0},
		{"recent:", "secret-b", NULL, NULL, 0},
	};
	struct peers *p = *state;

	peers_write_users(p, "alice:{PLAIN}secret-a\n"
			     "alice+boss:{PLAIN}secret-b\n"
			     "carol:{PLAIN}secret-c::::::recent_days=7\n"
			     "dan:{PLAIN}secret-d::::::recent_days=0\n");
	p->config.rules.recent_offer = 30;
	peers_start(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say_pass(p->a, i + 1, cases[i].login, cases[i].password);
		if (cases[i].user != NULL) {
			hear_open(p, LISTENER_A, i + 1, cases[i].user);
			expect_view(cases[i].device, cases[i].recent_days);
		} else {
			hear_failed(p->a, i + 1, IPC_BAD_CREDENTIALS);
		}
	}
	assert_non_null(strstr(peers_log(p), "user=alice device=phone remote="));
	say_pass(p->a, 50, "recent:dan", "secret-d");
	hear_failed(p->a, 50, IPC_PERMANENT);
	assert_non_null(strstr(peers_log(p), "reason=recent-is-off"));
	assert_false(peers_readable(p->storage));
	/* Mail for a device is its user's, and seen by all. */
	say_rcpt(p->a, 60, 1, "alice+phone@example.org");
	hear_rcpt(p->a, 60, IPC_OK);
	assert_true(peers_receive(p->storage));
	assert_string_equal(msg.grant.user, "alice");
	expect_view("", 0);
}

static void without_a_separator_there_are_no_devices(void **state)
{
	struct peers *p = *state;

	put(p->config.device_separator, sizeof(p->config.device_separator), "none");
	peers_start(p);
	say_pass(p->a, 1, "alice+phone", "secret-a");
	hear_failed(p->a, 1, IPC_BAD_CREDENTIALS);
	say_pass(p->a, 2, "alicenphone", "secret-a");
	hear_failed(p->a, 2, IPC_BAD_CREDENTIALS);
	say_pass(p->a, 3, "alice", "secret-a");
	hear_open(p, LISTENER_A, 3, "alice");
}

static void ids_are_storages_when_one_user_owns_all(void **state)
{
	struct peers *p = *state;

	put(p->config.mail_user, sizeof(p->config.mail_user), "vmail");
	peers_start(p);
	say_pass(p->a, 1, "alice", "secret-a");
	hear_open(p, LISTENER_A, 1, "alice");
	assert_int_equal(msg.grant.uid, UINT32_MAX);
	assert_int_equal(msg.grant.gid, UINT32_MAX);
}

static void wrong_ones_are_refused_alike(void **state)
{
	static const char *const cases[][2] = {
		{"alice", "secret-A"},
		{"alice", ""},
		{"alice", "secret-a "},
		{"nobody", "secret-a"},
		{"dave", "secret-d"},
		{"carol", "pass  word"},
		{"../alice", "secret-a"},
		{"", "secret-a"},
		{"alice@", "secret-a"},
		{"bob", "pass word"},
		{"alice@example.net", "secret-a"},
		{"al\nice", "secret-a"},
		{"\xff", "secret-a"},
	};
	struct peers *p = *state;

	peers_start(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say_pass(p->a, i + 1, cases[i][0], cases[i][1]);
		hear_failed(p->a, i + 1, IPC_BAD_CREDENTIALS);
	}
	assert_false(peers_readable(p->storage));
	assert_non_null(strstr(peers_log(p), "event=login-failed"));
	assert_non_null(strstr(peers_log(p), "user=alice remote=192.0.2.9 method=pass "
					     "reason=wrong-password"));
	assert_non_null(strstr(peers_log(p), "user=nobody remote=192.0.2.9 method=pass "
					     "reason=unknown-user"));
	assert_non_null(strstr(peers_log(p), "reason=locked"));
}

static void what_the_operator_must_mend(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_pass(p->a, 1, "erin", "secret");
	hear_failed(p->a, 1, IPC_PERMANENT);
	assert_non_null(strstr(peers_log(p), "{ROT13}"));
	say_pass(p->a, 2, "frank", "secret-f");
	hear_failed(p->a, 2, IPC_PERMANENT);
	assert_non_null(strstr(peers_log(p), "not a maildir"));
	/* The sender shall try again, not get it back. */
	say_rcpt(p->a, 3, 1, "frank@example.org");
	hear_rcpt(p->a, 3, IPC_TEMPORARY);
	assert_false(peers_readable(p->storage));
}

/* A refusal comes when the request is that old, not before; others don't wait for it. */
static void failures_are_answered_late(void **state)
{
	struct peers *p = *state;

	p->config.auth_failure_delay_ms = 400;
	peers_start(p);

	const uint64_t before = clock_mono_ms();

	say_pass(p->a, 1, "alice", "wrong");
	say_pass(p->a, 2, "nobody", "wrong");
	say_pass(p->a, 3, "alice", "secret-a");
	hear_open(p, LISTENER_A, 3, "alice");

	const bool refused = peers_readable(p->a);

	/* Where the machine is so busy that this comes late, it shows nothing. */
	if (clock_mono_ms() - before < 399)
		assert_false(refused);
	hear_failed(p->a, 1, IPC_BAD_CREDENTIALS);
	assert_true(clock_mono_ms() - before >= 399);
	hear_failed(p->a, 2, IPC_BAD_CREDENTIALS);
	/* One that has gone is not answered at all. */
	say_pass(p->a, 4, "alice", "wrong");
	say_cancel(p->a, 4);
	say_pass(p->a, 5, "alice", "wrong");
	hear_failed(p->a, 5, IPC_BAD_CREDENTIALS);
}

/* The second time costs no hash: it is answered while the pool is busy with others. */
static void a_poll_waits_for_no_hash(void **state)
{
	struct peers *p = *state;
	unsigned refused = 0;

	peers_start(p);
	say_pass(p->a, 1, "carol", "pass word");
	hear_open(p, LISTENER_A, 1, "carol");
	assert_int_equal(kill(p->pid, SIGSTOP), 0);
	for (uint64_t i = 0; i < 16; i++)
		say_pass(p->b, 100 + i, "carol", "wrong");
	say_pass(p->a, 2, "carol", "pass word");
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	hear_open(p, LISTENER_A, 2, "carol");
	while (peers_readable(p->b)) {
		assert_true(peers_receive(p->b));
		refused++;
	}
	assert_true(refused < 16);
	for (; refused < 16; refused++) {
		assert_true(peers_receive(p->b));
		assert_int_equal(msg.result.status, IPC_BAD_CREDENTIALS);
	}
	assert_non_null(strstr(peers_log(p), "remembered=1"));

	/* A new hash for the same password: what was remembered is worth nothing. */
	peers_write_users(p, "carol:{PLAIN}secret-new\n");
	say_pass(p->a, 3, "carol", "pass word");
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	say_pass(p->a, 4, "carol", "secret-new");
	hear_open(p, LISTENER_A, 4, "carol");
}

/* A little early is let in a little later; much too early is refused, whoever asks. */
static void logins_have_a_delay(void **state)
{
	struct peers *p = *state;
	uint64_t before;

	peers_write_users(p, "alice:{PLAIN}a::::::login_delay=1\n"
			     "bob:{PLAIN}b\n"
			     "carol:{PLAIN}c::::::login_delay=0\n"
			     "dave:{PLAIN}d::::::login_delay=9999\n");
	p->config.rules.login_delay = 600;
	peers_start(p);
	say_pass(p->a, 1, "bob", "b");
	hear_open(p, LISTENER_A, 1, "bob");
	assert_int_equal(msg.grant.rules.login_delay, 600);
	say_pass(p->a, 2, "bob", "b");
	hear_failed(p->a, 2, IPC_LOGIN_DELAY);
	/* A wrong password isn't told that the right one would have been too early. */
	say_pass(p->a, 3, "bob", "x");
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	for (uint64_t i = 10; i < 13; i++) {
		say_pass(p->a, i, "carol", "c");
		hear_open(p, LISTENER_A, i, "carol");
	}
	/* The configuration says what the longest is. */
	say_pass(p->a, 20, "dave", "d");
	hear_open(p, LISTENER_A, 20, "dave");
	assert_int_equal(msg.grant.rules.login_delay, 600);

	before = clock_mono_ms();
	say_pass(p->a, 30, "alice", "a");
	hear_open(p, LISTENER_A, 30, "alice");
	say_pass(p->a, 31, "alice", "a");
	say_pass(p->a, 32, "alice", "a");
	say_cancel(p->a, 32);
	hear_open(p, LISTENER_A, 31, "alice");
	assert_true(clock_mono_ms() - before >= 1000);
	/* Who has hung up meanwhile isn't let in, and holds nobody up. */
	say_pass(p->a, 33, "alice", "a");
	hear_open(p, LISTENER_A, 33, "alice");
	assert_non_null(strstr(peers_log(p), "reason=login-delay"));
}

/* However the guesses come, the next waits; and who is right gets in, from there too. */
static void guesses_wait(void **state)
{
	static const char plain[] = "\0alice\0wonderland";
	struct peers *p = *state;
	char wrong[8];
	uint64_t before;

	peers_write_users(p, "alice:{PLAIN}wonderland\nbob:{PLAIN}builder\n");
	p->config.auth_penalty_max = 1;
	peers_start(p);
	/* The same over and over is one. */
	for (uint64_t i = 1; i <= 20; i++) {
		say_pass(p->a, i, "alice", "forgotten");
		hear_failed(p->a, i, IPC_BAD_CREDENTIALS);
	}
	for (uint64_t i = 30; i < 33; i++) {
		(void)snprintf(wrong, sizeof(wrong), "w%u", (unsigned)i);
		say_pass(p->a, i, "alice@EXAMPLE.org", wrong);
		hear_failed(p->a, i, IPC_BAD_CREDENTIALS);
	}
	before = clock_mono_ms();
	/* Three are free, that was the fourth. Who hangs up has not guessed: nobody looks. */
	say_pass(p->b, 40, "Alice", "w40");
	say_pass(p->a, 41, "alice", "w41");
	say_cancel(p->b, 40);
	say_sasl(p->a, 42, "PLAIN", plain, sizeof(plain) - 1);
	/* Others at other addresses don't wait with them. */
	say_pass_at(p->a, 43, "198.51.100.7", "bob", "builder", IPC_AUTH_TLS);
	hear_open(p, LISTENER_A, 43, "bob");
	hear_failed(p->a, 41, IPC_BAD_CREDENTIALS);
	assert_true(clock_mono_ms() - before >= 1000);
	hear_open(p, LISTENER_A, 42, "alice");
	/* From now on alice is known there. */
	say_pass(p->a, 44, "alice", "wonderland");
	hear_open(p, LISTENER_A, 44, "alice");

	const char *const log = peers_log(p);

	assert_non_null(strstr(log, "reason=wrong-password repeated=0"));
	assert_non_null(strstr(log, "reason=wrong-password repeated=1"));
	assert_null(strstr(log, "w40"));
}

/* Each device's name is as good for guessing as any: they all count as the user's. */
static void guesses_at_devices_are_at_their_user(void **state)
{
	struct peers *p = *state;
	uint64_t before;

	peers_write_users(p, "alice:{PLAIN}wonderland\n");
	p->config.auth_penalty_max = 1;
	peers_start(p);
	say_pass(p->a, 1, "alice", "w1");
	hear_failed(p->a, 1, IPC_BAD_CREDENTIALS);
	say_pass(p->a, 2, "alice+a@example.org", "w2");
	hear_failed(p->a, 2, IPC_BAD_CREDENTIALS);
	say_pass(p->a, 3, "recent:Alice+b", "w3");
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	say_pass(p->a, 4, "alice+c", "w4");
	hear_failed(p->a, 4, IPC_BAD_CREDENTIALS);
	before = clock_mono_ms();
	say_pass(p->a, 5, "alice+d", "wonderland");
	hear_open(p, LISTENER_A, 5, "alice");
	assert_true(clock_mono_ms() - before >= 1000);
}

static void cancelled_ones_get_no_grant(void **state)
{
	struct peers *p = *state;

	p->config.auth_cache_seconds = 0;
	peers_start(p);
	/* One in the pool, one waiting for it, and both ids used again at once. */
	assert_int_equal(kill(p->pid, SIGSTOP), 0);
	say_pass(p->a, 1, "carol", "pass word");
	say_pass(p->a, 2, "carol", "pass word");
	say_cancel(p->a, 1);
	say_cancel(p->a, 2);
	say_cancel(p->a, 3);
	say_pass(p->a, 1, "alice", "secret-a");
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	hear_open(p, LISTENER_A, 1, "alice");
	say_pass(p->a, 2, "alice", "secret-a");
	hear_open(p, LISTENER_A, 2, "alice");
	/* A listener that dies takes its questions along, from behind those of others. */
	for (uint64_t i = 0; i < 8; i++)
		say_pass(p->a, 50 + i, "nobody", "x");
	say_pass(p->b, 1, "carol", "pass word");
	say_pass(p->b, 2, "nobody", "x");
	peers_close(&p->b);
	p->b = peers_link(p, IPC_LISTENER, LISTENER_B);
	say_pass(p->b, 9, "alice", "secret-a");
	hear_open(p, LISTENER_B, 9, "alice");
	for (uint64_t i = 0; i < 8; i++)
		hear_failed(p->a, 50 + i, IPC_BAD_CREDENTIALS);
}

static void too_many_of_one_name(void **state)
{
	struct peers *p = *state;
	static const char *const names[] = {"carol", "nobody"};

	p->config.max_connections_per_user = 2;
	peers_start(p);
	/* The same for a user and for nobody. */
	for (size_t i = 0; i < 2; i++) {
		/* All at once: it might be done with the first before it hears of the third. */
		assert_int_equal(kill(p->pid, SIGSTOP), 0);
		say_pass(p->a, 1, names[i], "wrong");
		say_pass(p->a, 2, names[i], "wrong");
		say_pass(p->a, 3, names[i], "wrong");
		assert_int_equal(kill(p->pid, SIGCONT), 0);
		hear_failed(p->a, 3, IPC_TOO_MANY);
		hear_failed(p->a, 1, IPC_BAD_CREDENTIALS);
		hear_failed(p->a, 2, IPC_BAD_CREDENTIALS);
	}
	/* Who has gone isn't counted: neither one in the pool nor one that waits for it. */
	assert_int_equal(kill(p->pid, SIGSTOP), 0);
	say_pass(p->b, 1, "other", "x");
	say_pass(p->a, 1, "carol", "wrong");
	say_pass(p->a, 2, "carol", "wrong");
	say_cancel(p->a, 1);
	say_cancel(p->a, 2);
	say_pass(p->a, 3, "carol", "wrong");
	say_pass(p->a, 4, "carol", "pass word");
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	hear_open(p, LISTENER_A, 4, "carol");
}

/* Somebody guesses under carol's name, as fast as they may. She gets in all the same. */
static void guessing_locks_nobody_out(void **state)
{
	struct peers *p = *state;

	p->config.max_connections_per_user = 2;
	peers_start(p);
	assert_int_equal(kill(p->pid, SIGSTOP), 0);
	for (uint64_t i = 1; i <= 9; i++)
		say_pass(p->a, i, "carol", "wrong");
	say_pass_at(p->a, 10, "192.0.2.10", "carol", "pass word", IPC_AUTH_TLS);
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	for (uint64_t i = 3; i <= 9; i++)
		hear_failed(p->a, i, IPC_TOO_MANY);
	hear_open(p, LISTENER_A, 10, "carol");
	hear_failed(p->a, 1, IPC_BAD_CREDENTIALS);
	hear_failed(p->a, 2, IPC_BAD_CREDENTIALS);
}

/* One thread, nine passwords of one address, then one of each of others. */
static void each_address_has_its_turn(void **state)
{
	/* The last two are in one network. */
	static const char *const others[] = {"192.0.2.10", "unix", "2001:db8::1", "2001:db8::ffff"};
	static const uint64_t order[] = {1, 2, 21, 22, 23, 3, 24, 4, 5, 6, 7, 8, 9};
	struct peers *p = *state;

	peers_start(p);
	assert_int_equal(kill(p->pid, SIGSTOP), 0);
	for (uint64_t i = 1; i <= 9; i++)
		say_pass(p->a, i, "carol", "wrong");
	for (uint64_t i = 0; i < 4; i++)
		say_pass_at(p->a, 21 + i, others[i], "carol", "wrong", IPC_AUTH_TLS);
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		hear_failed(p->a, order[i], IPC_BAD_CREDENTIALS);
}

static void more_requests_than_connections(void **state)
{
	struct peers *p = *state;

	p->config.max_connections = 3;
	peers_start(p);
	for (uint64_t i = 1; i <= 3; i++)
		say_sasl(p->a, i, "PLAIN", NULL, 0);
	say_pass(p->a, 4, "alice", "secret-a");
	say_rcpt(p->a, 5, 1, "alice@example.org");
	for (uint64_t i = 1; i <= 3; i++)
		hear_challenge(p->a, i);
	hear_failed(p->a, 4, IPC_TOO_MANY);
	hear_rcpt(p->a, 5, IPC_TEMPORARY);
	say_cancel(p->a, 2);
	say_pass(p->a, 4, "alice", "secret-a");
	hear_open(p, LISTENER_A, 4, "alice");
}

static void clear_passwords_need_leave(void **state)
{
	static const struct {
		enum config_plaintext policy;
		uint32_t flags;
		bool allowed;
	} cases[] = {
		{CONFIG_PLAINTEXT_NEVER, 0, false},
		{CONFIG_PLAINTEXT_NEVER, IPC_AUTH_LOOPBACK, false},
		{CONFIG_PLAINTEXT_NEVER, IPC_AUTH_TLS, true},
		{CONFIG_PLAINTEXT_LOOPBACK, 0, false},
		{CONFIG_PLAINTEXT_LOOPBACK, IPC_AUTH_LOOPBACK, true},
		{CONFIG_PLAINTEXT_LOOPBACK, IPC_AUTH_TLS | IPC_AUTH_LOOPBACK, true},
		{CONFIG_PLAINTEXT_ALWAYS, 0, true},
	};
	struct peers *p = *state;

	peers_start(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int fd = memfd_create("config", MFD_CLOEXEC);

		p->config.plaintext_login = cases[i].policy;
		assert_int_equal(write(fd, &p->config, sizeof(p->config)),
				 (ssize_t)sizeof(p->config));
		ipc_start(&msg, IPC_CONFIG, 0);
		peers_send(p->control, &msg, fd);
		(void)close(fd);
		/* This link is only made after the configuration before it was read. */
		const int l = peers_link(p, IPC_LISTENER, 50);

		say_pass_from(l, 1, "alice", "secret-a", cases[i].flags);
		if (cases[i].allowed)
			hear_open(p, 50, 1, "alice");
		else
			hear_failed(l, 1, IPC_PERMANENT);
		(void)close(l);
	}
}

static void recipients(void **state)
{
	static const struct {
		const char *address;
		const char *user; /* NULL: nobody */
	} cases[] = {
		{"alice@example.org", "alice"},
		{"ALICE@EXAMPLE.ORG", "alice"},
		{"alice", "alice"},
		{"alice+lists@example.org", "alice"},
		{"alice+a+b@example.org", "alice"},
		{"bob@example.net", "bob@example.net"},
		{"bob+x@example.net", "bob@example.net"},
		/* Who may not log in gets mail all the same. */
		{"dave@example.org", "dave"},
		{"erin@example.org", "erin"},
		{"alice@example.net", NULL},
		{"bob@example.org", NULL},
		{"+alice@example.org", NULL},
		{"alice-lists@example.org", NULL},
		{"", NULL},
		{"@example.org", NULL},
		{"alice@", NULL},
		{"../alice@example.org", NULL},
		{"alice@../example.org", NULL},
	};
	struct peers *p = *state;

	peers_start(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say_rcpt(p->a, 77, (uint32_t)i + 1, cases[i].address);
		if (cases[i].user == NULL) {
			hear_rcpt(p->a, 77, IPC_NO_USER);
			assert_false(peers_readable(p->storage));
			continue;
		}
		hear_rcpt(p->a, 77, IPC_OK);
		assert_int_equal(msg.rcpt_reply.quota, 0);
		/* By the time the listener knows, storage does. */
		assert_true(peers_readable(p->storage));
		assert_true(peers_receive(p->storage));
		assert_int_equal(msg.head.type, IPC_GRANT_DELIVER);
		assert_int_equal(msg.head.session, 77);
		assert_int_equal(msg.grant.listener, LISTENER_A);
		assert_int_equal(msg.grant.transaction, i + 1);
		assert_string_equal(msg.grant.user, cases[i].user);
		assert_string_equal(msg.grant.address, cases[i].address);
	}
}

/* What the configuration says for all, what a user's row says instead, and who must be asked. */
static void rules_go_with_the_grant(void **state)
{
	static const struct {
		const char *user;
		uint64_t octets;
		uint64_t messages;
	} cases[] = {
		{"alice", 1000, 0},
		{"bob", 2048, 0},
		{"carol", 0, 7},
		{"dave", 0, 0},
	};
	struct peers *p = *state;

	peers_write_users(p, "alice:{PLAIN}a\n"
			     "bob:{PLAIN}b::::::quota_octets=2K nologin\n"
			     "carol:{PLAIN}c::::::quota_octets=0 userdb_quota_rule=*:messages=7\n"
			     "dave:{PLAIN}d::::::quota_octets=0\n"
			     "erin:{PLAIN}e::::::quota_octets=much\n");
	p->config.rules.quota_octets = 1000;
	peers_start(p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char address[64];

		(void)snprintf(address, sizeof(address), "%s@example.org", cases[i].user);
		say_rcpt(p->a, 77, (uint32_t)i + 1, address);
		hear_rcpt(p->a, 77, IPC_OK);
		assert_int_equal(msg.rcpt_reply.quota,
				 cases[i].octets != 0 || cases[i].messages != 0);
		assert_true(peers_receive(p->storage));
		assert_int_equal(msg.grant.rules.quota_octets, cases[i].octets);
		assert_int_equal(msg.grant.rules.quota_messages, cases[i].messages);
	}
	/* Nobody knows what was meant: no mail is sent back, and nobody is let in. */
	say_rcpt(p->a, 77, 9, "erin@example.org");
	hear_rcpt(p->a, 77, IPC_TEMPORARY);
	say_pass(p->a, 78, "erin", "e");
	hear_failed(p->a, 78, IPC_PERMANENT);
}

static void storage_comes_and_goes(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_pass(p->a, 1, "alice", "secret-a");
	hear_open(p, LISTENER_A, 1, "alice");
	peers_close(&p->storage);
	/* Whether or not it has noticed yet: a grant into the dark must not be called a login. */
	for (int i = 0; strstr(peers_log(p), "storage-gone") == NULL; i++) {
		assert_true(i < PATIENCE_MS);
		(void)usleep(1000);
	}
	say_pass(p->a, 2, "alice", "secret-a");
	hear_failed(p->a, 2, IPC_TEMPORARY);
	say_rcpt(p->a, 3, 1, "alice@example.org");
	hear_rcpt(p->a, 3, IPC_TEMPORARY);
	/* Nobody stays nobody. */
	say_rcpt(p->a, 3, 1, "nobody@example.org");
	hear_rcpt(p->a, 3, IPC_NO_USER);
	p->storage = peers_link(p, IPC_STORAGE, 2);
	peers_sync(p);
	say_pass(p->b, 4, "alice", "secret-a");
	hear_open(p, LISTENER_B, 4, "alice");

	/* A new one, before the end of the old one was seen. */
	const int old = p->storage;

	p->storage = peers_link(p, IPC_STORAGE, 3);
	peers_sync(p);
	say_pass(p->b, 5, "alice", "secret-a");
	hear_open(p, LISTENER_B, 5, "alice");
	hear_hangup(old);
	(void)close(old);
}

/* A listener waits for its own storage: what another one is granted, it may never hear of. */
static void nobody_waits_for_another_storage(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	/* The listener has lost it, and has a new one; we know only the old one. */
	listeners_storage = 2;
	say_pass(p->a, 1, "alice", "secret-a");
	hear_failed(p->a, 1, IPC_TEMPORARY);
	assert_false(peers_readable(p->storage));
	/* The listener knows only the old one, of whose end we have heard. */
	p->storage = peers_link(p, IPC_STORAGE, 3);
	peers_sync(p);
	listeners_storage = 1;
	say_pass(p->a, 2, "alice", "secret-a");
	hear_failed(p->a, 2, IPC_TEMPORARY);
	assert_false(peers_readable(p->storage));
	listeners_storage = 3;
	say_pass(p->a, 3, "alice", "secret-a");
	hear_open(p, LISTENER_A, 3, "alice");
	/* Both know of the new one, but its link is read after the login: it isn't refused. */
	assert_int_equal(kill(p->pid, SIGSTOP), 0);
	listeners_storage = 4;
	say_pass(p->a, 4, "alice", "secret-a");
	p->storage = peers_link(p, IPC_STORAGE, 4);
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	hear_open(p, LISTENER_A, 4, "alice");
}

static void a_database_that_is_away_refuses_nobody(void **state)
{
	struct peers *p = *state;

	assert_int_equal(unlink(p->users), 0);
	peers_start(p);
	say_pass(p->a, 1, "alice", "secret-a");
	hear_failed(p->a, 1, IPC_TEMPORARY);
	say_rcpt(p->a, 2, 1, "alice@example.org");
	hear_rcpt(p->a, 2, IPC_TEMPORARY);
	assert_non_null(strstr(peers_log(p), p->users));
	/* Said once, not for each login. */
	assert_null(strstr(strstr(peers_log(p), "cannot open") + 1, "cannot open"));
	peers_write_users(p, users);
	say_pass(p->a, 3, "alice", "secret-a");
	hear_open(p, LISTENER_A, 3, "alice");
	/* Gone again: who was known stays known. */
	assert_int_equal(unlink(p->users), 0);
	say_pass(p->a, 4, "alice", "secret-a");
	hear_open(p, LISTENER_A, 4, "alice");
	/* Empty, as when an editor is about to write it: nobody gets in, nobody is denied. */
	peers_write_users(p, "");
	say_pass(p->a, 5, "alice", "secret-a");
	hear_failed(p->a, 5, IPC_TEMPORARY);
}

static void a_new_configuration_drops_nobody(void **state)
{
	struct peers *p = *state;
	const int fd = memfd_create("config", MFD_CLOEXEC);
	FILE *f;

	peers_start(p);
	say_pass(p->a, 1, "carol", "pass word");
	say_sasl(p->a, 2, "LOGIN", NULL, 0);
	hear_challenge(p->a, 2);
	(void)snprintf(p->config.users_file, sizeof(p->config.users_file), "%s.2", p->users);
	f = fopen(p->config.users_file, "w");
	assert_non_null(f);
	assert_true(fputs("zoe:{PLAIN}secret-z\n", f) >= 0);
	assert_int_equal(fchmod(fileno(f), 0644), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(write(fd, &p->config, sizeof(p->config)), (ssize_t)sizeof(p->config));
	ipc_start(&msg, IPC_CONFIG, 0);
	peers_send(p->control, &msg, fd);
	(void)close(fd);
	/* Begun before, answered after. */
	hear_open(p, LISTENER_A, 1, "carol");

	peers_sync(p);
	say_sasl(p->a, 2, NULL, "zoe", 3);
	hear_challenge(p->a, 2);
	say_sasl(p->a, 2, NULL, "secret-z", 8);
	hear_open(p, LISTENER_A, 2, "zoe");
	say_pass(p->a, 3, "alice", "secret-a");
	hear_failed(p->a, 3, IPC_BAD_CREDENTIALS);
	(void)unlink(p->config.users_file);
}

/* A password typed with full-width digits is the one that was stored in ASCII, and the other way.
 */
static void passwords_beyond_ascii(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	say_pass(p->a, 1, "\xe5\xb1\xb1", "\xef\xbc\x91\xef\xbc\x92");
	hear_open(p, LISTENER_A, 1, "\xe5\xb1\xb1");
	peers_write_users(p, "x:{PLAIN}12\n");
	say_pass(p->a, 2, "x", "\xef\xbc\x91\xef\xbc\x92");
	hear_open(p, LISTENER_A, 2, "x");
	/* Latin-1, as old clients send it, is compared as it is. */
	peers_write_users(p, "x:{PLAIN}p\xe4ss\n");
	say_pass(p->a, 3, "x", "p\xe4ss");
	hear_open(p, LISTENER_A, 3, "x");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(right_password_opens),
		TEST(devices_have_views),
		TEST(without_a_separator_there_are_no_devices),
		TEST(ids_are_storages_when_one_user_owns_all),
		TEST(wrong_ones_are_refused_alike),
		TEST(what_the_operator_must_mend),
		TEST(failures_are_answered_late),
		TEST(a_poll_waits_for_no_hash),
		TEST(logins_have_a_delay),
		TEST(guesses_wait),
		TEST(guesses_at_devices_are_at_their_user),
		TEST(cancelled_ones_get_no_grant),
		TEST(too_many_of_one_name),
		TEST(guessing_locks_nobody_out),
		TEST(each_address_has_its_turn),
		TEST(more_requests_than_connections),
		TEST(clear_passwords_need_leave),
		TEST(recipients),
		TEST(rules_go_with_the_grant),
		TEST(storage_comes_and_goes),
		TEST(nobody_waits_for_another_storage),
		TEST(a_database_that_is_away_refuses_nobody),
		TEST(a_new_configuration_drops_nobody),
		TEST(passwords_beyond_ascii),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
