/* SPDX-License-Identifier: MIT */
/*
 * Channels over a socketpair: what arrives, what waits, what a hostile peer may
 * cost, and that no descriptor stays behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/fdpass.h"
#include "server/ipc_channel.h"

static uv_loop_t loop;
static int fds_before;

/* One end under test, and what it has heard. */
static struct {
	struct ipc_channel ch;
	unsigned messages;
	unsigned closed;
	unsigned closed_cb;
	uint64_t last_session;
	int fd;
	void (*then)(struct ipc_channel *ch);
} near;

static int far; /* the other end, by hand */
static union ipc_msg msg;

static int count_fds(void)
{
	DIR *const d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static void on_message(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	near.messages++;
	near.last_session = m->head.session;
	if (fd >= 0) {
		if (near.fd >= 0)
			(void)close(near.fd);
		near.fd = fd;
	}
	if (near.then != NULL)
		near.then(ch);
}

static void on_closed(struct ipc_channel *ch)
{
	near.closed++;
	/* It may be freed in this call. */
	memset(ch, 0xee, sizeof(*ch));
}

static void closed_cb(uv_handle_t *handle)
{
	struct ipc_channel *const ch = handle->data;

	assert_ptr_equal(ch, &near.ch);
	near.closed_cb++;
	memset(ch, 0xee, sizeof(*ch));
}

/* libuv opens a pipe for signals with the first loop, and keeps it. */
static int setup_libuv(void **state)
{
	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	return uv_loop_close(&loop);
}

static int setup(void **state)
{
	int pair[2];

	(void)state;
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_KV, LOG_LEVEL_ERROR, "test");
	fds_before = count_fds();
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	memset(&near, 0, sizeof(near));
	near.fd = -1;
	near.ch.self = IPC_LISTENER;
	near.ch.peer = IPC_STORAGE;
	near.ch.peer_id = 1;
	near.ch.on_message = on_message;
	near.ch.on_closed = on_closed;
	far = pair[1];
	assert_int_equal(ipc_channel_open(&near.ch, &loop, pair[0]), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (near.closed == 0 && near.closed_cb == 0)
		ipc_channel_close(&near.ch, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	if (far >= 0)
		(void)close(far);
	if (near.fd >= 0)
		(void)close(near.fd);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

static void turn(void)
{
	(void)uv_run(&loop, UV_RUN_NOWAIT);
}

static void far_sends_opened(uint64_t session)
{
	const int fd = open("/dev/null", O_RDONLY);

	ipc_start(&msg, IPC_OPENED, session);
	assert_int_equal(fdpass_send(far, &msg, ipc_length(&msg), fd), 0);
	(void)close(fd);
}

static void test_receives_with_descriptor(void **state)
{
	(void)state;
	far_sends_opened(42);
	turn();
	assert_int_equal(near.messages, 1);
	assert_int_equal(near.last_session, 42);
	assert_true(near.fd >= 0);
	assert_true((fcntl(near.fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void test_sends(void **state)
{
	int fd;

	(void)state;
	ipc_start(&msg, IPC_CLOSE, 9);
	ipc_channel_send(&near.ch, &msg, -1);
	memset(&msg, 0, sizeof(msg));
	assert_int_equal(fdpass_recv(far, &msg, sizeof(msg), &fd), sizeof(struct ipc_plain));
	assert_int_equal(fd, -1);
	assert_int_equal(msg.head.type, IPC_CLOSE);
	assert_int_equal(msg.head.session, 9);
}

static void test_peer_closes(void **state)
{
	(void)state;
	(void)close(far);
	far = -1;
	turn();
	turn();
	assert_int_equal(near.closed, 1);
}

/* What had been sent before the end is heard before the end. */
static void test_last_words(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		far_sends_opened(i);
	(void)close(far);
	far = -1;
	while (near.closed == 0)
		turn();
	assert_int_equal(near.messages, 100);
	assert_int_equal(near.last_session, 100);
}

/* One turn handles a bounded number, and read_now() all. */
static void test_turns_are_bounded(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 150; i++)
		far_sends_opened(i);
	turn();
	assert_true(near.messages >= 1 && near.messages < 150);
	ipc_channel_read_now(&near.ch);
	assert_int_equal(near.messages, 150);
}

static void refused(void)
{
	turn();
	turn();
	assert_int_equal(near.messages, 0);
	assert_int_equal(near.closed, 1);
}

static void test_refuses_wrong_direction(void **state)
{
	(void)state;
	ipc_start(&msg, IPC_CLOSE, 1);
	assert_int_equal(fdpass_send(far, &msg, ipc_length(&msg), -1), 0);
	refused();
}

static void test_refuses_unwanted_descriptor(void **state)
{
	(void)state;
	ipc_start(&msg, IPC_COMMITTED, 1);
	assert_int_equal(fdpass_send(far, &msg, ipc_length(&msg), far), 0);
	refused();
}

static void test_refuses_missing_descriptor(void **state)
{
	(void)state;
	ipc_start(&msg, IPC_OPENED, 1);
	assert_int_equal(fdpass_send(far, &msg, ipc_length(&msg), -1), 0);
	refused();
}

static void test_refuses_one_octet(void **state)
{
	(void)state;
	assert_int_equal(send(far, "x", 1, 0), 1);
	refused();
}

static void test_refuses_too_long(void **state)
{
	static char noise[sizeof(union ipc_msg) + 1];

	(void)state;
	ipc_start(&msg, IPC_COMMITTED, 1);
	memcpy(noise, &msg, sizeof(struct ipc_committed));
	assert_int_equal(send(far, noise, sizeof(noise), 0), sizeof(noise));
	refused();
}

static void send_fds(size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 200)];
	} control;
	struct iovec iov = {.iov_base = &msg, .iov_len = sizeof(struct ipc_opened)};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n),
	};

	ipc_start(&msg, IPC_OPENED, 1);
	memset(&control, 0, sizeof(control));
	struct cmsghdr *const c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &far, sizeof(int));
	assert_true(sendmsg(far, &m, 0) > 0);
}

