/* SPDX-License-Identifier: MIT */
/*
 * The storage process as it runs, between a master, an auth and listeners that
 * this test plays, on each store driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/fdpass.h"
#include "server/stored/stored.h"

/* Whatever is waited for comes long before, or never. */
#define WAIT_MS 10000

static struct config config;
static uint32_t per_user = 3;
static bool log_it = true;
static const char *driver;
static char root[64]; /* where all mail is */
static union ipc_msg msg;
static pid_t pid;
static int control;
static int auth;
static int listeners[3]; /* numbers 10, 11 and 12 */

#define QUOTA_GRACE 4096
#define LISTENER_ID(i) (10U + (i))

/* ---- speaking and hearing ---- */

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, WAIT_MS) != 1)
		fail_msg("nothing came");
}

static void tell(int fd, int passed)
{
	assert_int_equal(fdpass_send(fd, &msg, ipc_length(&msg), passed), 0);
}

/* The next message, which must be of this type; its descriptor, or -1. */
static int hear(int fd, enum ipc_type type, uint64_t session)
{
	int passed;

	wait_readable(fd);
	memset(&msg, 0, sizeof(msg));

	const ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), &passed);
	const enum ipc_role from = IPC_STORAGE;
	const enum ipc_role to = type == IPC_READY ? IPC_MASTER : IPC_LISTENER;

	assert_true(n > 0);
	assert_true(ipc_check(&msg, (size_t)n, passed >= 0, from, to));
	if (msg.head.type != type)
		fail_msg("%s came, not %s", ipc_type_name(msg.head.type), ipc_type_name(type));
	assert_int_equal(msg.head.session, session);
	return passed;
}

static void hear_end(int fd)
{
	int passed;

	wait_readable(fd);

	const ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), &passed);

	assert_true(n == 0 || n == -ECONNRESET);
}

static int link_to(enum ipc_role role, uint32_t id)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_start(&msg, IPC_LINK, 0);
	msg.link.peer_role = (uint32_t)role;
	msg.link.peer_id = id;
	tell(control, pair[1]);
	(void)close(pair[1]);
	return pair[0];
}

static void put_grant(enum ipc_type type, unsigned listener, uint64_t session, const char *user)
{
	ipc_start(&msg, type, session);
	msg.grant.listener = LISTENER_ID(listener);
	msg.grant.uid = UINT32_MAX;
	msg.grant.gid = UINT32_MAX;
	(void)snprintf(msg.grant.user, sizeof(msg.grant.user), "%s", user);
	(void)snprintf(msg.grant.path, sizeof(msg.grant.path), "%s/%s", root, user);
}

static void grant_open(unsigned listener, uint64_t session, const char *user)
{
	put_grant(IPC_GRANT_OPEN, listener, session, user);
	tell(auth, -1);
}

static void grant_deliver(unsigned listener, uint64_t session, uint32_t transaction,
			  const char *user)
{
	put_grant(IPC_GRANT_DELIVER, listener, session, user);
	msg.grant.transaction = transaction;
	(void)snprintf(msg.grant.address, sizeof(msg.grant.address), "%s@example.org", user);
	tell(auth, -1);
}

static void send_deliver(enum ipc_type type, unsigned listener, uint64_t session,
			 uint32_t transaction, uint32_t recipients)
{
	ipc_start(&msg, type, session);
	msg.deliver.transaction = transaction;
	msg.deliver.recipients = recipients;
	tell(listeners[listener], -1);
}

static void send_plain(unsigned listener, enum ipc_type type, uint64_t session)
{
	ipc_start(&msg, type, session);
	tell(listeners[listener], -1);
}

static void send_get(unsigned listener, uint64_t session, uint32_t number)
{
	ipc_start(&msg, IPC_GET, session);
	msg.get.number = number;
	tell(listeners[listener], -1);
}

static void send_mark(unsigned listener, uint64_t session, uint32_t number)
{
	ipc_start(&msg, IPC_MARK, session);
	msg.mark.first = number;
	msg.mark.n = 1;
	msg.mark.bits[0] = 1;
	tell(listeners[listener], -1);
}

