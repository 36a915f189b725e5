/* SPDX-License-Identifier: MIT */
/*
 * How a child begins: which descriptors it keeps, who it is, what it hears of
 * signals, and how it takes a new configuration.
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/fdpass.h"
#include "server/privileges.h"
#include "server/process.h"

#define WAIT_MS 20000

/*
 * The child answers in its exit status: the number of the check that failed, or 0.
 * 1 is what process_main() says itself.
 */
enum check {
	OK,
	FAILED,
	WRONG_DESCRIPTORS,
	WRONG_SOCKETS,
	WRONG_SIGNALS,
	WRONG_NAME,
	WRONG_USER,
	WRONG_THREADS,
	WRONG_DUMPS,
	WRONG_CONFIG,
};

static int control = -1;
static pid_t pid = -1;
static struct config config;

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Above standard error, which may be anything. */
static int count_sockets(void)
{
	DIR *const d = opendir("/proc/self/fd");
	const struct dirent *e;
	int n = 0;

	while ((e = readdir(d)) != NULL) {
		char path[300];
		char to[64] = "";

		if (strcmp(e->d_name, "0") == 0 || strcmp(e->d_name, "1") == 0 ||
		    strcmp(e->d_name, "2") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		n += readlink(path, to, sizeof(to) - 1) > 0 && strncmp(to, "socket:", 7) == 0;
	}
	(void)closedir(d);
	return n;
}

static int prepare(struct process *p, struct err *err)
{
	(void)err;
	p->threads = 3;
	/* Before the loop: two listening sockets, the control channel, and nothing of the test's.
	 */
	if (count_sockets() != 3)
		_exit(WRONG_DESCRIPTORS);
	if (!is_open(p->sockets[0]) || !is_open(p->sockets[1]))
		_exit(WRONG_SOCKETS);
	return 0;
}

static int start(struct process *p, struct err *err)
{
	char name[17] = "";
	struct sigaction action;
	struct rlimit core;
	sigset_t blocked;

	(void)err;
	(void)sigaction(SIGTERM, NULL, &action);
	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	if (action.sa_handler != SIG_IGN || sigismember(&blocked, SIGUSR1) != 0)
		_exit(WRONG_SIGNALS);
	(void)prctl(PR_GET_NAME, name);
	if (strcmp(name, "rst-listener-77") != 0)
		_exit(WRONG_NAME);
	if (geteuid() == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(WRONG_USER);
	if (strcmp(getenv("UV_THREADPOOL_SIZE"), "3") != 0)
		_exit(WRONG_THREADS);
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		_exit(WRONG_DUMPS);
#ifndef RESTANTE_UNSEALED
	if (prctl(PR_GET_DUMPABLE) != 0)
		_exit(WRONG_DUMPS);
#endif
	(void)p;
	return 0;
}

static int fail_to_start(struct process *p, struct err *err)
{
	(void)p;
	return err_set(err, EIO, "this is how it ends");
}

static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	/* The link is an echo: which one it is. */
	(void)p;
	if (write(fd, peer == IPC_AUTH && peer_id == 9 ? "y" : "n", 1) != 1)
		_exit(WRONG_SOCKETS);
	(void)close(fd);
}

static void on_config(struct process *p)
{
	if (strcmp(p->config->hostname, "changed") != 0)
		_exit(WRONG_CONFIG);
	process_quit(p);
}

static void on_drain(struct process *p)
{
	if (p->drain_seconds != 42)
		_exit(WRONG_CONFIG);
	process_quit(p);
}

static struct process_ops ops = {
	.role = IPC_LISTENER,
	.prepare = prepare,
	.start = start,
	.on_link = on_link,
	.on_config = on_config,
	.on_drain = on_drain,
};

static int setup(void **state)
{
	int pair[2];
	int sockets[2];

	(void)state;
	memset(&config, 0, sizeof(config));
	config.n_listen = 2;
	(void)snprintf(config.server_user, sizeof(config.server_user), "nobody");
	for (int i = 0; i < 2; i++)
		sockets[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	(void)signal(SIGTERM, SIG_DFL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sigset_t all;
		const struct process_start how = {
			.ops = &ops,
			.id = 77,
			.config = &config,
			.control = pair[1],
			.sockets = sockets,
		};

		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
		_exit(process_main(&how));
	}
	(void)close(pair[1]);
	for (int i = 0; i < 2; i++)
		(void)close(sockets[i]);
	control = pair[0];
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

static int teardown(void **state)
{
	(void)state;
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	(void)close(control);
	return 0;
}

static void hear_ready(void)
{
	static union ipc_msg m;
	struct pollfd p = {.fd = control, .events = POLLIN};
	int fd;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);

	const ssize_t n = fdpass_recv(control, &m, sizeof(m), &fd);

	if (n <= 0)
		fail_msg("the child ended with %d", wait_exit());
	assert_int_equal(m.head.type, IPC_READY);
}

static void tell(const union ipc_msg *m, int fd)
{
	assert_int_equal(fdpass_send(control, m, ipc_length(m), fd), 0);
}

static void test_life(void **state)
{
	static union ipc_msg m;
	int pair[2];
	char answer = 0;

	(void)state;
	hear_ready();
	/* What a terminal or a service manager sends to everybody is the master's to hear. */
	(void)kill(pid, SIGTERM);
	(void)kill(pid, SIGINT);
	(void)kill(pid, SIGHUP);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ipc_start(&m, IPC_LINK, 0);
	m.link.peer_role = IPC_AUTH;
	m.link.peer_id = 9;
	tell(&m, pair[1]);
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &answer, 1), 1);
	assert_int_equal(answer, 'y');
	(void)close(pair[0]);

	ipc_start(&m, IPC_DRAIN, 0);
	m.drain.seconds = 42;
	tell(&m, -1);
	assert_int_equal(wait_exit(), OK);
}

