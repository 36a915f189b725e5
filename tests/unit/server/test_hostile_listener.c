/* SPDX-License-Identifier: MIT */
/*
 * A listener that somebody has taken over, against the real auth and storage. Whatever
 * it says, it gets no mail but that of who logs in through it, and another listener
 * works on beside it. The test plays the master and both listeners.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "server/authd/authd.h"
#include "server/stored/stored.h"

/* Nothing here takes longer, however slow the machine and its sanitizers are. */
#define PATIENCE_MS 60000

/* A child of the master, and its control channel. */
struct child {
	pid_t pid;
	int control;
};

/* A listener's two channels. */
struct side {
	int auth;
	int storage;
};

static char dir[64];
static char users[80];
static char log_path[80];
static struct config config;
static struct child authd;
static struct child stored;
static struct side honest;
static struct side hostile;
static uint32_t next_listener = 10;
static uint64_t next_session = 1;
static union ipc_msg msg;

/* ---- the master ---- */

static struct child start(const struct process_ops *ops)
{
	struct child c;
	int pair[2];
	struct pollfd p;
	int fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	c.control = pair[0];
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		const struct process_start how = {
			.ops = ops, .id = 1, .config = &config, .control = pair[1]};

		if (log < 0 || dup2(log, STDERR_FILENO) < 0)
			_exit(99);
		exit(process_main(&how));
	}
	(void)close(pair[1]);
	p = (struct pollfd){.fd = c.control, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(fdpass_recv(c.control, &msg, sizeof(msg), &fd) > 0);
	assert_int_equal(msg.head.type, IPC_READY);
	return c;
}

/* Of the one storage there is, as listeners tell auth. */
#define STORAGE_ID 1

static void link_to(const struct child *c, enum ipc_role role, uint32_t id, int fd)
{
	ipc_start(&msg, IPC_LINK, 0);
	msg.link.peer_role = role;
	msg.link.peer_id = id;
	assert_int_equal(fdpass_send(c->control, &msg, ipc_length(&msg), fd), 0);
	(void)close(fd);
}