static void send_commit(unsigned listener, uint64_t session, uint32_t marked)
{
	ipc_start(&msg, IPC_COMMIT, session);
	msg.commit.marked = marked;
	tell(listeners[listener], -1);
}

/* ---- whole conversations ---- */

static enum ipc_status hear_opened(unsigned listener, uint64_t session, uint32_t *ret_count)
{
	const int fd = hear(listeners[listener], IPC_OPENED, session);

	if (fd >= 0)
		(void)close(fd);
	*ret_count = msg.opened.count;
	return (enum ipc_status)msg.opened.status;
}

static uint32_t open_count(unsigned listener, uint64_t session, const char *user)
{
	uint32_t count;

	grant_open(listener, session, user);
	assert_int_equal(hear_opened(listener, session, &count), IPC_OK);
	assert_string_equal(msg.opened.user, user);
	return count;
}

static void quit(unsigned listener, uint64_t session, uint32_t marked)
{
	send_commit(listener, session, marked);
	(void)hear(listeners[listener], IPC_COMMITTED, session);
	assert_int_equal(msg.committed.status, IPC_OK);
	assert_int_equal(msg.committed.removed, marked);
	send_plain(listener, IPC_CLOSE, session);
}

/* Writes the message where storage says, and commits. */
static void write_message(unsigned listener, uint64_t session, const char *text, bool prefix)
{
	const int fd = hear(listeners[listener], IPC_DELIVER_READY, session);

	assert_int_equal(msg.result.status, IPC_OK);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	ipc_start(&msg, IPC_DELIVER_COMMIT, session);
	msg.deliver_commit.octets = strlen(text);
	msg.deliver_commit.prefix = prefix;
	tell(listeners[listener], -1);
}

static void deliver(unsigned listener, uint64_t session, const char *user, const char *text)
{
	grant_deliver(listener, session, 1, user);
	send_deliver(IPC_DELIVER_BEGIN, listener, session, 1, 1);
	write_message(listener, session, text, false);
	(void)hear(listeners[listener], IPC_DELIVERED, session);
	assert_int_equal(msg.delivered.n, 1);
	assert_int_equal(msg.delivered.status[0], IPC_OK);
}

static void get_text(unsigned listener, uint64_t session, uint32_t number, const char *want)
{
	char text[512];

	send_get(listener, session, number);

	const int fd = hear(listeners[listener], IPC_MESSAGE, session);

	assert_int_equal(msg.message.status, IPC_OK);
	assert_int_equal(msg.message.number, number);
	assert_int_equal(msg.message.octets, strlen(want));
	assert_int_equal(msg.message.bytes, strlen(want));
	assert_int_equal(pread(fd, text, sizeof(text), (off_t)msg.message.offset), strlen(want));
	assert_memory_equal(text, want, strlen(want));
	(void)close(fd);
}

/* ---- the process ---- */

static int setup(void **state)
{
	int pair[2];

	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/restante-stored-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0777), 0); /* for nobody, who storage is when we are root */
	memset(&config, 0, sizeof(config));
	(void)snprintf(config.store_driver, sizeof(config.store_driver), "%s", driver);
	(void)snprintf(config.hostname, sizeof(config.hostname), "test");
	(void)snprintf(config.mail_user, sizeof(config.mail_user), "nobody");
	config.max_connections = 100;
	config.max_connections_per_user = per_user;
	config.quota_grace = QUOTA_GRACE;
	per_user = 3;
	log_it = true;
	config.log_level = LOG_LEVEL_ERROR;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!log_it)
			assert_non_null(freopen("/dev/null", "w", stderr));

		const struct process_start start = {
			.ops = &stored_ops,
			.id = 1,
			.config = &config,
			.control = pair[1],
		};

		_exit(process_main(&start));
	}
	(void)close(pair[1]);
	control = pair[0];
	auth = link_to(IPC_AUTH, 2);
	for (unsigned i = 0; i < 3; i++)
		listeners[i] = link_to(IPC_LISTENER, LISTENER_ID(i));
	(void)hear(control, IPC_READY, 0);
	return 0;
}