static void test_refuses_two_descriptors(void **state)
{
	(void)state;
	send_fds(2);
	refused();
}

static void test_refuses_many_descriptors(void **state)
{
	(void)state;
	send_fds(200);
	refused();
}

/* A peer that doesn't read: what waits is sent in order as soon as it does. */
static void test_queue_keeps_order(void **state)
{
	enum { N = 5000 };
	const int fd = open("/dev/null", O_RDONLY);
	uint64_t next = 1;

	(void)state;
	near.ch.self = IPC_STORAGE; /* who may send descriptors */
	near.ch.peer = IPC_LISTENER;
	for (uint64_t i = 1; i <= N; i++) {
		ipc_start(&msg, IPC_OPENED, i);
		/* Descriptors that wait are duplicates: only a few here, for the limit's sake. */
		msg.opened.status = i % 50 == 0 ? IPC_OK : IPC_IN_USE;
		ipc_channel_send(&near.ch, &msg, i % 50 == 0 ? fd : -1);
	}
	(void)close(fd);
	assert_true(near.ch._queued > 0);
	while (next <= N) {
		int got;
		const ssize_t n = fdpass_recv(far, &msg, sizeof(msg), &got);

		if (n == -EAGAIN) {
			turn();
			continue;
		}
		assert_int_equal(n, sizeof(struct ipc_opened));
		assert_int_equal(msg.head.session, next);
		assert_int_equal(got >= 0, next % 50 == 0);
		if (got >= 0)
			(void)close(got);
		next++;
	}
	turn();
	assert_int_equal(near.ch._queued, 0);
	assert_int_equal(near.closed, 0);
}

