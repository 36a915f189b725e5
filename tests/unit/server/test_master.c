/* SPDX-License-Identifier: MIT */
/*
 * The master as it runs, with children that this test brings: they do nothing, and
 * fall, hang and leave when the configuration's hostname tells them to. What the
 * master does is read from its log, as an operator would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "server/authd/authd.h"
#include "server/listener/listener.h"
#include "server/master/master.h"
#include "server/monitor/monitor.h"
#include "server/pamd/pamd.h"
#include "server/signerd/signerd.h"
#include "server/stored/stored.h"

#define WAIT_MS 20000

/* ---- the children ---- */

/* hostname is "when-what": what this role does when that happens. */
static bool told(const struct process *p, const char *when)
{
	static const char *const names[] = {
		[IPC_LISTENER] = "listener", [IPC_AUTH] = "auth", [IPC_STORAGE] = "storage",
		[IPC_MONITOR] = "monitor",   [IPC_PAM] = "pam",   [IPC_SIGNER] = "signer",
	};
	char word[64];

	(void)snprintf(word, sizeof(word), "%s-%s", when, names[p->ops->role]);
	return strcmp(p->config->hostname, word) == 0;
}

static int start(struct process *p, struct err *err)
{
	if (told(p, "fail"))
		return err_set(err, EIO, "told to fail");
	if (told(p, "crash"))
		abort();
	return 0;
}

static void on_link(struct process *p, enum ipc_role peer, uint32_t peer_id, int fd)
{
	(void)fd; /* stays open */
	log_event(LOG_LEVEL_INFO, "linked", log_num("id", p->id), log_num("role", peer),
		  log_num("peer", peer_id));
}

static void on_config(struct process *p)
{
	log_event(LOG_LEVEL_INFO, "configured", log_str("domain", p->config->default_domain));
}

static void on_drain(struct process *p)
{
	log_event(LOG_LEVEL_INFO, "draining", log_num("id", p->id),
		  log_num("seconds", p->drain_seconds));
	if (told(p, "hang"))
		return;
	/* A session that is still there. */
	if (told(p, "stay") && p->drain_seconds == IPC_DRAIN_FOREVER)
		return;
	process_quit(p);
}

#define OPS(r)                                                                           \
	{                                                                                \
		.role = (r), .start = start, .on_link = on_link, .on_config = on_config, \
		.on_drain = on_drain                                                     \
	}

const struct process_ops listener_ops = OPS(IPC_LISTENER);
const struct process_ops authd_ops = OPS(IPC_AUTH);
const struct process_ops stored_ops = OPS(IPC_STORAGE);
const struct process_ops monitor_ops = OPS(IPC_MONITOR);
const struct process_ops pamd_ops = OPS(IPC_PAM);
const struct process_ops signerd_ops = OPS(IPC_SIGNER);

#undef OPS

/* ---- the master ---- */

static char dir[64];
static char conf[128];
static pid_t master;
static int log_fd;
static char log_text[1 << 20];
static size_t log_n;
static size_t log_seen; /* up to where await() has looked */

static const char *in_dir(const char *name)
{
	static char path[4][160];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void write_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void write_conf(const char *hostname, const char *more)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "lmtp_listen = {\"unix:%s\"}\n"
		       "users_file = \"%s\"\n"
		       "pid_file = \"%s\"\n"
		       "server_user = nobody\n"
		       "mail_user = nobody\n"
		       "listeners = 2\n"
		       "max_connections = 10\n"
		       "hostname = \"%s\"\n%s",
		       in_dir("lmtp"), in_dir("users"), in_dir("pid"), hostname, more);
	write_file(conf, text);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/restante-master-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)chmod(dir, 0755);
	(void)snprintf(conf, sizeof(conf), "%s/conf", dir);
	write_file(in_dir("users"), "alice:{PLAIN}secret\n");
	log_n = log_seen = 0;
	log_text[0] = '\0';
	master = -1;
	return 0;
}