static int wait_exit(void)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	pid = -1;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	if (pid > 0) {
		int status;

		/* It must still be alive, whatever the test did to it. */
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	(void)close(control);
	(void)close(auth);
	for (unsigned i = 0; i < 3; i++) {
		if (listeners[i] >= 0)
			(void)close(listeners[i]);
	}
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- reading and deleting ---- */

#define MAIL "Subject: one\r\n\r\nhello\r\n"

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(open_count(0, 1, "alice"), 0);
	quit(0, 1, 0);
}

static void test_deliver_read_delete(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	deliver(0, 2, "alice", "second\r\n");
	assert_int_equal(open_count(1, 3, "alice"), 2);
	get_text(1, 3, 1, MAIL);
	get_text(1, 3, 2, "second\r\n");
	send_mark(1, 3, 1);
	quit(1, 3, 1);
	assert_int_equal(open_count(2, 4, "alice"), 1);
	get_text(2, 4, 1, "second\r\n");
}

static void test_close_deletes_nothing(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_mark(0, 2, 1);
	send_plain(0, IPC_CLOSE, 2);
	assert_int_equal(open_count(0, 3, "alice"), 1);
}

static void test_lost_listener_deletes_nothing(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_mark(0, 2, 1);
	(void)close(listeners[0]);
	listeners[0] = -1;
	assert_int_equal(open_count(1, 3, "alice"), 1);
}

static void test_lost_listener_after_commit(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_mark(0, 2, 1);
	send_commit(0, 2, 1);
	(void)close(listeners[0]);
	listeners[0] = -1;
	assert_int_equal(open_count(1, 3, "alice"), 0);
}

static void test_marks_are_counted(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_mark(0, 2, 1);
	send_commit(0, 2, 2);
	(void)hear(listeners[0], IPC_COMMITTED, 2);
	assert_int_equal(msg.committed.status, IPC_TEMPORARY);
	send_plain(0, IPC_CLOSE, 2);
	assert_int_equal(open_count(0, 3, "alice"), 1);
}

/* ---- who has it ---- */

static void test_in_use(void **state)
{
	uint32_t count;

	(void)state;
	assert_int_equal(open_count(0, 1, "alice"), 0);
	grant_open(1, 2, "alice");
	assert_int_equal(hear_opened(1, 2, &count), IPC_IN_USE);
	/* The same session may try again, and others aren't concerned. */
	assert_int_equal(open_count(1, 3, "bob"), 0);
	quit(0, 1, 0);
	assert_int_equal(open_count(1, 2, "alice"), 0);
}

/* A listener that is slow to notice that its client hung up makes no other login fail. */
static void test_in_use_waits_a_moment(void **state)
{
	uint32_t count;

	(void)state;
	assert_int_equal(open_count(0, 1, "alice"), 0);
	grant_open(1, 2, "alice");
	/* Long enough to be refused some times, if it were. */
	for (uint64_t i = 10; i < 30; i++) {
		(void)open_count(1, i, "bob");
		quit(1, i, 0);
	}
	send_plain(0, IPC_CLOSE, 1);
	assert_int_equal(hear_opened(1, 2, &count), IPC_OK);
	/* Who hangs up while waiting has nothing. */
	grant_open(0, 3, "alice");
	send_plain(0, IPC_CLOSE, 3);
	send_plain(1, IPC_CLOSE, 2);
	assert_int_equal(open_count(1, 4, "alice"), 0);
}

/* Free again at once: whoever hangs up and calls again finds no lock. */
static void test_close_frees_at_once(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 200; i++) {
		(void)open_count(0, i, "alice");
		send_plain(0, IPC_CLOSE, i);
	}
}

static void test_per_user_limit(void **state)
{
	uint32_t count;

	(void)state;
	assert_int_equal(open_count(0, 1, "alice"), 0);
	grant_open(1, 2, "alice");
	assert_int_equal(hear_opened(1, 2, &count), IPC_TOO_MANY);
	assert_int_equal(open_count(1, 3, "bob"), 0);
	send_plain(0, IPC_CLOSE, 1);
	assert_int_equal(open_count(0, 4, "alice"), 0);
}

