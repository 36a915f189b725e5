/* SPDX-License-Identifier: MIT */
/*
 * LMTP sessions of a real listener, between an auth and a storage that the test
 * plays.
 */
#include "office.h"

#include "../../codec/cuts.h"

static struct peers peers;

static const char everything[] =
	"LHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\n"
	"RCPT TO:<alice@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\ntext\r\n.\r\n"
	"MAIL FROM:<>\r\nRSET\r\nNOOP\r\nQUIT\r\n";

static const char everything_heard[] = "220 mail.example.org restante LMTP\r\n"
				       "250-mail.example.org\r\n"
				       "250-PIPELINING\r\n"
				       "250-8BITMIME\r\n"
				       "250-CHUNKING\r\n"
				       "250-SMTPUTF8\r\n"
				       "250-SIZE\r\n"
				       "250 ENHANCEDSTATUSCODES\r\n"
				       "250 2.1.0 sender ok\r\n"
				       "550 5.1.1 no such user here\r\n"
				       "250 2.1.5 recipient ok\r\n"
				       "354 send the message, and a line with a dot\r\n"
				       "250 2.0.0 delivered\r\n"
				       "250 2.1.0 sender ok\r\n"
				       "250 2.0.0 ok\r\n"
				       "250 2.0.0 ok\r\n"
				       "221 2.0.0 good bye\r\n";

static const char everything_kept[] = "Return-Path: <a@b.example>\r\n"
				      "Delivered-To: alice@example.org\r\n"
				      "Subject: x\r\n\r\n.dot\r\ntext\r\n";

/* Says it in pieces, each of them read before the next is sent. What was heard, until the end. */
static struct span converse(struct span stream, size_t way, struct office *o)
{
	static char memory[16384];
	struct out heard = {.p = memory, .cap = sizeof(memory)};
	struct cuts cuts = cuts_begin(stream, way);
	const int client = client_connect(&peers, AT_LMTP);
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

static void a_delivery_in_all_pieces(void **state)
{
	const struct span stream = span_str(everything);

	(void)state;
	for (size_t way = 0; way < cuts_ways(stream); way++) {
		struct office o = {.file = -1};

		assert_heard(converse(stream, way, &o), everything_heard);
		assert_int_equal(o.delivered, 1);
		assert_string_equal(o.text, everything_kept);
		while (o.closed == 0)
			office_hear_storage(&peers, &o);
	}
}

/* After each octet the client may go: only a message that ended is delivered. */
static void a_client_leaves_after_each_octet(void **state)
{
	const size_t end = (size_t)(strstr(everything, "\r\n.\r\n") + 5 - everything);

	(void)state;
	for (size_t n = 0; n < sizeof(everything) - 1; n++) {
		struct office o = {.file = -1};

		(void)converse(span_of(everything, n), sizeof(everything), &o);
		assert_int_equal(o.delivered, n >= end);
		/* Once auth was asked, storage may hold something. */
		while (o.transaction > 0 && o.closed == 0)
			office_hear_storage(&peers, &o);
		office_tidy(&peers, &o);
		if (o.file >= 0)
			(void)close(o.file);
	}
}

/* The same message by BDAT, cut everywhere: within commands, within CRLF, between chunks. */
static void a_delivery_in_chunks_in_all_pieces(void **state)
{
	static const char chunks[] =
		"LHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\n"
		"BDAT 11\r\nSubject: x\rBDAT 0\r\nBDAT 11\r\n\n\r\n.dot\r\nteBDAT 2 LAST\r\nxt"
		"BDAT 4 LAST\r\nQUITQUIT\r\n";
	static const char heard[] = "220 mail.example.org restante LMTP\r\n"
				    "250-mail.example.org\r\n"
				    "250-PIPELINING\r\n"
				    "250-8BITMIME\r\n"
				    "250-CHUNKING\r\n"
				    "250-SMTPUTF8\r\n"
				    "250-SIZE\r\n"
				    "250 ENHANCEDSTATUSCODES\r\n"
				    "250 2.1.0 sender ok\r\n"
				    "250 2.1.5 recipient ok\r\n"
				    "250 2.0.0 11 octets so far\r\n"
				    "250 2.0.0 11 octets so far\r\n"
				    "250 2.0.0 22 octets so far\r\n"
				    "250 2.0.0 delivered\r\n"
				    "503 5.5.1 say MAIL first\r\n"
				    "221 2.0.0 good bye\r\n";
	const struct span stream = span_str(chunks);

	(void)state;
	for (size_t way = 0; way < cuts_ways(stream); way++) {
		struct office o = {.file = -1};

		assert_heard(converse(stream, way, &o), heard);
		assert_int_equal(o.delivered, 1);
		assert_string_equal(o.text, everything_kept);
		while (o.closed == 0)
			office_hear_storage(&peers, &o);
	}
}

/* ---- processes that go away ---- */

enum step { SAID_RCPT, KNOWS_RCPT, SAID_DATA, IN_DATA, SAID_END };

/* As far as this step. The session's id. */
static uint64_t go_to(int client, enum step step, struct office *o)
{
	uint64_t session;

	say(client, "LHLO me\r\n");
	while (hear_line(client)[3] == '-')
		continue;
	say(client, "MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\n");
	hear(client, "250 2.1.0 sender ok");
	if (step == SAID_RCPT)
		return hear_message(peers.auth, IPC_AUTH_RCPT);
	office_hear_auth(&peers, o);
	session = o->session;
	hear(client, "250 2.1.5 recipient ok");
	if (step == KNOWS_RCPT)
		return session;
	say(client, "DATA\r\n");
	if (step == SAID_DATA)
		return hear_message(peers.storage, IPC_DELIVER_BEGIN);
	office_hear_storage(&peers, o);
	hear(client, "354 send the message, and a line with a dot");
	say(client, "Subject: x\r\n");
	client_settle(client);
	if (step == IN_DATA)
		return session;
	say(client, ".\r\n");
	return hear_message(peers.storage, IPC_DELIVER_COMMIT);
}

static void renew(int *channel, enum ipc_role role)
{
	(void)close(*channel);
	*channel = peers_link(&peers, role);
}

static void say_goodbye(int client)
{
	say(client, "QUIT\r\n");
	hear(client, "221 2.0.0 good bye");
	hear_nothing_more(client);
}

static void auth_goes(void **state)
{
	struct office o = {.file = -1};
	const int client = client_greeted(&peers, AT_LMTP);
	const uint64_t session = go_to(client, SAID_RCPT, &o);

	(void)state;
	renew(&peers.auth, IPC_AUTH);
	hear(client, "451 4.3.0 cannot tell now, try again later");
	say(client, "RCPT TO:<alice@example.org>\r\n");
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_RCPT), session);
	ipc_start(&msg, IPC_AUTH_RCPT_REPLY, session);
	peers_send(peers.auth, &msg, -1);
	hear(client, "250 2.1.5 recipient ok");
	say_goodbye(client);
	(void)hear_message(peers.storage, IPC_CLOSE);
}