static struct side new_listener(void)
{
	const uint32_t id = next_listener++;
	struct side s;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	s.storage = pair[0];
	link_to(&stored, IPC_LISTENER, id, pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	s.auth = pair[0];
	link_to(&authd, IPC_LISTENER, id, pair[1]);
	return s;
}

static void close_side(struct side *s)
{
	(void)close(s->auth);
	(void)close(s->storage);
}

/* The master starts another listener in place of one that has nobody to talk to. */
static void renew_hostile(void)
{
	close_side(&hostile);
	hostile = new_listener();
}

/* ---- what listeners say and hear ---- */

static void tell(int fd)
{
	assert_int_equal(fdpass_send(fd, &msg, ipc_length(&msg), -1), 0);
}

/* The next message into msg. Its descriptor is closed. False at the end. */
static bool receive(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int passed;

	if (poll(&p, 1, PATIENCE_MS) != 1)
		fail_msg("nothing came");

	const ssize_t n = fdpass_recv(fd, &msg, sizeof(msg), &passed);

	if (passed >= 0)
		(void)close(passed);
	return n > 0;
}

static void hear(int fd, enum ipc_type type, uint64_t session)
{
	assert_true(receive(fd));
	if (msg.head.type != type)
		fail_msg("%s came, not %s", ipc_type_name(msg.head.type), ipc_type_name(type));
	assert_int_equal(msg.head.session, session);
}

static void hear_end(int fd)
{
	while (receive(fd))
		continue;
}

static void say_pass(const struct side *s, uint64_t session, const char *user)
{
	ipc_start(&msg, IPC_AUTH_PASS, session);
	msg.pass.origin.flags = IPC_AUTH_TLS;
	msg.pass.origin.storage = STORAGE_ID;
	(void)snprintf(msg.pass.origin.remote, sizeof(msg.pass.origin.remote), "192.0.2.9");
	(void)snprintf(msg.pass.user, sizeof(msg.pass.user), "%s", user);
	(void)snprintf(msg.pass.password, sizeof(msg.pass.password), "pw-%s", user);
	tell(s->auth);
}

static uint64_t log_in(const struct side *s, const char *user)
{
	const uint64_t session = next_session++;

	say_pass(s, session, user);
	hear(s->storage, IPC_OPENED, session);
	assert_int_equal(msg.opened.status, IPC_OK);
	assert_int_equal(msg.opened.count, 1);
	return session;
}

static void put_get(uint64_t session, uint32_t number)
{
	ipc_start(&msg, IPC_GET, session);
	msg.get.number = number;
}

static void get(const struct side *s, uint64_t session)
{
	put_get(session, 1);
	tell(s->storage);
	hear(s->storage, IPC_MESSAGE, session);
	assert_int_equal(msg.message.status, IPC_OK);
}

static void put_commit(uint64_t session, uint32_t marked)
{
	ipc_start(&msg, IPC_COMMIT, session);
	msg.commit.marked = marked;
}

static void log_out(const struct side *s, uint64_t session)
{
	put_commit(session, 0);
	tell(s->storage);
	hear(s->storage, IPC_COMMITTED, session);
	assert_int_equal(msg.committed.status, IPC_OK);
}

static void put_rcpt(uint64_t session, const char *address)
{
	ipc_start(&msg, IPC_AUTH_RCPT, session);
	msg.rcpt.transaction = 1;
	(void)snprintf(msg.rcpt.address, sizeof(msg.rcpt.address), "%s", address);
}

static void put_deliver(enum ipc_type type, uint64_t session)
{
	ipc_start(&msg, type, session);
	msg.deliver.transaction = 1;
	msg.deliver.recipients = type == IPC_DELIVER_BEGIN;
}

static void put_deliver_commit(uint64_t session)
{
	ipc_start(&msg, IPC_DELIVER_COMMIT, session);
}

static void deliver(const struct side *s, const char *user)
{
	const uint64_t session = next_session++;

	put_rcpt(session, user);
	tell(s->auth);
	hear(s->auth, IPC_AUTH_RCPT_REPLY, session);
	assert_int_equal(msg.result.status, IPC_OK);
	put_deliver(IPC_DELIVER_BEGIN, session);
	tell(s->storage);
	hear(s->storage, IPC_DELIVER_READY, session);
	put_deliver_commit(session);
	tell(s->storage);
	hear(s->storage, IPC_DELIVERED, session);
	assert_int_equal(msg.delivered.status[0], IPC_OK);
}

/* ---- others live on ---- */

static void others_live(uint64_t alice)
{
	const uint64_t bob = log_in(&honest, "bob");

	get(&honest, bob);
	log_out(&honest, bob);
	get(&honest, alice);
	assert_int_equal(waitpid(authd.pid, NULL, WNOHANG), 0);
	assert_int_equal(waitpid(stored.pid, NULL, WNOHANG), 0);
}

static const char *read_log(void)
{
	static char text[1 << 20];
	const int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = read(fd, text, sizeof(text) - 1);

	(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static unsigned count_refused(void)
{
	unsigned n = 0;

	for (const char *at = read_log(); (at = strstr(at, "-refused ")) != NULL; at++)
		n++;
	return n;
}

/* ---- storage ---- */

static uint64_t victim; /* alice's session, of the honest listener */

static void ask_for_the_victims_mail(void)
{
	put_get(victim, 1);
}

static void mark_the_victims_mail(void)
{
	ipc_start(&msg, IPC_MARK, victim);
	msg.mark.first = 1;
	msg.mark.n = 1;
	msg.mark.bits[0] = 1;
}

static void end_the_victims_session(void)
{
	put_commit(victim, 1);
}

/* What only auth may say. */
static void grant_itself_a_maildrop(void)
{
	ipc_start(&msg, IPC_GRANT_OPEN, next_session++);
	msg.grant.listener = next_listener - 1;
	msg.grant.uid = msg.grant.gid = UINT32_MAX;
	(void)snprintf(msg.grant.user, sizeof(msg.grant.user), "alice");
	(void)snprintf(msg.grant.path, sizeof(msg.grant.path), "/mail/alice");
}

static void open_the_answer_of_storage(void)
{
	ipc_start(&msg, IPC_COMMITTED, next_session++);
}

static uint64_t eve(void)
{
	return log_in(&hostile, "eve");
}

static void read_after_the_end(void)
{
	const uint64_t session = eve();

	log_out(&hostile, session);
	put_get(session, 1);
}

static void read_after_hanging_up(void)
{
	const uint64_t session = eve();

	ipc_start(&msg, IPC_CLOSE, session);
	tell(hostile.storage);
	put_get(session, 1);
}

static void read_message_0(void)
{
	put_get(eve(), 0);
}

static void read_past_the_end(void)
{
	put_get(eve(), 2);
}

static void mark_past_the_end(void)
{
	ipc_start(&msg, IPC_MARK, eve());
	msg.mark.first = 1;
	msg.mark.n = 1;
	msg.mark.bits[0] = 2;
}

static void mark_far_past_the_end(void)
{
	ipc_start(&msg, IPC_MARK, eve());
	msg.mark.first = UINT32_MAX;
	msg.mark.n = IPC_MARK_BYTES;
	memset(msg.mark.bits, 0xff, IPC_MARK_BYTES);
}

static void log_in_twice(void)
{
	const uint64_t session = eve();

	say_pass(&hostile, session, "eve");
	/* It is storage that refuses; one more word, for a message to be told. */
	put_get(session, 1);
}

static void commit_what_was_not_begun(void)
{
	put_deliver_commit(eve());
}

static void begin_two_deliveries(void)
{
	const uint64_t session = next_session++;

	put_rcpt(session, "eve");
	tell(hostile.auth);
	hear(hostile.auth, IPC_AUTH_RCPT_REPLY, session);
	put_deliver(IPC_DELIVER_BEGIN, session);
	tell(hostile.storage);
	hear(hostile.storage, IPC_DELIVER_READY, session);
	put_deliver(IPC_DELIVER_BEGIN, session);
}

static void ask_for_more_than_it_can_read(void)
{
	const uint64_t session = eve();

	put_get(session, 1);
	/* The last one is told by the caller; storage hangs up before all are. */
	for (int i = 0; i < 5000; i++) {
		if (fdpass_send(hostile.storage, &msg, ipc_length(&msg), -1) < 0)
			break;
	}
}

static void storage_refuses(void **state)
{
	static void (*const attacks[])(void) = {
		ask_for_the_victims_mail,
		mark_the_victims_mail,
		end_the_victims_session,
		grant_itself_a_maildrop,
		open_the_answer_of_storage,
		read_after_the_end,
		read_after_hanging_up,
		read_message_0,
		read_past_the_end,
		mark_past_the_end,
		mark_far_past_the_end,
		log_in_twice,
		commit_what_was_not_begun,
		begin_two_deliveries,
		ask_for_more_than_it_can_read,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		const unsigned refused = count_refused();

		attacks[i]();
		/* Storage may have hung up already. */
		(void)fdpass_send(hostile.storage, &msg, ipc_length(&msg), -1);
		hear_end(hostile.storage);
		if (count_refused() != refused + 1)
			fail_msg("attack %zu: nothing in the log", i);
		others_live(victim);
		renew_hostile();
	}
}

/* Not against the rules, for it can happen to an honest one; but of no use. */
static void what_gains_nothing(void **state)
{
	const uint64_t session = next_session++;

	(void)state;
	ipc_start(&msg, IPC_CLOSE, victim);
	tell(hostile.storage);
	put_deliver(IPC_DELIVER_RESET, victim);
	tell(hostile.storage);
	put_deliver(IPC_DELIVER_BEGIN, session);
	tell(hostile.storage);
	hear(hostile.storage, IPC_DELIVER_READY, session);
	assert_int_equal(msg.result.status, IPC_TEMPORARY);
	/* The same id as the victim's is another session. */
	say_pass(&hostile, victim, "eve");
	hear(hostile.storage, IPC_OPENED, victim);
	assert_string_equal(msg.opened.user, "eve");
	log_out(&hostile, victim);
	/* Somebody else's password. */
	say_pass(&hostile, session, "alice");
	hear(hostile.storage, IPC_OPENED, session);
	assert_int_equal(msg.opened.status, IPC_IN_USE);
	others_live(victim);
}

/* ---- auth ---- */

static void answer_what_was_not_asked(void)
{
	ipc_start(&msg, IPC_AUTH_SASL_STEP, next_session++);
	msg.sasl.n = 0;
}

static void ask_twice(void)
{
	const uint64_t session = next_session++;

	ipc_start(&msg, IPC_AUTH_SASL_START, session);
	(void)snprintf(msg.sasl.mechanism, sizeof(msg.sasl.mechanism), "PLAIN");
	msg.sasl.origin.flags = IPC_AUTH_TLS;
	msg.sasl.n = 0;
	tell(hostile.auth);
	put_rcpt(session, "eve");
}

static void speak_as_auth(void)
{
	ipc_start(&msg, IPC_AUTH_FAILED, next_session++);
	msg.result.status = IPC_TOO_MANY;
}

static void speak_as_the_master(void)
{
	ipc_start(&msg, IPC_DRAIN, 0);
}

static void say_a_name_without_end(void)
{
	ipc_start(&msg, IPC_AUTH_PASS, next_session++);
	memset(msg.pass.user, 'a', sizeof(msg.pass.user));
}

static void auth_refuses(void **state)
{
	static void (*const attacks[])(void) = {
		answer_what_was_not_asked,
		ask_twice,
		speak_as_auth,
		speak_as_the_master,
		say_a_name_without_end,
		grant_itself_a_maildrop,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		const unsigned refused = count_refused();

		attacks[i]();
		tell(hostile.auth);
		hear_end(hostile.auth);
		if (count_refused() != refused + 1)
			fail_msg("attack %zu: nothing in the log", i);
		others_live(victim);
		renew_hostile();
	}
}

/* ---- octets of all kinds ---- */

/* A message that a listener may send, to be spoilt. */
static void put_something(unsigned which)
{
	const uint64_t session = (uint64_t)random() % 4 == 0 ? victim : (uint64_t)random() % 8;

	switch (which % 10) {
	case 0:
		ipc_start(&msg, IPC_AUTH_PASS, session);
		break;
	case 1:
		ipc_start(&msg, IPC_AUTH_SASL_START, session);
		memcpy(msg.sasl.mechanism, "CRAM-MD5", 9);
		msg.sasl.n = 0;
		break;
	case 2:
		answer_what_was_not_asked();
		break;
	case 3:
		put_rcpt(session, "eve@example.org");
		break;
	case 4:
		put_get(session, 1);
		break;
	case 5:
		put_commit(session, 0);
		break;
	case 6:
		ipc_start(&msg, IPC_MARK, session);
		msg.mark.first = 1;
		msg.mark.n = 4;
		memset(msg.mark.bits, 0, 4);
		break;
	case 7:
		put_deliver(IPC_DELIVER_BEGIN, session);
		break;
	case 8:
		put_deliver_commit(session);
		break;
	default:
		ipc_start(&msg, IPC_AUTH_APOP, session);
		break;
	}
}

/* How long it is after octets of it were changed, it was cut, or something was appended. */
static size_t spoil(void)
{
	size_t n = ipc_length(&msg);
	char *const p = (char *)&msg;

	for (long i = random() % 4; i > 0; i--) {
		/* Mostly where the numbers are. */
		const size_t at = (size_t)random() % (random() % 2 == 0 && n > 40 ? 40 : n);

		p[at] = (char)random();
	}
	switch (random() % 8) {
	case 0:
		return 1 + (size_t)random() % n;
	case 1:
		return n + (size_t)random() % (sizeof(msg) - n) + 1 > sizeof(msg) ? sizeof(msg)
										  : n + 1;
	default:
		return n;
	}
}

static unsigned count_descriptors(pid_t pid)
{
	char path[64];
	unsigned n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);

	DIR *const d = opendir(path);

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static bool has_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, 0) == 1) {
		if (!receive(fd))
			return true;
	}
	return false;
}