/* Auth was still at work when the client hung up: the maildrop doesn't stay locked. */
static void test_close_overtakes_grant(void **state)
{
	uint32_t count;

	(void)state;
	send_plain(0, IPC_CLOSE, 1);
	grant_open(0, 1, "alice");
	(void)hear_opened(0, 1, &count);
	send_plain(0, IPC_CLOSE, 1); /* as a listener does with an answer for nobody */
	assert_int_equal(open_count(1, 2, "alice"), 0);
}

/* ---- delivering ---- */

static void test_deliver_to_several(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	grant_deliver(0, 1, 1, "bob");
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 2);
	write_message(0, 1, MAIL, true);
	(void)hear(listeners[0], IPC_DELIVERED, 1);
	assert_int_equal(msg.delivered.n, 2);
	assert_int_equal(msg.delivered.status[0], IPC_OK);
	assert_int_equal(msg.delivered.status[1], IPC_OK);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	get_text(0, 2, 1, "Delivered-To: alice@example.org\r\n" MAIL);
	assert_int_equal(open_count(0, 3, "bob"), 1);
	get_text(0, 3, 1, "Delivered-To: bob@example.org\r\n" MAIL);
}

/* An address is a stranger's: what would make a second line of it makes none. */
static void test_prefix_is_one_line(void **state)
{
	(void)state;
	put_grant(IPC_GRANT_DELIVER, 0, 1, "alice");
	msg.grant.transaction = 1;
	(void)snprintf(msg.grant.address, sizeof(msg.grant.address), "a\r\nX-Evil: 1@example.org");
	tell(auth, -1);
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);
	write_message(0, 1, MAIL, true);
	(void)hear(listeners[0], IPC_DELIVERED, 1);
	assert_int_equal(msg.delivered.status[0], IPC_OK);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	get_text(0, 2, 1, MAIL);
}

static void test_wrong_length_is_not_delivered(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);

	const int fd = hear(listeners[0], IPC_DELIVER_READY, 1);

	assert_int_equal(write(fd, "x\r\n", 3), 3);
	(void)close(fd);
	ipc_start(&msg, IPC_DELIVER_COMMIT, 1);
	msg.deliver_commit.octets = 4;
	tell(listeners[0], -1);
	(void)hear(listeners[0], IPC_DELIVERED, 1);
	assert_int_equal(msg.delivered.n, 1);
	assert_int_equal(msg.delivered.status[0], IPC_TEMPORARY);
	assert_int_equal(open_count(0, 2, "alice"), 0);
}

static void hear_not_ready(unsigned listener, uint64_t session)
{
	const int fd = hear(listeners[listener], IPC_DELIVER_READY, session);

	assert_int_equal(fd, -1);
	assert_int_equal(msg.result.status, IPC_TEMPORARY);
}

static void test_reset(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);
	(void)close(hear(listeners[0], IPC_DELIVER_READY, 1));
	send_deliver(IPC_DELIVER_RESET, 0, 1, 1, 0);
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);
	hear_not_ready(0, 1);
	deliver(0, 2, "alice", MAIL);
	assert_int_equal(open_count(0, 3, "alice"), 1);
}

/* A reset that is read after the next message's grants drops only its own. */
static void test_late_reset(void **state)
{
	uint32_t count;

	(void)state;
	grant_deliver(0, 1, 1, "mallory");
	grant_deliver(0, 1, 2, "alice");
	/* An answer from storage: the grants have been read. */
	grant_open(0, 9, "carol");
	(void)hear_opened(0, 9, &count);
	send_deliver(IPC_DELIVER_RESET, 0, 1, 1, 0);
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 2, 1);
	write_message(0, 1, MAIL, false);
	(void)hear(listeners[0], IPC_DELIVERED, 1);
	assert_int_equal(msg.delivered.n, 1);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	assert_int_equal(open_count(0, 3, "mallory"), 0);
}

/* ---- quotas ---- */

static void grant_quota(uint64_t session, uint32_t transaction, uint64_t octets, uint64_t messages)
{
	put_grant(IPC_GRANT_DELIVER, 0, session, "alice");
	msg.grant.transaction = transaction;
	msg.grant.rules.quota_octets = octets;
	msg.grant.rules.quota_messages = messages;
	tell(auth, -1);
}