static void storage_goes(void **state)
{
	(void)state;
	for (enum step step = SAID_RCPT; step <= SAID_END; step++) {
		struct office o = {.file = -1};
		const int client = client_greeted(&peers, AT_LMTP);
		const uint64_t session = go_to(client, step, &o);

		renew(&peers.storage, IPC_STORAGE);
		switch (step) {
		case SAID_RCPT:
			ipc_start(&msg, IPC_AUTH_RCPT_REPLY, session);
			peers_send(peers.auth, &msg, -1);
			hear(client, "250 2.1.5 recipient ok");
			break;
		case KNOWS_RCPT:
			/* The new one was granted nothing. */
			say(client, "DATA\r\n");
			assert_int_equal(hear_message(peers.storage, IPC_DELIVER_BEGIN), session);
			o.session = session;
			office_send_ready(&peers, &o, IPC_TEMPORARY);
			hear(client, "451 4.3.0 cannot take mail now, try again later");
			break;
		case SAID_DATA:
			hear(client, "451 4.3.0 cannot take mail now, try again later");
			break;
		case IN_DATA:
			say(client, "more\r\n.\r\n");
			hear(client, "451 4.3.0 the mail storage is away");
			break;
		case SAID_END:
			hear(client, "451 4.3.0 the mail storage is away");
			break;
		}
		say_goodbye(client);
		while (o.closed == 0)
			office_hear_storage(&peers, &o);
		assert_int_equal(o.delivered, 0);
		if (o.file >= 0)
			(void)close(o.file);
	}
}

/* What is sent ahead is read and thrown away, and each recipient has a reply. */
static void storage_goes_between_chunks(void **state)
{
	struct office o = {.file = -1};
	const int client = client_greeted(&peers, AT_LMTP);

	(void)state;
	(void)go_to(client, KNOWS_RCPT, &o);
	say(client, "BDAT 3\r\na: ");
	office_hear_storage(&peers, &o);
	hear(client, "250 2.0.0 3 octets so far");
	renew(&peers.storage, IPC_STORAGE);
	say(client, "BDAT 6\r\nQUIT\r\n");
	hear(client, "451 4.3.0 the mail storage is away");
	say(client, "BDAT 6 LAST\r\nQUIT\r\n");
	hear(client, "451 4.3.0 the mail storage is away");
	say_goodbye(client);
	while (o.closed == 0)
		office_hear_storage(&peers, &o);
	assert_int_equal(o.delivered, 0);
	(void)close(o.file);
}