/* A peer that never reads is dropped at the limit, with all that waited for it. */
static void test_queue_is_bounded(void **state)
{
	size_t sent = 0;

	(void)state;
	near.ch.self = IPC_LISTENER;
	near.ch.peer = IPC_AUTH;
	ipc_start(&msg, IPC_AUTH_SASL_STEP, 1);
	msg.sasl.n = LIMIT_SASL_OCTETS;
	memset(msg.sasl.data, 'x', LIMIT_SASL_OCTETS);
	while (sent < 2 * (size_t)IPC_QUEUE_OCTETS) {
		ipc_channel_send(&near.ch, &msg, -1);
		sent += ipc_length(&msg);
		assert_true(near.ch._queued <= IPC_QUEUE_OCTETS);
		assert_int_equal(near.closed, 0); /* never from inside send */
	}
	assert_int_equal(near.ch._queued, 0);
	turn();
	assert_int_equal(near.closed, 1);
}

static void test_send_to_dead_peer(void **state)
{
	(void)state;
	(void)close(far);
	far = -1;
	ipc_start(&msg, IPC_CLOSE, 1);
	ipc_channel_send(&near.ch, &msg, -1);
	ipc_channel_send(&near.ch, &msg, -1);
	assert_int_equal(near.closed, 0);
	turn();
	turn();
	assert_int_equal(near.closed, 1);
}

static void close_it(struct ipc_channel *ch)
{
	ipc_channel_close(ch, closed_cb);
}

static void test_close_in_handler(void **state)
{
	(void)state;
	near.then = close_it;
	for (uint64_t i = 1; i <= 10; i++)
		far_sends_opened(i);
	turn();
	turn();
	assert_int_equal(near.messages, 1);
	assert_int_equal(near.closed, 0);
	assert_int_equal(near.closed_cb, 1);
}

/* Closed by its owner between a failure and its on_closed: only the owner's callback comes. */
static void test_close_after_failure(void **state)
{
	(void)state;
	(void)close(far);
	far = -1;
	ipc_start(&msg, IPC_CLOSE, 1);
	ipc_channel_send(&near.ch, &msg, -1);
	ipc_channel_close(&near.ch, closed_cb);
	turn();
	turn();
	assert_int_equal(near.closed, 0);
	assert_int_equal(near.closed_cb, 1);
}

/* A handler reads another message of the same channel: its own stays as it was. */
static void read_more(struct ipc_channel *ch)
{
	const uint64_t mine = near.last_session;

	near.then = NULL;
	ipc_channel_read_now(ch);
	assert_int_equal(mine, 1);
	assert_int_equal(near.last_session, 3);
}

static void test_nested_read(void **state)
{
	(void)state;
	near.then = read_more;
	for (uint64_t i = 1; i <= 3; i++)
		far_sends_opened(i);
	turn();
	assert_int_equal(near.messages, 3);
}

/* No descriptor is left for what comes: the channel ends, for an answer was lost. */
static void test_out_of_descriptors(void **state)
{
	struct rlimit old;

	(void)state;
	far_sends_opened(1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);

	const struct rlimit none = {.rlim_cur = 3, .rlim_max = old.rlim_max};

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn();
	turn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(near.messages, 0);
	assert_int_equal(near.closed, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_receives_with_descriptor),
		TEST(test_sends),
		TEST(test_peer_closes),
		TEST(test_last_words),
		TEST(test_turns_are_bounded),
		TEST(test_refuses_wrong_direction),
		TEST(test_refuses_unwanted_descriptor),
		TEST(test_refuses_missing_descriptor),
		TEST(test_refuses_one_octet),
		TEST(test_refuses_too_long),
		TEST(test_refuses_two_descriptors),
		TEST(test_refuses_many_descriptors),
		TEST(test_queue_keeps_order),
		TEST(test_queue_is_bounded),
		TEST(test_send_to_dead_peer),
		TEST(test_close_in_handler),
		TEST(test_close_after_failure),
		TEST(test_nested_read),
		TEST(test_out_of_descriptors),
	};

	return cmocka_run_group_tests_name("ipc_channel", tests, setup_libuv, NULL);
}
