/* SPDX-License-Identifier: MIT */
/*
 * POP3 sessions of a real listener, between an auth and a storage that the test
 * plays: whole, cut everywhere, and with answers that come late or never.
 */
#include "office.h"

#include "../../codec/cuts.h"

static struct peers peers;

/* ---- the same however it is cut ---- */

static const char everything[] =
	"USER alice\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL 2\r\nRETR 1\r\nRETR 2\r\nTOP 3 1\r\n"
	"RETR 3\r\nDELE 1\r\nDELE 3\r\nRSET\r\nDELE 2\r\nLIST\r\nNOOP\r\nQUIT\r\n";

static const char everything_heard[] = "+OK restante is ready\r\n"
				       "+OK now PASS\r\n"
				       "+OK 3 messages (60 octets)\r\n"
				       "+OK 3 60\r\n"
				       "+OK 3 messages (60 octets)\r\n1 19\r\n2 19\r\n3 22\r\n.\r\n"
				       "+OK 2 uid2\r\n"
				       "+OK 19 octets\r\nSubject: a\r\n\r\none\r\n.\r\n"
				       "+OK 19 octets\r\nSubject: b\r\n\r\ntwo\r\n.\r\n"
				       "+OK\r\nSubject: c\r\n\r\n..\r\n.\r\n"
				       "+OK 22 octets\r\nSubject: c\r\n\r\n..\r\n...x\r\n.\r\n"
				       "+OK message 1 deleted\r\n"
				       "+OK message 3 deleted\r\n"
				       "+OK 3 messages (60 octets)\r\n"
				       "+OK message 2 deleted\r\n"
				       "+OK 2 messages (41 octets)\r\n1 19\r\n3 22\r\n.\r\n"
				       "+OK\r\n"
				       "+OK good bye\r\n";

/* Says it in pieces, each of them read before the next is sent. What was heard, until the end. */
static struct span converse(unsigned at, struct span stream, size_t way, struct office *o)
{
	static char memory[16384];
	struct out heard = {.p = memory, .cap = sizeof(memory)};
	struct cuts cuts = cuts_begin(stream, way);
	const int client = client_connect(&peers, at);
	struct span piece;

	while (cuts_next(&cuts, &piece)) {
		say_octets(client, piece.p, piece.n);
		client_settle(client);
	}
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	office_work(&peers, o, client, &heard);
	(void)close(client);
	return out_span(&heard);
}

static void assert_heard(struct span heard, const char *wanted)
{
	if (!span_eq(heard, span_str(wanted)))
		fail_msg("heard '%.*s'", (int)heard.n, heard.p);
}

static void a_session_in_all_pieces(void **state)
{
	const struct span stream = span_str(everything);

	(void)state;
	for (size_t way = 0; way < cuts_ways(stream); way++) {
		struct office o = {.file = -1};

		assert_heard(converse(AT_POP3, stream, way, &o), everything_heard);
		assert_int_equal(o.logins, 1);
		assert_int_equal(o.commits, 1);
		assert_int_equal(o.marked, 1);
		office_tidy(&peers, &o);
	}
}

static void sasl_in_all_pieces(void **state)
{
	const struct span stream = SPAN_LIT(
		"AUTH PLAIN AGFsaWNlAHdyb25nAA==\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n!\r\n"
		"AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\nQUIT\r\n");

	(void)state;
	for (size_t way = 0; way < cuts_ways(stream); way++) {
		struct office o = {.file = -1};

		assert_heard(converse(AT_POP3, stream, way, &o),
			     "+OK restante is ready\r\n"
			     "-ERR [AUTH] wrong name or password\r\n"
			     "+ \r\n-ERR AUTH was cancelled\r\n"
			     "+ \r\n-ERR AUTH: this is not base64\r\n"
			     "+ \r\n+OK 3 messages (60 octets)\r\n+OK good bye\r\n");
		office_tidy(&peers, &o);
	}
}

/* After each octet the client may go: nothing is deleted, and storage hears that it went. */
static void a_client_leaves_after_each_octet(void **state)
{
	const struct span stream = span_of(everything, sizeof(everything) - 3);

	(void)state;
	for (size_t n = 0; n < stream.n; n++) {
		struct office o = {.file = -1};

		(void)converse(AT_POP3, span_of(stream.p, n), stream.n, &o);
		while (o.logins > o.closed)
			office_hear_storage(&peers, &o);
		assert_int_equal(o.commits, 0);
		office_tidy(&peers, &o);
	}
}

/* ---- lines that are too long ---- */