static enum ipc_status ask_room(uint64_t session, uint32_t transaction, uint32_t recipients,
				uint64_t octets)
{
	ipc_start(&msg, IPC_ROOM, session);
	msg.room.transaction = transaction;
	msg.room.recipients = recipients;
	msg.room.octets = octets;
	tell(listeners[0], -1);
	(void)hear(listeners[0], IPC_ROOM_REPLY, session);
	return (enum ipc_status)msg.result.status;
}

/* A full maildrop takes nothing more, and its grant is gone: others of the transaction stay. */
static void test_room_by_octets(void **state)
{
	const size_t mail = strlen(MAIL);

	(void)state;
	deliver(0, 1, "alice", MAIL);
	grant_quota(2, 1, mail + 1, 0);
	assert_int_equal(ask_room(2, 1, 1, 0), IPC_OK);
	/* One octet is free, and that much grace. */
	grant_quota(2, 1, mail + 1, 0);
	assert_int_equal(ask_room(2, 1, 2, QUOTA_GRACE + 1), IPC_OK);
	grant_quota(2, 1, mail + 1, 0);
	assert_int_equal(ask_room(2, 1, 3, QUOTA_GRACE + 2), IPC_OVER_QUOTA);
	grant_quota(2, 1, mail, 0);
	assert_int_equal(ask_room(2, 1, 3, 0), IPC_OVER_QUOTA);
	grant_deliver(0, 2, 1, "bob");
	send_deliver(IPC_DELIVER_BEGIN, 0, 2, 1, 3);
	write_message(0, 2, MAIL, false);
	(void)hear(listeners[0], IPC_DELIVERED, 2);
	assert_int_equal(msg.delivered.n, 3);
	/* The grace is larger than both, and nobody looks at less once they were let in. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(msg.delivered.status[i], IPC_OK);
	assert_int_equal(open_count(0, 3, "bob"), 1);
}

static void test_room_by_messages(void **state)
{
	(void)state;
	grant_quota(1, 1, 0, 1);
	assert_int_equal(ask_room(1, 1, 1, 0), IPC_OK);
	grant_quota(1, 1, 0, 1);
	assert_int_equal(ask_room(1, 1, 2, 0), IPC_OK);
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 2);
	write_message(0, 1, MAIL, false);
	(void)hear(listeners[0], IPC_DELIVERED, 1);
	/* There was room for each when it was asked, and is for one. */
	assert_int_equal(msg.delivered.status[0], IPC_OK);
	assert_int_equal(msg.delivered.status[1], IPC_OVER_QUOTA);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	grant_quota(1, 2, 0, 1);
	assert_int_equal(ask_room(1, 2, 1, 0), IPC_OVER_QUOTA);
	grant_quota(1, 2, 0, 2);
	assert_int_equal(ask_room(1, 2, 1, 0), IPC_OK);
}

/* A restart came in between, or it lies: the MTA tries again. */
static void test_room_without_grant(void **state)
{
	(void)state;
	assert_int_equal(ask_room(1, 1, 1, 0), IPC_TEMPORARY);
	grant_quota(2, 1, 0, 1);
	assert_int_equal(ask_room(2, 1, 2, 0), IPC_TEMPORARY);
	assert_int_equal(ask_room(2, 2, 1, 0), IPC_TEMPORARY);
	assert_int_equal(ask_room(2, 1, 1, 0), IPC_OK);
}

/* ---- a listener that was taken over ---- */

static void test_no_grant(void **state)
{
	(void)state;
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);
	hear_not_ready(0, 1);
}

static void test_missing_grant(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 2);
	hear_not_ready(0, 1);
}

/* A grant is used up by the delivery that it was for. */
static void test_replay(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);
	hear_not_ready(0, 1);
	assert_int_equal(open_count(0, 2, "alice"), 1);
}

static void test_grant_of_another_session(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	send_deliver(IPC_DELIVER_BEGIN, 0, 2, 1, 1);
	hear_not_ready(0, 2);
}

