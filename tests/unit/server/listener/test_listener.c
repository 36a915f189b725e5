/* SPDX-License-Identifier: MIT */
/*
 * What a listener does with all its sessions: deadlines, limits, and how it ends.
 */
#include "office.h"
#include "tls_client.h"

#include <netinet/in.h>

static struct peers peers;

static int log_in(struct office *o)
{
	const int client = client_greeted(&peers, AT_POP3);

	say(client, "USER alice\r\nPASS secret\r\n");
	hear(client, "+OK now PASS");
	office_hear_auth(&peers, o);
	hear(client, "+OK 3 messages (60 octets)");
	return client;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- deadlines ---- */

static void login_may_not_take_long(void **state)
{
	(void)state;
	peers_prepare(&peers);
	peers.config.login_timeout = 1;
	peers_start(&peers);

	const uint64_t begun = now_ms();
	const int silent = client_greeted(&peers, AT_POP3);
	const int no_hello = client_connect(&peers, AT_POP3S);
	const int stls = client_greeted(&peers, AT_POP3);
	const int waits = client_greeted(&peers, AT_POP3);
	const int in_sasl = client_greeted(&peers, AT_POP3);

	say(stls, "STLS\r\n");
	hear(stls, "+OK begin TLS");
	say(waits, "USER alice\r\nPASS secret\r\n");
	hear(waits, "+OK now PASS");

	const uint64_t asked = hear_message(peers.auth, IPC_AUTH_PASS);
	struct office o = {.file = -1};

	say(in_sasl, "AUTH PLAIN\r\n");
	office_hear_auth(&peers, &o);
	hear(in_sasl, "+ ");
	hear_nothing_more(silent);
	assert_true(now_ms() - begun >= 1000);
	hear_nothing_more(no_hello);
	hear_nothing_more(stls);
	hear(waits, "-ERR [SYS/TEMP] this takes too long, try again later");
	hear_nothing_more(waits);
	hear_nothing_more(in_sasl);
	/* Auth and storage are told to forget those who had asked. */
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_CANCEL), asked);
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_CANCEL), o.session);
	assert_int_equal(hear_message(peers.storage, IPC_CLOSE), asked);
	assert_int_equal(hear_message(peers.storage, IPC_CLOSE), o.session);
	peers_stop(&peers);
}

static void nothing_said_before_login_gives_time(void **state)
{
	char block[4096];
	ssize_t n;

	(void)state;
	peers_prepare(&peers);
	peers.config.login_timeout = 1;
	peers_start(&peers);

	const int client = client_greeted(&peers, AT_POP3);

	do {
		if (send(client, "CAPA\r\n", 6, MSG_NOSIGNAL) < 0)
			break;
		n = recv(client, block, sizeof(block), 0);
	} while (n > 0);
	(void)close(client);
	peers_wait_log(&peers, "event=timeout");
	peers_stop(&peers);
}

/* Up to the point where the message is to come. */
static void begin_data(int client, struct office *o)
{
	say(client, "LHLO me\r\n");
	while (hear_line(client)[3] == '-')
		continue;
	say(client, "MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n");
	hear(client, "250 2.1.0 sender ok");
	office_hear_auth(&peers, o);
	hear(client, "250 2.1.5 recipient ok");
	office_hear_storage(&peers, o);
	hear(client, "354 send the message, and a line with a dot");
}

static void silence_after_login_may_not_last(void **state)
{
	struct office o = {.file = -1};

	(void)state;
	peers_prepare(&peers);
	peers.config.idle_timeout = 1;
	peers_start(&peers);

	const int client = log_in(&o);
	const int lmtp = client_greeted(&peers, AT_LMTP);
	const int in_data = client_greeted(&peers, AT_LMTP);
	const uint64_t begun = now_ms();

	begin_data(in_data, &o);
	hear_nothing_more(client);
	assert_true(now_ms() - begun >= 900);
	hear(lmtp, "421 4.4.2 silence for too long, good bye");
	hear_nothing_more(lmtp);
	hear(in_data, "421 4.4.2 silence for too long, good bye");
	hear_nothing_more(in_data);
	while (o.closed < 2)
		office_hear_storage(&peers, &o);
	assert_int_equal(o.delivered, 0);
	assert_int_equal(o.commits, 0);
	peers_stop(&peers);
}