static void long_lines(void **state)
{
	static char stream[40000];
	struct office o = {.file = -1};
	struct out out = {.p = stream, .cap = sizeof(stream)};

	(void)state;
	memset(stream, 'A', 255);
	out.n = 255;
	assert_true(out_put(&out, SPAN_LIT("AUTH x\r\nUSER ")));
	memset(stream + out.n, 'u', 9000);
	out.n += 9000;
	assert_true(out_put(&out, SPAN_LIT("\r\nAUTH PLAIN ")));
	memset(stream + out.n, 'A', 17408 / 3 * 4);
	out.n += 17408 / 3 * 4;
	assert_true(out_put(&out, SPAN_LIT("\r\nAUTH PLAIN\r\n=\r\nQUIT\r\n")));
	assert_heard(converse(AT_POP3, out_span(&out), 250, &o),
		     "+OK restante is ready\r\n"
		     "-ERR the line is too long\r\n"
		     "-ERR the line is too long\r\n"
		     "-ERR [AUTH] wrong name or password\r\n"
		     "+ \r\n-ERR AUTH: this is not base64\r\n"
		     "+OK good bye\r\n");
	office_tidy(&peers, &o);
}

static void a_sasl_line_that_is_too_long(void **state)
{
	static char line[30000];
	struct office o = {.file = -1};
	const int client = client_greeted(&peers, AT_POP3);

	(void)state;
	memset(line, 'A', sizeof(line));
	say(client, "AUTH PLAIN\r\n");
	office_hear_auth(&peers, &o);
	hear(client, "+ ");
	say_octets(client, line, sizeof(line));
	hear(client, "-ERR AUTH: this is too long");
	say(client, "\r\nQUIT\r\n");
	hear(client, "+OK good bye");
	hear_nothing_more(client);
	office_tidy(&peers, &o);
}

/* ---- processes that go away ---- */

static int log_in(struct office *o)
{
	const int client = client_greeted(&peers, AT_POP3);

	say(client, "USER alice\r\nPASS secret\r\n");
	hear(client, "+OK now PASS");
	office_hear_auth(&peers, o);
	hear(client, "+OK 3 messages (60 octets)");
	return client;
}

static void renew(int *channel, enum ipc_role role)
{
	(void)close(*channel);
	*channel = peers_link(&peers, role);
}

static void auth_goes_while_it_is_asked(void **state)
{
	struct office o = {.file = -1};
	const int client = client_greeted(&peers, AT_POP3);

	(void)state;
	say(client, "USER alice\r\nPASS secret\r\n");
	hear(client, "+OK now PASS");

	const uint64_t old = hear_message(peers.auth, IPC_AUTH_PASS);

	renew(&peers.auth, IPC_AUTH);
	hear(client, "-ERR [SYS/TEMP] cannot log in now, try again later");
	assert_int_equal(hear_message(peers.storage, IPC_CLOSE), old);
	/* It had granted before it died: that maildrop is nobody's. */
	office_send_opened(&peers, old, IPC_OK);
	assert_int_equal(hear_message(peers.storage, IPC_CLOSE), old);
	say(client, "USER alice\r\nPASS secret\r\n");
	hear(client, "+OK now PASS");
	office_hear_auth(&peers, &o);
	assert_true(o.session != old);
	hear(client, "+OK 3 messages (60 octets)");
	(void)close(client);
	(void)hear_message(peers.storage, IPC_CLOSE);
}

static void storage_goes(void **state)
{
	static const char *const last_words[] = {"", "RETR 1\r\n", "DELE 1\r\nQUIT\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(last_words) / sizeof(last_words[0]); i++) {
		struct office o = {.file = -1};
		const int client = log_in(&o);

		say(client, last_words[i]);
		if (i == 2)
			hear(client, "+OK message 1 deleted");
		if (i > 0)
			assert_true(peers_receive(peers.storage, IPC_STORAGE));
		renew(&peers.storage, IPC_STORAGE);
		hear(client, "-ERR [SYS/TEMP] the mail storage went away, log in again");
		hear_nothing_more(client);
	}
	/* The new one hears nothing of sessions that it never knew. */
	struct office o = {.file = -1};
	const int client = log_in(&o);

	say(client, "QUIT\r\n");
	office_hear_storage(&peers, &o);
	/* Nothing was marked: that it leaves is all that storage hears, and nobody waits for it. */
	assert_int_equal(o.closed, 1);
	assert_int_equal(o.commits, 0);
	hear(client, "+OK good bye");
	hear_nothing_more(client);
}

static void a_message_is_finished_though_storage_goes(void **state)
{
	struct office o = {.file = -1};
	const int client = log_in(&o);

	(void)state;
	say(client, "RETR 1\r\n");
	office_hear_storage(&peers, &o);
	renew(&peers.storage, IPC_STORAGE);
	hear(client, "+OK 19 octets");
	hear(client, "Subject: a");
	hear(client, "");
	hear(client, "one");
	hear(client, ".");
	hear(client, "-ERR [SYS/TEMP] the mail storage went away, log in again");
	hear_nothing_more(client);
}

/* ---- answers ---- */

