/* SPDX-License-Identifier: MIT */
/* In clear; what TLS adds is in test_stream_tls.c. */
#include "net/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

#define LONG_MS 60000
#define SHORT_MS 50

/* The clock that streams go by, which can be put forward. */
static atomic_uint skipped_ms;

uint64_t clock_mono_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + skipped_ms;
}

static void open_stream(struct stream *s, int fd, uint32_t idle_ms)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	stream_open(s, fd, "pop.example.org", idle_ms, -1);
}

/* A stream, and the descriptor that its peer has. */
static int pair(struct stream *s, uint32_t idle_ms)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	open_stream(s, fds[0], idle_ms);
	return fds[1];
}

static void done(struct stream *s, int peer)
{
	stream_close(s);
	if (peer >= 0)
		assert_int_equal(close(peer), 0);
}

static void octets_come_and_go_and_are_counted(void **state)
{
	struct stream s;
	struct err err;
	char got[16];
	const int peer = pair(&s, LONG_MS);

	(void)state;
	assert_int_equal(s.read_octets, 0);
	assert_int_equal(s.written_octets, 0);
	assert_int_equal(stream_write(&s, "CAPA\r\n", 6, &err), 0);
	assert_int_equal(stream_write(&s, "QUIT\r\n", 6, &err), 0);
	assert_int_equal(stream_write(&s, NULL, 0, &err), 0);
	assert_int_equal(read(peer, got, sizeof(got)), 12);
	assert_memory_equal(got, "CAPA\r\nQUIT\r\n", 12);
	assert_int_equal(write(peer, "+OK\r\n", 5), 5);
	assert_int_equal(stream_read(&s, got, 3, &err), 3);
	assert_int_equal(stream_read(&s, got + 3, sizeof(got) - 3, &err), 2);
	assert_memory_equal(got, "+OK\r\n", 5);
	assert_int_equal(s.read_octets, 5);
	assert_int_equal(s.written_octets, 12);
	assert_false(stream_is_tls(&s));
	assert_null(stream_tls_version(&s));
	assert_null(stream_tls_cipher(&s));
	done(&s, peer);
}

static void each_side_ends_by_itself(void **state)
{
	struct stream s;
	struct err err;
	char got[16];
	const int peer = pair(&s, LONG_MS);

	(void)state;
	stream_shutdown(&s);
	assert_int_equal(read(peer, got, sizeof(got)), 0);
	assert_int_equal(write(peer, "+OK\r\n", 5), 5);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 5);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 0);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 0);
	done(&s, peer);
}

/* Whatever is tried later says what ended it. */
static void assert_ended(struct stream *s, int r)
{
	struct err err;
	char c;

	assert_int_equal(stream_read(s, &c, 1, &err), r);
	assert_non_null(strstr(err.text, "pop.example.org"));
	assert_int_equal(stream_write(s, "x", 1, &err), r);
	assert_int_equal(stream_start_tls(s, NULL, &err), r);
	assert_non_null(strstr(err.text, "pop.example.org"));
	stream_shutdown(s);
}

static void silence_has_an_end(void **state)
{
	struct stream s;
	struct err err;
	char got[16];
	const int peer = pair(&s, SHORT_MS);
	const uint64_t before = clock_mono_ms();

	(void)state;
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), -ETIMEDOUT);
	assert_true(clock_mono_ms() - before >= SHORT_MS);
	assert_string_equal(err.text, "cannot read from pop.example.org: Connection timed out");
	/* What comes too late is not read any more. */
	assert_int_equal(write(peer, "+OK\r\n", 5), 5);
	assert_ended(&s, -ETIMEDOUT);
	done(&s, peer);
}

static void a_peer_that_reads_nothing_has_an_end(void **state)
{
	static const char octets[4 << 20];
	struct stream s;
	struct err err;
	const int peer = pair(&s, SHORT_MS);

	(void)state;
	assert_int_equal(stream_write(&s, octets, sizeof(octets), &err), -ETIMEDOUT);
	assert_string_equal(err.text, "cannot write to pop.example.org: Connection timed out");
	assert_true(s.written_octets > 0 && s.written_octets < sizeof(octets));
	done(&s, peer);
}