static void storage_has_no_file_for_chunks(void **state)
{
	static const struct {
		enum ipc_status status;
		const char *reply;
	} cases[] = {
		{IPC_TEMPORARY, "451 4.3.0 the mail storage is away"},
		{IPC_NO_SPACE, "452 4.3.1 no space left, try again later"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct office o = {.file = -1};
		const int client = client_greeted(&peers, AT_LMTP);

		o.session = go_to(client, KNOWS_RCPT, &o);
		say(client, "BDAT 6\r\nQUIT\r\n");
		assert_int_equal(hear_message(peers.storage, IPC_DELIVER_BEGIN), o.session);
		office_send_ready(&peers, &o, cases[i].status);
		hear(client, cases[i].reply);
		say(client, "RSET\r\n");
		hear(client, "250 2.0.0 ok");
		say_goodbye(client);
		while (o.closed == 0)
			office_hear_storage(&peers, &o);
	}
}

/* ---- quotas ---- */

static void send_rcpt_reply(uint64_t session, enum ipc_status status, bool quota)
{
	ipc_start(&msg, IPC_AUTH_RCPT_REPLY, session);
	msg.rcpt_reply.status = status;
	msg.rcpt_reply.quota = quota;
	peers_send(peers.auth, &msg, -1);
}

static void send_room_reply(uint64_t session, enum ipc_status status)
{
	ipc_start(&msg, IPC_ROOM_REPLY, session);
	msg.result.status = status;
	peers_send(peers.storage, &msg, -1);
}

/* Storage has the last word about a recipient with a quota, and only about such a one. */
static void room_is_asked_for(void **state)
{
	static const struct {
		enum ipc_status status;
		const char *reply;
	} cases[] = {
		{IPC_OK, "250 2.1.5 recipient ok"},
		{IPC_OVER_QUOTA, "452 4.2.2 the mailbox is full, try again when its owner has "
				 "made room"},
		{IPC_TEMPORARY, "451 4.3.0 cannot tell now, try again later"},
		{IPC_OK, "250 2.1.5 recipient ok"},
	};
	const int client = client_greeted(&peers, AT_LMTP);
	uint32_t accepted = 0;
	uint64_t session;

	(void)state;
	say(client, "LHLO me\r\n");
	while (hear_line(client)[3] == '-')
		continue;
	say(client, "MAIL FROM:<a@b.example> SIZE=12345\r\n");
	hear(client, "250 2.1.0 sender ok");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say(client, "RCPT TO:<alice@example.org>\r\n");
		session = hear_message(peers.auth, IPC_AUTH_RCPT);
		send_rcpt_reply(session, IPC_OK, true);
		assert_int_equal(hear_message(peers.storage, IPC_ROOM), session);
		assert_int_equal(msg.room.transaction, 1);
		assert_int_equal(msg.room.recipients, accepted + 1);
		assert_int_equal(msg.room.octets, 12345);
		send_room_reply(session, cases[i].status);
		hear(client, cases[i].reply);
		accepted += cases[i].status == IPC_OK;
	}
	say(client, "RCPT TO:<nobody@example.org>\r\n");
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_RCPT), session);
	send_rcpt_reply(session, IPC_NO_USER, false);
	hear(client, "550 5.1.1 no such user here");
	/* It goes, or auth does, before it has answered. */
	say(client, "RCPT TO:<alice@example.org>\r\n");
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_RCPT), session);
	send_rcpt_reply(session, IPC_OK, true);
	assert_int_equal(hear_message(peers.storage, IPC_ROOM), session);
	renew(&peers.storage, IPC_STORAGE);
	hear(client, "451 4.3.0 cannot tell now, try again later");
	say(client, "RCPT TO:<alice@example.org>\r\n");
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_RCPT), session);
	send_rcpt_reply(session, IPC_OK, true);
	assert_int_equal(hear_message(peers.storage, IPC_ROOM), session);
	renew(&peers.auth, IPC_AUTH);
	send_room_reply(session, IPC_OK);
	hear(client, "250 2.1.5 recipient ok");
	/* What nobody can send is passed on as a number that storage takes. */
	say(client, "RSET\r\nMAIL FROM:<a@b.example> SIZE=18446744073709551615\r\n");
	(void)hear_message(peers.storage, IPC_DELIVER_RESET);
	hear(client, "250 2.0.0 ok");
	hear(client, "250 2.1.0 sender ok");
	say(client, "RCPT TO:<alice@example.org>\r\n");
	assert_int_equal(hear_message(peers.auth, IPC_AUTH_RCPT), session);
	send_rcpt_reply(session, IPC_OK, true);
	assert_int_equal(hear_message(peers.storage, IPC_ROOM), session);
	assert_int_equal(msg.room.octets, INT64_MAX / 2);
	send_room_reply(session, IPC_OVER_QUOTA);
	hear(client, cases[1].reply);
	say_goodbye(client);
	(void)hear_message(peers.storage, IPC_CLOSE);
}