static void test_grant_of_another_listener(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	send_deliver(IPC_DELIVER_BEGIN, 1, 1, 1, 1);
	hear_not_ready(1, 1);
}

static void expect_dropped(unsigned listener)
{
	hear_end(listeners[listener]);
	/* And nobody else is. */
	assert_int_equal(open_count(2, 999, "carol"), 0);
	quit(2, 999, 0);
}

static void test_other_listeners_maildrop(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_get(1, 2, 1); /* the same session id */
	expect_dropped(1);
	get_text(0, 2, 1, MAIL);
}

static void test_other_sessions_maildrop(void **state)
{
	(void)state;
	assert_int_equal(open_count(0, 2, "alice"), 0);
	send_get(0, 3, 1);
	expect_dropped(0);
	/* Its sessions went with it. */
	assert_int_equal(open_count(1, 4, "alice"), 0);
}

static void test_message_out_of_range(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_get(0, 2, 2);
	expect_dropped(0);
}

static void test_mark_out_of_range(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_mark(0, 2, 1);
	send_mark(0, 2, 2);
	expect_dropped(0);
	assert_int_equal(open_count(1, 3, "alice"), 1);
}

static void test_after_commit(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	send_commit(0, 2, 0);
	(void)hear(listeners[0], IPC_COMMITTED, 2);
	send_get(0, 2, 1);
	expect_dropped(0);
}

static void test_two_logins_in_one_session(void **state)
{
	(void)state;
	assert_int_equal(open_count(0, 1, "alice"), 0);
	grant_open(0, 1, "bob");
	expect_dropped(0);
}

static void test_listener_plays_auth(void **state)
{
	(void)state;
	put_grant(IPC_GRANT_OPEN, 0, 1, "alice");
	tell(listeners[0], -1);
	expect_dropped(0);
}

static void test_path_leaves_the_spool(void **state)
{
	uint32_t count;

	(void)state;
	put_grant(IPC_GRANT_OPEN, 0, 1, "alice");
	(void)snprintf(msg.grant.path, sizeof(msg.grant.path), "%s/../etc", root);
	tell(auth, -1);
	assert_int_equal(hear_opened(0, 1, &count), IPC_PERMANENT);
	put_grant(IPC_GRANT_OPEN, 0, 2, "alice");
	(void)snprintf(msg.grant.path, sizeof(msg.grant.path), "mail/alice");
	tell(auth, -1);
	assert_int_equal(hear_opened(0, 2, &count), IPC_PERMANENT);
	put_grant(IPC_GRANT_OPEN, 0, 3, "alice");
	(void)snprintf(msg.grant.path, sizeof(msg.grant.path), "%s/..alice/..", root);
	tell(auth, -1);
	assert_int_equal(hear_opened(0, 3, &count), IPC_PERMANENT);
	put_grant(IPC_GRANT_OPEN, 0, 4, "alice");
	(void)snprintf(msg.grant.path, sizeof(msg.grant.path), "%s/..alice", root);
	tell(auth, -1);
	assert_int_equal(hear_opened(0, 4, &count), IPC_OK);
}

/* Never answered, and asked and asked: the listener is dropped, not kept in memory. */
static void test_flood(void **state)
{
	unsigned sent = 0;

	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	for (;;) {
		ipc_start(&msg, IPC_GET, 2);
		msg.get.number = 1;
		if (fdpass_send(listeners[0], &msg, ipc_length(&msg), -1) < 0)
			break;
		assert_true(++sent < 1000000);
	}
	(void)close(listeners[0]);
	listeners[0] = -1;
	assert_int_equal(open_count(1, 3, "alice"), 1);
}

/* Any octets under any type: whatever the listener loses, storage doesn't fall. */
static void test_noise(void **state)
{
	uint32_t random = 12345;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		const int fd = link_to(IPC_LISTENER, 1000 + round);
		size_t n;

		memset(&msg, 0, sizeof(msg));
		for (size_t i = 0; i < 64; i++) {
			random = random * 1103515245 + 12345;
			((unsigned char *)&msg)[i] = (unsigned char)(random >> 16);
		}
		msg.head.type = round % (IPC_TYPES + 2);
		msg.head.zero = 0;
		n = round % 3 == 0 ? sizeof(struct ipc_plain) : 16 + (random >> 16) % 100;
		(void)fdpass_send(fd, &msg, n, -1);
		(void)fdpass_send(fd, &msg, n, fd);
		(void)close(fd);
	}
	assert_int_equal(open_count(0, 1, "alice"), 0);
}