static void *send_for_ever(void *arg)
{
	static const char octets[4096];

	while (send(*(int *)arg, octets, sizeof(octets), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

/* It is never waited for, so no wait ends it. */
static void a_peer_that_never_rests_meets_the_deadline(void **state)
{
	struct stream s;
	struct err err;
	char got[4096];
	ssize_t r;
	int peer = pair(&s, LONG_MS);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, send_for_ever, &peer), 0);
	s.deadline_ms = clock_mono_ms() + SHORT_MS;
	do {
		r = stream_read(&s, got, sizeof(got), &err);
	} while (r > 0);
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(clock_mono_ms() >= s.deadline_ms);
	assert_true(s.read_octets > 0);
	stream_close(&s);
	assert_int_equal(pthread_join(thread, NULL), 0);
	done(&s, peer);
}

static void a_deadline_ends_a_wait(void **state)
{
	struct stream s;
	struct err err;
	char c;
	const int peer = pair(&s, LONG_MS);

	(void)state;
	s.deadline_ms = clock_mono_ms() + SHORT_MS;
	assert_int_equal(stream_read(&s, &c, 1, &err), -ETIMEDOUT);
	assert_true(clock_mono_ms() >= s.deadline_ms);
	done(&s, peer);
}

/* A handler that writes to a pipe, as programs do it. */
static int stop_pipe[2];

static void on_stop(int signal)
{
	(void)signal;
	(void)!write(stop_pipe[1], "x", 1);
}

static void *stop_later(void *arg)
{
	(void)usleep(SHORT_MS * 1000);
	(void)pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void a_signal_stops_a_wait(void **state)
{
	struct stream s;
	struct err err;
	char got[16];
	const int peer = pair(&s, LONG_MS);
	pthread_t self = pthread_self(), thread;

	(void)state;
	assert_int_equal(pipe(stop_pipe), 0);
	s.stop_fd = stop_pipe[0];
	(void)signal(SIGUSR1, on_stop);
	assert_int_equal(pthread_create(&thread, NULL, stop_later, &self), 0);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), -ECANCELED);
	assert_string_equal(err.text, "cannot read from pop.example.org: Operation canceled");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ended(&s, -ECANCELED);
	done(&s, peer);

	/* The pipe stays readable: no later wait begins. What is there without one is read. */
	const int other = pair(&s, LONG_MS);

	s.stop_fd = stop_pipe[0];
	assert_int_equal(write(other, "+OK\r\n", 5), 5);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 5);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), -ECANCELED);
	done(&s, other);
	(void)signal(SIGUSR1, SIG_DFL);
	(void)close(stop_pipe[0]);
	(void)close(stop_pipe[1]);
}

struct pest {
	pthread_t target;
	int peer;
};

static void on_pest(int signal)
{
	(void)signal;
}

static void *send_signals_then_octets(void *arg)
{
	const struct pest *const p = arg;

	for (unsigned i = 0; i < 20; i++) {
		(void)pthread_kill(p->target, SIGUSR1);
		(void)usleep(2000);
	}
	(void)!write(p->peer, "+OK\r\n", 5);
	return NULL;
}

static void other_signals_change_nothing(void **state)
{
	struct stream s;
	struct err err;
	char got[16];
	struct pest pest = {.target = pthread_self(), .peer = pair(&s, LONG_MS)};
	/* Without SA_RESTART: poll() is interrupted either way. */
	const struct sigaction action = {.sa_handler = on_pest};
	pthread_t thread;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, send_signals_then_octets, &pest), 0);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), 5);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)signal(SIGUSR1, SIG_DFL);
	done(&s, pest.peer);
}

struct reader {
	int peer;
	size_t n;
	bool as_sent;
	unsigned takes_ms; /* for each time it reads */
};