/* ---- answers ---- */

static void a_message_that_cannot_be_delivered(void **state)
{
	static const struct {
		enum ipc_status status;
		const char *reply;
	} cases[] = {
		{IPC_TEMPORARY, "451 4.3.0 cannot be delivered now, try again later"},
		{IPC_NO_SPACE, "452 4.3.1 no space left, try again later"},
		{IPC_OVER_QUOTA,
		 "452 4.2.2 the mailbox is full, try again when its owner has made room"},
		/* storage never says these of a delivery; no sender may bounce mail for them */
		{IPC_PERMANENT, "451 4.3.0 cannot be delivered now, try again later"},
		{IPC_NO_USER, "451 4.3.0 cannot be delivered now, try again later"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct office o = {.file = -1};
		const int client = client_greeted(&peers, AT_LMTP);
		const uint64_t session = go_to(client, SAID_END, &o);

		ipc_start(&msg, IPC_DELIVERED, session);
		msg.delivered.n = 1;
		msg.delivered.status[0] = (uint8_t)cases[i].status;
		peers_send(peers.storage, &msg, -1);
		hear(client, cases[i].reply);
		say_goodbye(client);
		(void)hear_message(peers.storage, IPC_CLOSE);
		(void)close(o.file);
	}
}

/* Fewer statuses than recipients, or more: who isn't named isn't delivered to. */
static void too_few_answers(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, LIMIT_RECIPIENTS};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct office o = {.file = -1};
		const int client = client_greeted(&peers, AT_LMTP);
		const uint64_t session = go_to(client, KNOWS_RCPT, &o);

		say(client, "RCPT TO:<alice+x@example.org>\r\n");
		office_hear_auth(&peers, &o);
		hear(client, "250 2.1.5 recipient ok");
		say(client, "DATA\r\n");
		office_hear_storage(&peers, &o);
		hear(client, "354 send the message, and a line with a dot");
		say(client, "x\r\n.\r\n");
		(void)hear_message(peers.storage, IPC_DELIVER_COMMIT);
		ipc_start(&msg, IPC_DELIVERED, session);
		msg.delivered.n = counts[i];
		memset(msg.delivered.status, IPC_OK, sizeof(msg.delivered.status));
		peers_send(peers.storage, &msg, -1);
		for (uint32_t k = 0; k < 2; k++)
			hear(client,
			     k < counts[i] ? "250 2.0.0 delivered"
					   : "451 4.3.0 cannot be delivered now, try again later");
		say_goodbye(client);
		(void)hear_message(peers.storage, IPC_CLOSE);
		(void)close(o.file);
	}
}

/* A file that can't be written: the rest of the message is read, and nothing delivered. */
static void the_file_cannot_be_written(void **state)
{
	struct office o = {.file = -1};
	const int client = client_greeted(&peers, AT_LMTP);
	const uint64_t session = go_to(client, SAID_DATA, &o);
	const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	ipc_start(&msg, IPC_DELIVER_READY, session);
	peers_send(peers.storage, &msg, full);
	(void)close(full);
	hear(client, "354 send the message, and a line with a dot");
	say(client, "Subject: x\r\n\r\ntext\r\n.\r\n");
	hear(client, "452 4.3.1 no space left, try again later");
	assert_int_equal(hear_message(peers.storage, IPC_DELIVER_RESET), session);
	say_goodbye(client);
	(void)hear_message(peers.storage, IPC_CLOSE);
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
		cmocka_unit_test(a_delivery_in_all_pieces),
		cmocka_unit_test(a_client_leaves_after_each_octet),
		cmocka_unit_test(a_delivery_in_chunks_in_all_pieces),
		cmocka_unit_test(storage_goes_between_chunks),
		cmocka_unit_test(storage_has_no_file_for_chunks),
		cmocka_unit_test(auth_goes),
		cmocka_unit_test(storage_goes),
		cmocka_unit_test(room_is_asked_for),
		cmocka_unit_test(a_message_that_cannot_be_delivered),
		cmocka_unit_test(too_few_answers),
		cmocka_unit_test(the_file_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