static void run(void)
{
	static struct config config;
	struct err err;
	int ends[2];

	if (config_load(conf, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
	master = fork();
	if (master == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		_exit(master_run(conf, &config));
	}
	(void)close(ends[1]);
	log_fd = ends[0];
}

/* Reads more of the log. False at its end: the master and all children have gone. */
static bool read_log(void)
{
	struct pollfd p = {.fd = log_fd, .events = POLLIN};

	if (poll(&p, 1, WAIT_MS) != 1)
		fail_msg("nothing more comes after:\n%s", log_text);

	const ssize_t n = read(log_fd, log_text + log_n, sizeof(log_text) - 1 - log_n);

	assert_true(n >= 0);
	log_n += (size_t)n;
	log_text[log_n] = '\0';
	return n > 0;
}

/* Waits for a line with this text, after all that was waited for before. */
static const char *await(const char *text)
{
	const char *hit;

	while ((hit = strstr(log_text + log_seen, text)) == NULL) {
		if (!read_log())
			fail_msg("\"%s\" never came:\n%s", text, log_text);
	}
	log_seen = (size_t)(hit - log_text) + strlen(text);
	return hit;
}

static bool logged(const char *text)
{
	return strstr(log_text, text) != NULL;
}

static bool logged_since(const char *text)
{
	return strstr(log_text + log_seen, text) != NULL;
}

static int wait_exit(void)
{
	int status;

	while (read_log())
		;
	assert_int_equal(waitpid(master, &status, 0), master);
	master = -1;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int teardown(void **state)
{
	(void)state;
	if (master > 0) {
		(void)kill(master, SIGKILL);
		(void)waitpid(master, NULL, 0);
		while (read_log())
			; /* the children follow their master */
	}
	(void)close(log_fd);
	(void)unlink(in_dir("lmtp"));
	(void)unlink(in_dir("users"));
	(void)unlink(in_dir("pid"));
	(void)unlink(in_dir("notify"));
	(void)unlink(conf);
	return rmdir(dir);
}

/* "event=<event>" ... "pid=<number>" in the line where await() ended last. */
static pid_t pid_in_line(const char *hit)
{
	const char *const at = strstr(hit, " pid=");
	long pid;

	assert_non_null(at);
	assert_int_equal(sscanf(at, " pid=%ld", &pid), 1);
	return (pid_t)pid;
}

/* ---- tests ---- */

static void test_start_and_stop(void **state)
{
	struct stat st;
	char text[32] = "";
	char want[32];

	(void)state;
	write_conf("plain", "");
	run();
	await("event=ready listeners=2");

	const int fd = open(in_dir("pid"), O_RDONLY);

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	(void)snprintf(want, sizeof(want), "%ld\n", (long)master);
	assert_string_equal(text, want);
	assert_int_equal(stat(in_dir("lmtp"), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));

	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	/* Listeners first: sessions need the others until their end. */
	log_seen = 0;
	await("event=stopping");
	await("process=listener");
	await("event=draining");
	await("process=storage");
	await("event=draining");
	await("event=stopped");
	assert_int_equal(stat(in_dir("lmtp"), &st), -1);
	assert_int_equal(stat(in_dir("pid"), &st), -1);
	assert_false(logged("event=child-died"));
}

/* Everybody who works together is connected: 2 listeners x 2, and auth with storage. */
static void test_links(void **state)
{
	unsigned n = 0;

	(void)state;
	write_conf("plain", "");
	run();
	while (n < 10) {
		await("event=linked");
		n++;
	}
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	assert_false(logged_since("event=linked"));
}

static void kill_child(const char *role)
{
	char started[64];
	char died[64];

	(void)snprintf(started, sizeof(started), "event=child-started role=%s", role);
	(void)snprintf(died, sizeof(died), "event=child-died role=%s", role);
	log_seen = 0;

	const pid_t pid = pid_in_line(await(started));

	await("event=ready listeners=2");
	log_seen = log_n;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_non_null(strstr(await(died), "signal=9"));
	await(started);
}

static void test_restart_listener(void **state)
{
	(void)state;
	write_conf("plain", "log_level = debug\n");
	run();
	kill_child("listener");
	/* It gets its channels, and so do those who work with it. */
	await("event=child-ready role=listener");
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

static void test_restart_storage(void **state)
{
	(void)state;
	write_conf("plain", "log_level = debug\n");
	run();
	await("event=ready");
	kill_child("storage");

	const size_t from = log_seen;

	await("event=child-ready role=storage");
	/* Number 5: 1 to 4 were there before. Auth and both listeners hear of it. */
	log_seen = from;
	await("role=3 peer=5");
	await("role=3 peer=5");
	await("role=3 peer=5");
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

/* One that falls at once is started again, at first at once and then with pauses. */
static void test_back_off(void **state)
{
	(void)state;
	write_conf("fail-auth", "");
	run();
	for (int i = 0; i < 5; i++) {
		await("event=start-failed error=\"told to fail\"");
		await("event=child-died role=auth");
	}
	assert_false(logged("event=ready"));
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

static void test_crash_is_named(void **state)
{
	(void)state;
	write_conf("crash-storage", "");
	run();
	assert_non_null(strstr(await("event=child-died role=storage"), "signal=6 cause=Aborted"));
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

/* A listener that doesn't leave is killed when its time is over. */
static void test_drain_timeout(void **state)
{
	(void)state;
	write_conf("hang-listener", "drain_timeout = 0\n");
	run();
	await("event=ready");
	(void)kill(master, SIGTERM);
	await("event=drain-timeout listeners=2");
	await("event=stopped");
	assert_int_equal(wait_exit(), 0);
}

static void test_second_sigterm(void **state)
{
	(void)state;
	write_conf("hang-listener", "drain_timeout = 1d\n");
	run();
	await("event=ready");
	(void)kill(master, SIGTERM);
	await("event=draining");
	await("event=draining");
	(void)kill(master, SIGTERM);
	await("event=stopped");
	assert_int_equal(wait_exit(), 0);
}

static void test_reload(void **state)
{
	(void)state;
	write_conf("plain", "log_level = debug\ndefault_domain = one.example\n");
	run();
	await("event=ready");
	write_conf("plain", "log_level = debug\ndefault_domain = two.example\n");
	(void)kill(master, SIGHUP);
	await("event=reloaded");
	log_seen = 0;
	await("event=configured domain=two.example");
	await("event=configured domain=two.example");
	log_seen = 0;
	/* Old listeners (3 and 4) leave when the new ones are ready; it is done when they have. */
	await("event=child-ready role=listener id=3");
	await("event=child-ready role=listener");
	await("event=child-ready role=listener");
	await("event=draining id=");
	await("event=draining id=");
	await("event=reloaded");
	assert_false(logged("event=child-died"));
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

static void test_bad_reload(void **state)
{
	char want[256];

	(void)state;
	write_conf("plain", "");
	run();
	await("event=ready");
	write_conf("plain", "no_such_option = 1\n");
	(void)kill(master, SIGHUP);
	(void)snprintf(want, sizeof(want), "event=reload-failed error=\"%s:9: no such option",
		       conf);
	await(want);

	/* A certificate that isn't there is found before anything is changed. */
	write_conf("plain", "tls_certificate = \"/nonexistent/cert.pem\"\n");
	(void)kill(master, SIGHUP);
	assert_non_null(strstr(await("event=reload-failed"), "/nonexistent/cert.pem"));

	/* And so is an address that somebody else has. */
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un taken = {.sun_family = AF_UNIX};

	(void)snprintf(taken.sun_path, sizeof(taken.sun_path), "%s", in_dir("notify"));
	assert_int_equal(bind(fd, (const struct sockaddr *)&taken, sizeof(taken)), 0);
	assert_int_equal(listen(fd, 1), 0);
	char more[256];

	(void)snprintf(more, sizeof(more), "lmtp_listen += {\"unix:%s\"}\n", taken.sun_path);
	write_conf("plain", more);
	(void)kill(master, SIGHUP);
	await("event=reload-failed");
	(void)close(fd);

	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	assert_false(logged("event=configured"));
	assert_false(logged("event=reloaded"));
}

/* Some options are fixed when processes are made: said, and left as they are. */
static void test_reload_needs_restart(void **state)
{
	(void)state;
	write_conf("plain", "");
	run();
	await("event=ready");
	write_conf("plain", "storage_threads = 7\n");
	(void)kill(master, SIGHUP);
	await("event=reload-needs-restart option=storage_threads");
	await("event=reloaded");
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

/* Sessions outlive a reload for as long as they like, but not SIGTERM. */
static void test_stay_after_reload(void **state)
{
	(void)state;
	write_conf("stay-listener", "");
	run();
	await("event=ready");
	(void)kill(master, SIGHUP);
	await("event=draining");
	await("event=draining");
	assert_true(logged("seconds=4294967295"));
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	/* Two old and two new. */
	log_seen = 0;
	for (int i = 0; i < 4; i++)
		await(" seconds=30");
	assert_false(logged("event=drain-timeout"));
}

/* Address after address: the sockets that stay are never closed, the others are. */
static void test_reload_sockets(void **state)
{
	struct stat before, after;
	char more[256];

	(void)state;
	write_conf("plain", "");
	run();
	await("event=ready");
	assert_int_equal(stat(in_dir("lmtp"), &before), 0);
	(void)snprintf(more, sizeof(more), "lmtp_listen += {\"unix:%s\"}\n", in_dir("notify"));
	write_conf("plain", more);
	(void)kill(master, SIGHUP);
	await("event=reloaded");
	assert_int_equal(stat(in_dir("notify"), &after), 0);
	write_conf("plain", "");
	(void)kill(master, SIGHUP);
	await("event=reloaded");
	assert_int_equal(stat(in_dir("notify"), &after), -1);
	assert_int_equal(stat(in_dir("lmtp"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	(void)kill(master, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

static void test_start_failures(void **state)
{
	(void)state;
	write_conf("plain", "tls_certificate = \"/nonexistent/cert.pem\"\n");
	run();
	assert_int_equal(wait_exit(), 1);
	assert_non_null(strstr(log_text, "event=start-failed"));
	assert_non_null(strstr(log_text, "/nonexistent/cert.pem"));
	(void)close(log_fd);

	log_n = log_seen = 0;
	(void)unlink(in_dir("users"));
	write_conf("plain", "");
	run();
	assert_int_equal(wait_exit(), 1);
	assert_non_null(strstr(log_text, "users"));
}

static void test_notify(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char text[128];
	ssize_t n;

	(void)state;
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_dir("notify"));

	const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	(void)setenv("NOTIFY_SOCKET", at.sun_path, 1);
	write_conf("plain", "");
	run();
	(void)unsetenv("NOTIFY_SOCKET");
	await("event=ready");
	n = recv(fd, text, sizeof(text), 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "READY=1\nSTATUS=1 addresses, 2 listeners");
	(void)kill(master, SIGTERM);
	n = recv(fd, text, sizeof(text), 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, "STOPPING=1\n", 11), 0);
	assert_int_equal(wait_exit(), 0);
	(void)close(fd);
}

/* Nothing outlives a master that was killed. */
static void test_master_killed(void **state)
{
	(void)state;
	write_conf("plain", "");
	run();
	await("event=ready");
	(void)kill(master, SIGKILL);
	(void)waitpid(master, NULL, 0);
	master = -1;
	while (read_log())
		; /* the log's end: every child has closed it */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_and_stop),
		TEST(test_links),
		TEST(test_restart_listener),
		TEST(test_restart_storage),
		TEST(test_back_off),
		TEST(test_crash_is_named),
		TEST(test_drain_timeout),
		TEST(test_second_sigterm),
		TEST(test_reload),
		TEST(test_bad_reload),
		TEST(test_reload_needs_restart),
		TEST(test_stay_after_reload),
		TEST(test_reload_sockets),
		TEST(test_start_failures),
		TEST(test_notify),
		TEST(test_master_killed),
	};

	return cmocka_run_group_tests_name("master", tests, NULL, NULL);
}
