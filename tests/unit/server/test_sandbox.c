/* SPDX-License-Identifier: MIT */
/*
 * What somebody who took over a process could do with it: each attack runs in a sealed
 * process of its own, and so does what the process must still be able to do.
 */
#include "server/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* What there is before the seal: made anew for each process. */
static int tcp[2]; /* a connection */
static int file = -1;
static char path[] = "/tmp/restante-sandbox-XXXXXX";
static pid_t parent;

/* Each returns as system calls do: negative, with errno, when it was refused. */

static int open_to_read(void)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int open_to_write(void)
{
	return open(path, O_WRONLY | O_CLOEXEC);
}

static int make_file(void)
{
	char other[64];

	(void)snprintf(other, sizeof(other), "%s.new", path);
	return open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int remove_file(void)
{
	return unlink(path);
}

static int look_for_file(void)
{
	struct stat st;

	return stat(path, &st);
}

static int run_program(void)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};

	return execv("/bin/true", argv);
}

static int make_process(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return (int)pid;
}

static void *do_nothing(void *arg)
{
	return arg;
}

static int make_thread(void)
{
	pthread_t thread;
	const int r = pthread_create(&thread, NULL, do_nothing, NULL);

	if (r == 0)
		return pthread_join(thread, NULL);
	errno = r;
	return -1;
}

static int make_tcp_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int make_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* A connection that is there becomes one to somebody else. */
static int connect_again(void)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(25)};

	return connect(tcp[0], (const struct sockaddr *)&to, sizeof(to));
}

static int send_elsewhere(void)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(25)};

	return (int)sendto(tcp[0], "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
			   (const struct sockaddr *)&to, sizeof(to));
}

static int sendmsg_elsewhere(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(25)};
	struct iovec iov = {.iov_base = (char *)(uintptr_t) "x", .iov_len = 1};
	const struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1};

	return (int)sendmsg(tcp[0], &m, MSG_FASTOPEN | MSG_NOSIGNAL);
}

static int listen_here(void)
{
	return listen(tcp[0], 1);
}

static int kill_parent(void)
{
	return kill(parent, 0);
}

static int kill_parents_thread(void)
{
	return (int)syscall(SYS_tgkill, parent, parent, 0);
}

static int trace_parent(void)
{
	return (int)ptrace(PTRACE_SEIZE, parent, NULL, NULL);
}

static int own_a_socket(void)
{
	return fcntl(tcp[0], F_SETOWN, parent);
}

static int limit_parent(void)
{
	const struct rlimit none = {0, 0};

	return prlimit(parent, RLIMIT_CORE, &none, NULL);
}

static int filter_a_socket(void)
{
	const int value = 1;

	return setsockopt(tcp[0], SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int make_data_code(void)
{
	void *const p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int make_io_uring(void)
{
	char params[256] = {0};

	return (int)syscall(SYS_io_uring_setup, 1, params);
}

static int load_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int change_root(void)
{
	return chroot("/tmp");
}

/* ---- what an honest process does ---- */

static int talk(void)
{
	char c;

	return send(tcp[0], "x", 1, MSG_NOSIGNAL) == 1 && recv(tcp[1], &c, 1, 0) == 1 &&
			       write(tcp[1], "y", 1) == 1 && read(tcp[0], &c, 1) == 1 &&
			       sendfile(tcp[0], file, NULL, 4) == 4
		       ? 0
		       : -1;
}

static int pass_a_descriptor(void)
{
	return fcntl(file, F_DUPFD_CLOEXEC, 0);
}

static int write_a_log(void)
{
	log_event(LOG_LEVEL_ERROR, "still-alive", log_num("n", 1));
	return 0;
}

static int have_memory(void)
{
	char *const p = malloc(10 << 20);

	if (p == NULL)
		return -1;
	memset(p, 1, 10 << 20);
	free(p);
	return 0;
}

/* An assert() that fails must be seen as what it is. */
static int fall(void)
{
	abort();
}

enum outcome { WORKS, REFUSED, KILLED, ABORTED };

static const struct {
	const char *name;
	int (*act)(void);
	enum outcome listener, auth, storage;
} cases[] = {
#define CASE(act, listener, auth, storage)         \
	{                                          \
#act, act, listener, auth, storage \
	}
	CASE(open_to_read, KILLED, WORKS, WORKS),
	CASE(open_to_write, KILLED, REFUSED, WORKS),
	CASE(make_file, KILLED, REFUSED, WORKS),
	CASE(remove_file, KILLED, REFUSED, WORKS),
	CASE(look_for_file, KILLED, WORKS, WORKS),
	CASE(run_program, KILLED, REFUSED, REFUSED),
	CASE(make_process, KILLED, REFUSED, REFUSED),
	CASE(make_thread, KILLED, WORKS, WORKS),
	CASE(make_tcp_socket, REFUSED, REFUSED, REFUSED),
	CASE(make_unix_socket, REFUSED, WORKS, WORKS),
	CASE(connect_again, REFUSED, REFUSED, REFUSED),
	CASE(send_elsewhere, KILLED, REFUSED, REFUSED),
	CASE(sendmsg_elsewhere, KILLED, REFUSED, REFUSED),
	CASE(listen_here, KILLED, REFUSED, REFUSED),
	CASE(kill_parent, KILLED, REFUSED, REFUSED),
	CASE(kill_parents_thread, KILLED, REFUSED, REFUSED),
	CASE(trace_parent, KILLED, REFUSED, REFUSED),
	CASE(own_a_socket, KILLED, REFUSED, REFUSED),
	CASE(limit_parent, KILLED, REFUSED, REFUSED),
	CASE(filter_a_socket, KILLED, WORKS, WORKS),
	CASE(map_code, KILLED, REFUSED, REFUSED),
	CASE(make_data_code, KILLED, REFUSED, REFUSED),
	CASE(make_io_uring, KILLED, REFUSED, REFUSED),
	CASE(load_bpf, KILLED, REFUSED, REFUSED),
	CASE(change_root, KILLED, REFUSED, REFUSED),
	CASE(talk, WORKS, WORKS, WORKS),
	CASE(pass_a_descriptor, WORKS, WORKS, WORKS),
	CASE(write_a_log, WORKS, WORKS, WORKS),
	CASE(have_memory, WORKS, WORKS, WORKS),
	CASE(fall, ABORTED, ABORTED, ABORTED),
#undef CASE
};

static void make_surroundings(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	const int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tcp[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(l, (const struct sockaddr *)&at, n) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&at, &n) < 0 ||
	    connect(tcp[0], (const struct sockaddr *)&at, n) < 0)
		_exit(90);
	tcp[1] = accept(l, NULL, NULL);
	(void)close(l);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (tcp[1] < 0 || file < 0)
		_exit(90);
}

/* In a process of its own. What became of it. */
static enum outcome try(const struct sandbox_profile *profile, int (*act)(void))
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err;

		/* No test prints what is meant to fall. */
		(void)close(STDERR_FILENO);
		(void)open("/dev/null", O_WRONLY);
		log_init(LOG_TARGET_STDERR, LOG_FORMAT_KV, LOG_LEVEL_ERROR, "sandbox");
		make_surroundings();
		if (sandbox_enter(profile, &err) < 0)
			_exit(91);
		_exit(act() >= 0 ? WORKS : REFUSED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : ABORTED;
	assert_true(WEXITSTATUS(status) <= REFUSED);
	return (enum outcome)WEXITSTATUS(status);
}

static void write_file(void)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "some octets", 11), 11);
	(void)close(fd);
}