static void statuses_of_a_login(void **state)
{
	static const struct {
		enum ipc_status status;
		bool by_storage;
		const char *reply;
	} cases[] = {
		{IPC_BAD_CREDENTIALS, false, "-ERR [AUTH] "},
		{IPC_TOO_MANY, false, "-ERR [SYS/TEMP] "},
		{IPC_TEMPORARY, false, "-ERR [SYS/TEMP] "},
		{IPC_PERMANENT, false, "-ERR [SYS/PERM] "},
		{IPC_IN_USE, true, "-ERR [IN-USE] "},
		{IPC_TEMPORARY, true, "-ERR [SYS/TEMP] "},
		{IPC_PERMANENT, true, "-ERR [SYS/PERM] "},
		{IPC_NO_SPACE, true, "-ERR [SYS/TEMP] "},
	};
	const int client = client_greeted(&peers, AT_POP3);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say(client, "USER alice\r\nPASS secret\r\n");
		hear(client, "+OK now PASS");

		const uint64_t session = hear_message(peers.auth, IPC_AUTH_PASS);

		assert_string_equal(msg.pass.origin.remote, "unix");
		assert_int_equal(msg.pass.origin.flags, IPC_AUTH_LOOPBACK);
		if (cases[i].by_storage)
			office_send_opened(&peers, session, cases[i].status);
		else
			office_send_failed(&peers, session, cases[i].status);
		hear_begin(client, cases[i].reply);
	}
	say(client, "QUIT\r\n");
	hear(client, "+OK good bye");
	hear_nothing_more(client);
}

/* Storage speaks of what nobody asked for: it is dropped, and the session goes on. */
static void answers_that_nobody_asked_for(void **state)
{
	struct office o = {.file = -1};
	const int client = log_in(&o);
	const uint64_t session = o.session;

	(void)state;
	office_send_opened(&peers, session, IPC_OK);
	office_send_message(&peers, session, 2);
	office_send_committed(&peers, session, IPC_OK, 0);
	office_send_failed(&peers, session, IPC_BAD_CREDENTIALS);
	say(client, "RETR 1\r\n");
	assert_int_equal(hear_message(peers.storage, IPC_GET), session);
	office_send_message(&peers, session, 2);
	office_send_message(&peers, session, 1);
	hear(client, "+OK 19 octets");
	hear(client, "Subject: a");
	hear(client, "");
	hear(client, "one");
	hear(client, ".");
	/* And of a session that was never there. */
	office_send_message(&peers, session + 1000, 1);
	office_send_opened(&peers, session + 1000, IPC_OK);
	assert_int_equal(hear_message(peers.storage, IPC_CLOSE), session + 1000);
	say(client, "QUIT\r\n");
	office_hear_storage(&peers, &o);
	hear(client, "+OK good bye");
	hear_nothing_more(client);
}

static void a_message_that_is_gone(void **state)
{
	static const struct {
		enum ipc_status status;
		const char *reply;
	} cases[] = {
		{IPC_GONE, "-ERR RETR: message 2 was taken away or changed by another program"},
		{IPC_PERMANENT, "-ERR [SYS/PERM] RETR: message 2 cannot be read"},
		{IPC_TEMPORARY, "-ERR [SYS/TEMP] RETR: message 2 cannot be read now"},
	};
	struct office o = {.file = -1};
	const int client = log_in(&o);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say(client, "RETR 2\r\n");

		const uint64_t session = hear_message(peers.storage, IPC_GET);

		ipc_start(&msg, IPC_MESSAGE, session);
		msg.message.status = cases[i].status;
		msg.message.number = 2;
		peers_send(peers.storage, &msg, -1);
		hear(client, cases[i].reply);
	}
	say(client, "DELE 1\r\nQUIT\r\n");
	hear(client, "+OK message 1 deleted");
	assert_int_equal(hear_message(peers.storage, IPC_MARK), o.session);
	(void)hear_message(peers.storage, IPC_COMMIT);
	office_send_committed(&peers, o.session, IPC_NO_SPACE, 0);
	hear(client, "-ERR [SYS/TEMP] QUIT: some deleted messages not removed");
	hear_nothing_more(client);
}

static int set_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	peers_prepare(&peers);
	peers_start(&peers);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	peers_stop(&peers);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_in_all_pieces),
		cmocka_unit_test(sasl_in_all_pieces),
		cmocka_unit_test(a_client_leaves_after_each_octet),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(a_sasl_line_that_is_too_long),
		cmocka_unit_test(auth_goes_while_it_is_asked),
		cmocka_unit_test(storage_goes),
		cmocka_unit_test(a_message_is_finished_though_storage_goes),
		cmocka_unit_test(statuses_of_a_login),
		cmocka_unit_test(answers_that_nobody_asked_for),
		cmocka_unit_test(a_message_that_is_gone),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