static void nonsense(void **state)
{
	unsigned renewed = 0;

	(void)state;
	srandom(1);
	others_live(victim);

	const unsigned before = count_descriptors(authd.pid) + count_descriptors(stored.pid);

	for (unsigned i = 0; i < 20000; i++) {
		const int to = i % 20 < 10 ? hostile.auth : hostile.storage;

		put_something(i);

		const size_t n = spoil();
		const int passed = random() % 16 == 0 ? STDERR_FILENO : -1;

		(void)fdpass_send(to, &msg, n, passed);
		if (i % 10 == 9 && (has_ended(hostile.auth) || has_ended(hostile.storage))) {
			renew_hostile();
			renewed++;
		}
		if (i % 1000 == 0)
			others_live(victim);
	}
	assert_true(renewed > 100);
	renew_hostile();
	/* What was passed is closed, and what hostile ones had is gone. */
	for (unsigned waited = 0;; waited++) {
		others_live(victim);
		if (count_descriptors(authd.pid) + count_descriptors(stored.pid) <= before)
			break;
		if (waited == 10000)
			fail_msg("%u descriptors, not %u",
				 count_descriptors(authd.pid) + count_descriptors(stored.pid),
				 before);
	}
}

/* ---- the frame ---- */

static void stop(struct child *c)
{
	int status;

	ipc_start(&msg, IPC_DRAIN, 0);
	assert_int_equal(fdpass_send(c->control, &msg, ipc_length(&msg), -1), 0);
	hear_end(c->control);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	if (status != 0)
		fail_msg("a child ended with %#x: %s", (unsigned)status, read_log());
	(void)close(c->control);
}