/* It speaks by sendmsg(2) and recvmsg(2) alone, and has threads. */
static enum outcome of_signer(size_t i)
{
	if (cases[i].act == make_thread)
		return WORKS;
	return cases[i].act == talk || cases[i].act == pass_a_descriptor ? KILLED
									 : cases[i].listener;
}

static void check(const struct sandbox_profile *profile, size_t which)
{
	char other[64];

	parent = getpid();
	(void)snprintf(other, sizeof(other), "%s.new", path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const enum outcome networked = cases[i].act == make_tcp_socket ? WORKS
									       : cases[i].auth;
		const enum outcome wanted[] = {cases[i].listener, cases[i].auth, cases[i].storage,
					       networked, of_signer(i)};

		write_file();

		const enum outcome was = try(profile, cases[i].act);

		(void)unlink(other);
		if (was != wanted[which])
			fail_msg("%s: %d, not %d", cases[i].name, was, wanted[which]);
	}
}

static void a_listener(void **state)
{
	(void)state;
	check(&sandbox_listener, 0);
}

static void auth(void **state)
{
	(void)state;
	check(&sandbox_auth, 1);
}

static void storage(void **state)
{
	(void)state;
	check(&sandbox_storage, 2);
}

static void signer(void **state)
{
	(void)state;
	check(&sandbox_signer, 4);
}

/* The port that nobody has: whether there is a way there is what counts. */
static int connect_elsewhere(void)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(1),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int r = connect(fd, (const struct sockaddr *)&to, sizeof(to));

	return r == 0 || errno == ECONNREFUSED ? 0 : -1;
}

static int make_udp6_socket(void)
{
	return socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int make_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int make_appletalk_socket(void)
{
	return socket(AF_APPLETALK, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* All that auth may, and to connect by IP. */
static void auth_with_network(void **state)
{
	(void)state;
	check(&sandbox_auth_network, 3);
	assert_int_equal(try(&sandbox_auth_network, connect_elsewhere), WORKS);
	assert_int_equal(try(&sandbox_auth, connect_elsewhere), REFUSED);
	assert_int_equal(try(&sandbox_auth_network, make_udp6_socket), WORKS);
	assert_int_equal(try(&sandbox_auth, make_udp6_socket), REFUSED);
	assert_int_equal(try(&sandbox_auth_network, make_netlink_socket), REFUSED);
	assert_int_equal(try(&sandbox_auth_network, make_appletalk_socket), REFUSED);
}

/* PAM's modules do what they like, but not to the system or to other processes' memory. */
static void pam(void **state)
{
	static int (*const works[])(void) = {
		open_to_write,     run_program,      make_process, make_thread,    make_unix_socket,
		connect_elsewhere, make_udp6_socket, map_code,     make_data_code, talk,
	};
	static int (*const refused[])(void) = {
		trace_parent,  limit_parent, own_a_socket, kill_parents_thread,
		make_io_uring, load_bpf,     change_root,
	};

	(void)state;
	parent = getpid();
	write_file();
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (try(&sandbox_pam, works[i]) != WORKS)
			fail_msg("number %zu doesn't work", i);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (try(&sandbox_pam, refused[i]) != REFUSED)
			fail_msg("number %zu is not refused", i);
	}
}

static int set_up(void **state)
{
	(void)state;
	(void)close(mkstemp(path));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener), cmocka_unit_test(auth),
		cmocka_unit_test(storage),    cmocka_unit_test(auth_with_network),
		cmocka_unit_test(pam),        cmocka_unit_test(signer),
	};

#ifdef RESTANTE_UNSEALED
	/* Meson's word for a test that was left out. */
	return 77;
#endif
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