/* ---- its end ---- */

static void test_drain(void **state)
{
	(void)state;
	deliver(0, 1, "alice", MAIL);
	assert_int_equal(open_count(0, 2, "alice"), 1);
	ipc_start(&msg, IPC_DRAIN, 0);
	tell(control, -1);
	/* Sessions go on until they end. */
	get_text(0, 2, 1, MAIL);
	send_commit(0, 2, 0);
	(void)hear(listeners[0], IPC_COMMITTED, 2);
	assert_int_equal(wait_exit(), 0);
}

static void test_master_gone(void **state)
{
	(void)state;
	(void)close(control);
	control = -1;
	assert_int_equal(wait_exit(), 1);
}

/* Auth is restarted: its old grants count as long as its last words are in the channel. */
static void test_new_auth(void **state)
{
	(void)state;
	grant_deliver(0, 1, 1, "alice");
	(void)close(auth);
	auth = link_to(IPC_AUTH, 3);
	send_deliver(IPC_DELIVER_BEGIN, 0, 1, 1, 1);
	write_message(0, 1, MAIL, false);
	(void)hear(listeners[0], IPC_DELIVERED, 1);
	assert_int_equal(open_count(0, 2, "alice"), 1);
}

/* A listener that has just been linked, and granted something by auth at once. */
static void test_grant_and_link_race(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		const uint32_t id = 100 + i;
		const int fd = link_to(IPC_LISTENER, id);

		put_grant(IPC_GRANT_OPEN, 0, 1, "alice");
		msg.grant.listener = id;
		tell(auth, -1);
		(void)close(hear(fd, IPC_OPENED, 1));
		(void)close(fd);
	}
}

/* Where storage complains a thousand times. */
static int setup_quiet(void **state)
{
	log_it = false;
	return setup(state);
}

static int setup_one_each(void **state)
{
	per_user = 1;
	return setup(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_deliver_read_delete),
		TEST(test_close_deletes_nothing),
		TEST(test_lost_listener_deletes_nothing),
		TEST(test_lost_listener_after_commit),
		TEST(test_marks_are_counted),
		TEST(test_in_use),
		TEST(test_in_use_waits_a_moment),
		TEST(test_close_frees_at_once),
		cmocka_unit_test_setup_teardown(test_per_user_limit, setup_one_each, teardown),
		TEST(test_close_overtakes_grant),
		TEST(test_deliver_to_several),
		TEST(test_prefix_is_one_line),
		TEST(test_wrong_length_is_not_delivered),
		TEST(test_reset),
		TEST(test_late_reset),
		TEST(test_room_by_octets),
		TEST(test_room_by_messages),
		TEST(test_room_without_grant),
		TEST(test_no_grant),
		TEST(test_missing_grant),
		TEST(test_replay),
		TEST(test_grant_of_another_session),
		TEST(test_grant_of_another_listener),
		TEST(test_other_listeners_maildrop),
		TEST(test_other_sessions_maildrop),
		TEST(test_message_out_of_range),
		TEST(test_mark_out_of_range),
		TEST(test_after_commit),
		TEST(test_two_logins_in_one_session),
		TEST(test_listener_plays_auth),
		TEST(test_path_leaves_the_spool),
		TEST(test_flood),
		cmocka_unit_test_setup_teardown(test_noise, setup_quiet, teardown),
		TEST(test_drain),
		TEST(test_master_gone),
		TEST(test_new_auth),
		TEST(test_grant_and_link_race),
	};

	int failures;

	driver = "mem";
	failures = cmocka_run_group_tests_name("stored, mem", tests, NULL, NULL);
	driver = "maildir";
	return failures + cmocka_run_group_tests_name("stored, maildir", tests, NULL, NULL);
}
