/* SPDX-License-Identifier: MIT */
/* restantectl config, reload, stop: the running server and what it reads. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/num.h"
#include "ctl/ctl.h"
#include "ctl/databases.h"

#define SERVER "restanted"

/* A small file's first line, without its end. */
static int read_word(const char *path, char *ret_word, size_t cap)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;

	const ssize_t n = read(fd, ret_word, cap - 1);
	const int r = n < 0 ? -errno : 0;

	(void)close(fd);
	if (r == 0) {
		ret_word[n] = '\0';
		ret_word[strcspn(ret_word, "\n")] = '\0';
	}
	return r;
}

/*
 * A descriptor of the server that the pid file names. The file may be older than
 * the machine's last start, so whoever has the number now must be called as the
 * server is; the descriptor then is that process and no later one. Or an exit
 * status, negated.
 */
static int find_server(const struct ctl *ctl)
{
	const char *path = ctl->config.pid_file;
	char text[32];
	char comm_path[64];
	char comm[32];
	uint64_t pid;

	if (path[0] == '\0')
		return -ctl_complain(
			EX_CONFIG, "%s has no pid_file, so there is no knowing which process it is",
			ctl->config_path);

	const int r = read_word(path, text, sizeof(text));

	if (r == -ENOENT)
		return -ctl_complain(EX_UNAVAILABLE, "the server is not running: there is no '%s'",
				     path);
	if (r < 0)
		return -ctl_complain(EX_NOINPUT, "cannot read '%s': %s", path, strerror(-r));
	if (!num_parse_u64(span_str(text), INT32_MAX, &pid) || pid < 2)
		return -ctl_complain(EX_DATAERR, "'%s' has no process id in it", path);

	const int fd = pidfd_open((pid_t)pid, 0);

	(void)snprintf(comm_path, sizeof(comm_path), "/proc/%llu/comm", (unsigned long long)pid);
	if (fd < 0 || read_word(comm_path, comm, sizeof(comm)) < 0 || strcmp(comm, SERVER) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return -ctl_complain(EX_UNAVAILABLE,
				     "the server is not running: '%s' is from another time", path);
	}
	return fd;
}

static int signal_server(const struct ctl *ctl, int number, int *ret_fd)
{
	const int fd = find_server(ctl);

	if (fd < 0)
		return -fd;
	if (pidfd_send_signal(fd, number, NULL, 0) < 0) {
		const int status = errno == EPERM ? EX_NOPERM : EX_OSERR;

		(void)ctl_complain(status, "cannot signal the server: %s", strerror(errno));
		(void)close(fd);
		return status;
	}
	*ret_fd = fd;
	return EX_OK;
}

int ctl_reload(struct ctl *ctl)
{
	int fd;
	const int status = signal_server(ctl, SIGHUP, &fd);

	if (status == EX_OK)
		(void)close(fd);
	return status;
}

int ctl_upgrade(struct ctl *ctl)
{
	int fd;
	const int status = signal_server(ctl, SIGUSR2, &fd);

	if (status == EX_OK)
		(void)close(fd);
	return status;
}

int ctl_stop(struct ctl *ctl)
{
	int fd;
	const int status = signal_server(ctl, SIGTERM, &fd);

	if (status != EX_OK)
		return status;

	/* Sessions have the time to end that the configuration gives them, and some to spare. */
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const int ready = poll(&p, 1, (int)(ctl->config.drain_timeout + 10) * 1000);

	(void)close(fd);
	if (ready == 1)
		return EX_OK;
	return ctl_complain(EX_TEMPFAIL, "the server was told to stop, and still runs");
}

static void count(void *arg, const char *name)
{
	(void)name;
	++*(size_t *)arg;
}

/* Whether all can be asked now. Nobody is called so (RFC 2606). */
static bool all_answer(struct userdb *db)
{
	struct user_record record;

	return databases_find(db, "restantectl-config-check@invalid", &record) != USERDB_AWAY;
}

/* The configuration was read already, or nothing would have come here. */
int ctl_config_check(struct ctl *ctl)
{
	bool noticed = false;
	int status;
	size_t n = 0;
	struct userdb *db = databases_open(ctl, &noticed, &status);

	for (unsigned i = 0; config_warning(&ctl->config, i) != NULL; i++)
		(void)ctl_complain(0, "%s: %s", ctl->config_path, config_warning(&ctl->config, i));
	if (db == NULL)
		return EX_CONFIG;
	if (userdb_fd(db) >= 0 && !all_answer(db)) {
		userdb_free(db);
		return ctl_complain(EX_TEMPFAIL, "not every database of users can be asked now");
	}
	if (userdb_list(db, count, &n, NULL) == 0)
		(void)printf("%s: OK, %zu users\n", ctl->config_path, n);
	else
		(void)printf("%s: OK\n", ctl->config_path);
	userdb_free(db);
	return noticed ? EX_CONFIG : ctl_printed();
}