/* A message that no socket's buffer holds. */
static void send_large_message(uint64_t session)
{
	const size_t n = 16U << 20;
	const int fd = memfd_create("large", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	ipc_start(&msg, IPC_MESSAGE, session);
	msg.message.number = 1;
	msg.message.bytes = msg.message.octets = n;
	msg.message.flags = INDEX_CRLF | INDEX_NO_DOT;
	peers_send(peers.storage, &msg, fd);
	(void)close(fd);
}

static void a_client_must_take_what_it_asked_for(void **state)
{
	struct office o = {.file = -1};
	char block[4096];

	(void)state;
	peers_prepare(&peers);
	peers.config.write_timeout = 1;
	peers_start(&peers);

	const int client = log_in(&o);

	say(client, "RETR 1\r\n");
	(void)hear_message(peers.storage, IPC_GET);
	send_large_message(o.session);
	(void)hear_message(peers.storage, IPC_CLOSE);
	peers_wait_log(&peers, "timeout=write");
	while (recv(client, block, sizeof(block), 0) > 0)
		continue;
	(void)close(client);
	peers_stop(&peers);
}

/* And as long as it takes something, it has time. */
static void a_slow_client_gets_all(void **state)
{
	struct office o = {.file = -1};
	static char block[100000];
	size_t all = 0;

	(void)state;
	peers_prepare(&peers);
	peers.config.write_timeout = 1;
	peers.config.idle_timeout = 1;
	peers_start(&peers);

	const int client = log_in(&o);
	const uint64_t begun = now_ms();

	say(client, "RETR 1\r\n");
	(void)hear_message(peers.storage, IPC_GET);
	send_large_message(o.session);
	hear(client, "+OK 16777216 octets");
	while (all < 16777216 + 3) {
		unsigned waited = 0;
		const ssize_t n = recv(client, block, sizeof(block), 0);

		assert_true(n > 0);
		all += (size_t)n;
		/* Twice as long as either deadline, in all. */
		if (now_ms() - begun < 2000)
			for (int i = 0; i < 20; i++)
				peers_rest(&waited);
	}
	say(client, "QUIT\r\n");
	office_hear_storage(&peers, &o);
	hear(client, "+OK good bye");
	hear_nothing_more(client);
	peers_stop(&peers);
}

/* Our last words reach who is still sending, and who never stops is not waited for. */
static void last_words_reach_who_is_still_sending(void **state)
{
	static char noise[65536];
	size_t sent = 0;

	(void)state;
	peers_prepare(&peers);
	peers_start(&peers);

	const int client = client_greeted(&peers, AT_POP3);

	memset(noise, 'x', sizeof(noise));
	say(client, "QUIT\r\nmore, which nobody will read");
	hear(client, "+OK good bye");
	while (sent < 64U << 20) {
		const ssize_t n = send(client, noise, sizeof(noise), MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (size_t)n;
	}
	assert_true(sent < 64U << 20);
	(void)close(client);

	const int idle = client_greeted(&peers, AT_POP3);
	const uint64_t begun = now_ms();

	say(idle, "QUIT\r\nx");
	hear(idle, "+OK good bye");
	peers_wait_log(&peers, "event=disconnect"); /* of the first */
	hear_nothing_more(idle);
	/* The end was said at once; the socket is kept for a moment, and then closed. */
	peers_stop(&peers);
	assert_true(now_ms() - begun < PATIENCE_MS);
}

/* ---- limits ---- */

static void connections_are_limited(void **state)
{
	(void)state;
	peers_prepare(&peers);
	peers.config.max_connections = 3;
	peers_start(&peers);

	const int a = client_greeted(&peers, AT_POP3);
	const int b = client_greeted(&peers, AT_LMTP);
	const int c = client_connect(&peers, AT_POP3S);
	int d = client_connect(&peers, AT_POP3);

	hear(d, "-ERR [SYS/TEMP] too many connections");
	hear_nothing_more(d);
	d = client_connect(&peers, AT_LMTP);
	hear(d, "421 4.7.0 too many connections");
	hear_nothing_more(d);
	hear_nothing_more(client_connect(&peers, AT_POP3S));
	say(a, "QUIT\r\n");
	hear(a, "+OK good bye");
	hear_nothing_more(a);
	(void)close(client_greeted(&peers, AT_POP3));
	(void)close(b);
	(void)close(c);
	peers_stop(&peers);
}

static int connect_tcp(void)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(peers.config.listen[AT_TCP].port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void connections_of_an_address_are_limited(void **state)
{
	(void)state;
	peers_prepare(&peers);
	peers.config.max_connections_per_address = 2;
	peers_start(&peers);
	for (int round = 0; round < 3; round++) {
		const int a = connect_tcp();
		const int b = connect_tcp();

		hear_ok(a);
		hear_ok(b);

		const int c = connect_tcp();

		hear(c, "-ERR [SYS/TEMP] too many connections");
		hear_nothing_more(c);
		/* A UNIX socket has no address. */
		(void)close(client_greeted(&peers, AT_POP3));
		say(a, "QUIT\r\n");
		hear(a, "+OK good bye");
		hear_nothing_more(a);
		say(b, "QUIT\r\n");
		hear(b, "+OK good bye");
		hear_nothing_more(b);
	}
	peers_stop(&peers);
}

static void senseless_commands_are_limited(void **state)
{
	(void)state;
	peers_prepare(&peers);
	peers.config.max_bad_commands = 3;
	peers_start(&peers);

	const int client = client_greeted(&peers, AT_POP3);

	say(client, "GET / HTTP/1.0\r\nHost: x\r\n\r\n\r\n");
	hear(client, "-ERR no such command");
	hear(client, "-ERR no such command");
	hear(client, "-ERR no such command");
	hear_nothing_more(client);
	peers_stop(&peers);
}

/*
 * Every session may have as many descriptors as it can come to, or the next one that
 * storage sends to any of them ends the channel for all.
 */
static void descriptors_are_enough_for_every_session(void **state)
{
	enum { DESCRIPTORS = 90, MOST = (DESCRIPTORS - 48) / 3 };
	struct office o = {.file = -1};
	int clients[MOST];

	(void)state;
	peers_prepare(&peers);
	peers.descriptors = DESCRIPTORS;
	peers_start(&peers);
	for (size_t i = 0; i < MOST; i++) {
		clients[i] = log_in(&o);
		say(clients[i], "RETR 1\r\n");
		(void)hear_message(peers.storage, IPC_GET);
		send_large_message(o.session);
		hear(clients[i], "+OK 16777216 octets");
	}
	for (size_t i = 0; i < MOST; i++) {
		const int one_more = client_connect(&peers, AT_POP3);

		hear(one_more, "-ERR [SYS/TEMP] too many connections");
		hear_nothing_more(one_more);
	}
	for (size_t i = 0; i < MOST; i++)
		(void)close(clients[i]);
	for (size_t i = 0; i < MOST; i++)
		(void)hear_message(peers.storage, IPC_CLOSE);
	peers_stop(&peers);
}

/* ---- TLS ---- */

static void what_came_in_clear_is_not_read_in_tls(void **state)
{
	int client;
	SSL *ssl;

	(void)state;
	peers_prepare(&peers);
	peers.config.plaintext_login = CONFIG_PLAINTEXT_NEVER;
	peers_start(&peers);
	client = client_greeted(&peers, AT_POP3);
	say(client, "USER alice\r\n");
	hear(client, "-ERR USER: not without TLS, say STLS first");
	say(client, "PASS secret\r\n");
	hear(client, "-ERR PASS: not without TLS, say STLS first");
	say(client, "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
	hear(client, "-ERR AUTH: not without TLS, say STLS first");
	say(client, "STLS\r\nUSER eve\r\nPASS injected\r\nXXXX\r\n");
	hear(client, "+OK begin TLS");
	ssl = tls_client_begin(client);
	tls_say(ssl, "PASS secret\r\n");
	tls_hear(ssl, "-ERR PASS: say USER first");
	tls_say(ssl, "STLS\r\n");
	tls_hear(ssl, "-ERR STLS: TLS is active already");
	tls_say(ssl, "USER alice\r\nPASS secret\r\n");
	tls_hear(ssl, "+OK now PASS");

	const uint64_t session = hear_message(peers.auth, IPC_AUTH_PASS);

	assert_string_equal(msg.pass.user, "alice");
	assert_int_equal(msg.pass.origin.flags, IPC_AUTH_TLS | IPC_AUTH_LOOPBACK);
	office_send_failed(&peers, session, IPC_BAD_CREDENTIALS);
	tls_hear(ssl, "-ERR [AUTH] wrong name or password");
	tls_say(ssl, "QUIT\r\n");
	tls_hear(ssl, "+OK good bye");
	tls_hear_end(ssl, client);
	peers_stop(&peers);
}

/* ---- the end ---- */

static void after_a_reload_nobody_is_sent_away(void **state)
{
	struct office o = {.file = -1};
	SSL *ssl;

	(void)state;
	peers_prepare(&peers);
	peers_start(&peers);

	const int logged_in = log_in(&o);
	const int greeted = client_greeted(&peers, AT_POP3);
	const int in_handshake = client_connect(&peers, AT_POP3S);
	const int in_stls = client_greeted(&peers, AT_POP3);
	const int lmtp = client_greeted(&peers, AT_LMTP);

	say(in_stls, "STLS\r\n");
	hear(in_stls, "+OK begin TLS");
	peers_drain(&peers, IPC_DRAIN_FOREVER);
	/* An MTA that only waits would hold this listener for ever. */
	hear(lmtp, "421 4.3.2 the server was reloaded, please connect again");
	hear_nothing_more(lmtp);
	/* Whoever else would have been sent away has been by now. */
	ssl = tls_client_begin(in_handshake);
	tls_hear(ssl, "+OK restante is ready");
	tls_say(ssl, "QUIT\r\n");
	tls_hear(ssl, "+OK good bye");
	tls_hear_end(ssl, in_handshake);
	ssl = tls_client_begin(in_stls);
	tls_say(ssl, "QUIT\r\n");
	tls_hear(ssl, "+OK good bye");
	tls_hear_end(ssl, in_stls);
	say(greeted, "QUIT\r\n");
	hear(greeted, "+OK good bye");
	hear_nothing_more(greeted);
	say(logged_in, "QUIT\r\n");
	office_hear_storage(&peers, &o);
	hear(logged_in, "+OK good bye");
	hear_nothing_more(logged_in);
	peers_ended(&peers);
}

static void at_the_end_sessions_have_time(void **state)
{
	struct office o = {.file = -1};

	(void)state;
	peers_prepare(&peers);
	peers_start(&peers);

	const int logged_in = log_in(&o);
	const int greeted = client_greeted(&peers, AT_POP3);
	const int in_handshake = client_connect(&peers, AT_POP3S);

	peers_drain(&peers, 60);
	hear(greeted, "-ERR [SYS/TEMP] the server is being stopped, try again later");
	hear_nothing_more(greeted);
	hear_nothing_more(in_handshake);
	say(logged_in, "DELE 1\r\nQUIT\r\n");
	hear(logged_in, "+OK message 1 deleted");
	while (o.commits == 0)
		office_hear_storage(&peers, &o);
	hear(logged_in, "+OK good bye");
	hear_nothing_more(logged_in);
	peers_ended(&peers);
}

static void the_end_comes_for_everybody(void **state)
{
	struct office o = {.file = -1};

	(void)state;
	peers_prepare(&peers);
	peers_start(&peers);

	const int logged_in = log_in(&o);

	/* After a reload it would have gone on; then the server is stopped. */
	peers_drain(&peers, IPC_DRAIN_FOREVER);
	peers_drain(&peers, 1);
	hear_nothing_more(logged_in);
	(void)hear_message(peers.storage, IPC_CLOSE);
	peers_ended(&peers);
}

/* More than are read in one turn of the loop: some come when it has been left. */
static void links_that_come_too_late(void **state)
{
	int late[80];

	(void)state;
	peers_prepare(&peers);
	peers_start(&peers);
	assert_int_equal(kill(peers.pid, SIGSTOP), 0);
	peers_drain(&peers, 60);
	for (size_t i = 0; i < 80; i++)
		late[i] = peers_link(&peers, IPC_AUTH);
	assert_int_equal(kill(peers.pid, SIGCONT), 0);
	peers_ended(&peers);
	for (size_t i = 0; i < 80; i++)
		(void)close(late[i]);
}

static int set_up(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_client_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_may_not_take_long),
		cmocka_unit_test(nothing_said_before_login_gives_time),
		cmocka_unit_test(silence_after_login_may_not_last),
		cmocka_unit_test(a_client_must_take_what_it_asked_for),
		cmocka_unit_test(a_slow_client_gets_all),
		cmocka_unit_test(last_words_reach_who_is_still_sending),
		cmocka_unit_test(connections_are_limited),
		cmocka_unit_test(connections_of_an_address_are_limited),
		cmocka_unit_test(descriptors_are_enough_for_every_session),
		cmocka_unit_test(senseless_commands_are_limited),
		cmocka_unit_test(what_came_in_clear_is_not_read_in_tls),
		cmocka_unit_test(after_a_reload_nobody_is_sent_away),
		cmocka_unit_test(at_the_end_sessions_have_time),
		cmocka_unit_test(the_end_comes_for_everybody),
		cmocka_unit_test(links_that_come_too_late),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