static int set_up(void **state)
{
	int pair[2];
	FILE *f;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(dir, sizeof(dir), "/tmp/restante-hostile-XXXXXX");
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0)
		return -1;
	(void)snprintf(users, sizeof(users), "%s/users", dir);
	(void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
	f = fopen(users, "w");
	if (f == NULL ||
	    fputs("alice:{PLAIN}pw-alice\nbob:{PLAIN}pw-bob\neve:{PLAIN}pw-eve\n", f) < 0 ||
	    fclose(f) != 0)
		return -1;
	(void)snprintf(config.hostname, sizeof(config.hostname), "mail.example.org");
	(void)snprintf(config.users_file, sizeof(config.users_file), "%s", users);
	(void)snprintf(config.default_domain, sizeof(config.default_domain), "example.org");
	(void)snprintf(config.mail_location, sizeof(config.mail_location), "/mail/%%n");
	(void)snprintf(config.store_driver, sizeof(config.store_driver), "mem");
	(void)snprintf(config.server_user, sizeof(config.server_user), "nobody");
	(void)snprintf(config.mail_user, sizeof(config.mail_user), "nobody");
	config.auth_threads = 1;
	config.storage_threads = 1;
	config.max_connections = 100;
	config.log_level = LOG_LEVEL_INFO;
	authd = start(&authd_ops);
	stored = start(&stored_ops);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	link_to(&stored, IPC_AUTH, 1, pair[0]);
	link_to(&authd, IPC_STORAGE, STORAGE_ID, pair[1]);
	honest = new_listener();
	hostile = new_listener();
	deliver(&honest, "alice");
	deliver(&honest, "bob");
	deliver(&honest, "eve");
	victim = log_in(&honest, "alice");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close_side(&honest);
	close_side(&hostile);
	stop(&authd);
	stop(&stored);
	(void)unlink(log_path);
	(void)unlink(users);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(storage_refuses),
		cmocka_unit_test(what_gains_nothing),
		cmocka_unit_test(auth_refuses),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