static void *read_slowly(void *arg)
{
	struct reader *const r = arg;
	char got[30001];
	ssize_t n;

	r->as_sent = true;
	while ((n = read(r->peer, got, sizeof(got))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			r->as_sent = r->as_sent && got[i] == (char)((r->n + (size_t)i) % 251);
		r->n += (size_t)n;
		skipped_ms += r->takes_ms;
	}
	return NULL;
}

/* In all it takes longer than one wait may: some 140 s, of which a socket's buffer hides 10. */
static void all_is_written_however_slowly_it_is_read(void **state)
{
	static char octets[4 << 20];
	struct stream s;
	struct err err;
	struct reader reader = {.peer = pair(&s, LONG_MS), .takes_ms = 1000};
	pthread_t thread;

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (char)(i % 251);
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
	assert_int_equal(stream_write(&s, octets, sizeof(octets), &err), 0);
	assert_int_equal(s.written_octets, sizeof(octets));
	stream_shutdown(&s);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.n, sizeof(octets));
	assert_true(reader.as_sent);
	done(&s, reader.peer);
}

/* And SIGPIPE, which would end this program, isn't raised. */
static void writing_to_nobody_fails(void **state)
{
	struct stream s;
	struct err err;
	const int peer = pair(&s, LONG_MS);

	(void)state;
	assert_int_equal(close(peer), 0);
	assert_int_equal(stream_write(&s, "QUIT\r\n", 6, &err), -EPIPE);
	assert_string_equal(err.text, "cannot write to pop.example.org: Broken pipe");
	assert_ended(&s, -EPIPE);
	done(&s, -1);
}

/* Two ends of a TCP connection over loopback. */
static void tcp_pair(int *ret_near, int *ret_far)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);
	const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &n), 0);
	*ret_near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*ret_near, (struct sockaddr *)&address, sizeof(address)), 0);
	*ret_far = accept(listening, NULL, NULL);
	assert_true(*ret_far >= 0);
	assert_int_equal(close(listening), 0);
}

static void a_reset_is_no_end(void **state)
{
	const struct linger now = {.l_onoff = 1};
	struct stream s;
	struct err err;
	char got[16];
	int near, far;

	(void)state;
	tcp_pair(&near, &far);
	open_stream(&s, near, LONG_MS);
	assert_int_equal(setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	assert_int_equal(close(far), 0);
	assert_int_equal(stream_read(&s, got, sizeof(got), &err), -ECONNRESET);
	assert_string_equal(err.text, "cannot read from pop.example.org: Connection reset by peer");
	done(&s, -1);
}

static void closing_closes_once(void **state)
{
	struct stream s = {0};
	struct stat st;
	int near, far;

	(void)state;
	/* Descriptor 0 isn't what a zeroed stream has. */
	stream_close(&s);
	assert_int_equal(fstat(0, &st), 0);
	tcp_pair(&near, &far);
	open_stream(&s, near, LONG_MS);
	stream_close(&s);
	assert_int_equal(fstat(near, &st), -1);

	const int again = dup2(far, near);

	stream_close(&s);
	assert_int_equal(fstat(again, &st), 0);
	assert_int_equal(close(again), 0);
	assert_int_equal(close(far), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_come_and_go_and_are_counted),
		cmocka_unit_test(each_side_ends_by_itself),
		cmocka_unit_test(silence_has_an_end),
		cmocka_unit_test(a_peer_that_reads_nothing_has_an_end),
		cmocka_unit_test(a_peer_that_never_rests_meets_the_deadline),
		cmocka_unit_test(a_deadline_ends_a_wait),
		cmocka_unit_test(a_signal_stops_a_wait),
		cmocka_unit_test(other_signals_change_nothing),
		cmocka_unit_test(all_is_written_however_slowly_it_is_read),
		cmocka_unit_test(writing_to_nobody_fails),
		cmocka_unit_test(a_reset_is_no_end),
		cmocka_unit_test(closing_closes_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