static void send_config(size_t n)
{
	static union ipc_msg m;
	static struct config fresh;
	const int fd = memfd_create("config", MFD_CLOEXEC);

	fresh = config;
	(void)snprintf(fresh.hostname, sizeof(fresh.hostname), "changed");
	assert_int_equal(write(fd, &fresh, n), n);
	ipc_start(&m, IPC_CONFIG, 0);
	tell(&m, fd);
	(void)close(fd);
}

static void test_new_config(void **state)
{
	(void)state;
	hear_ready();
	/* One that is no configuration changes nothing. */
	send_config(sizeof(config) - 1);
	send_config(sizeof(config));
	assert_int_equal(wait_exit(), OK);
}

static void test_master_leaves(void **state)
{
	(void)state;
	hear_ready();
	(void)close(control);
	control = -1;
	assert_int_equal(wait_exit(), FAILED);
}

static void test_nonsense_from_the_master(void **state)
{
	(void)state;
	hear_ready();
	assert_int_equal(write(control, "nonsense", 8), 8);
	assert_int_equal(wait_exit(), FAILED);
}

static int setup_failing(void **state)
{
	int r;

	ops.start = fail_to_start;
	r = setup(state);
	ops.start = start;
	return r;
}

static void test_start_fails(void **state)
{
	(void)state;
	assert_int_equal(wait_exit(), FAILED);
}

static void test_privileges(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(privileges_check("nobody", &err), 0);
	assert_int_equal(privileges_check("no-such-user", &err), -ENOENT);
	assert_string_equal(err.text, "there is no user 'no-such-user'");
	if (geteuid() != 0)
		return;
	/* What it says when it refuses, in processes of their own. */
	static const struct {
		const char *user;
		bool as_owners;
		int r;
	} cases[] = {
		{"root", false, -EINVAL},
		{"no-such-user", false, -ENOENT},
		{"", false, -ENOENT},
		{"nobody", true, 0},
		{"", true, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status;
		const pid_t child = fork();

		if (child == 0)
			_exit(privileges_drop(cases[i].user, cases[i].as_owners, &err) !=
			      cases[i].r);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

/* As owners: still root, and yet without power over other people's files. */
static void test_as_owners(void **state)
{
	char path[] = "/tmp/restante-owners-XXXXXX";
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();

	const int fd = mkstemp(path);

	assert_int_equal(fchown(fd, 65534, 65534), 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	(void)close(fd);

	const pid_t child = fork();

	if (child == 0) {
		if (privileges_drop("", true, NULL) < 0 || geteuid() != 0)
			_exit(1);
		if (open(path, O_RDONLY) >= 0 || errno != EACCES)
			_exit(2);
		_exit(setuid(65534) == 0 && open(path, O_RDONLY) >= 0 ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)unlink(path);
	assert_int_equal(status, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_new_config),
		TEST(test_master_leaves),
		TEST(test_nonsense_from_the_master),
		cmocka_unit_test_setup_teardown(test_start_fails, setup_failing, teardown),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_as_owners),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
