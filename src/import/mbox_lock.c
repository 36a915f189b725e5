/* SPDX-License-Identifier: MIT */
#include "import/mbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/span.h"

#define AGAIN_MS 50

/* Its first line is who made it; nobody of that number is there any more. */
static bool is_stale(const char *path)
{
	char text[32];
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct span line = span_of(text, n < 0 ? 0 : (size_t)n);
	uint64_t pid;

	if (fd >= 0)
		(void)close(fd);
	line.n = span_find(line, '\n');
	return num_parse_u64(line, INT32_MAX, &pid) && pid > 0 && kill((pid_t)pid, 0) < 0 &&
	       errno == ESRCH;
}

/* False: somebody has it. Where we may not make one, others have to do. */
static bool take_dot(struct mbox_lock *l)
{
	char pid[24];
	int fd = open(l->_dot_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	int n;

	if (fd < 0)
		return errno != EEXIST;
	l->_dot = true;
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* Who can't read it waits until it is old. */
	(void)!write(fd, pid, (size_t)n);
	(void)close(fd);
	return true;
}

static bool take_fcntl(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

static bool take_flock(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* All of them or none: to wait for one with another in the hand is how two wait for ever. */
static const char *try(struct mbox_lock *l)
{
	struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (!take_dot(l)) {
		if (is_stale(l->_dot_path))
			(void)unlink(l->_dot_path);
		return l->_dot_path;
	}
	if (!take_fcntl(l->fd)) {
		mbox_unlock(l);
		return "a lock by fcntl";
	}
	if (!take_flock(l->fd)) {
		(void)fcntl(l->fd, F_SETLK, &unlock);
		mbox_unlock(l);
		return "a lock by flock";
	}
	return NULL;
}

int mbox_lock(struct mbox_lock *l, int fd, const char *path, int timeout_ms, struct err *err)
{
	const uint64_t deadline = clock_mono_ms() + (uint64_t)timeout_ms;
	const char *who;

	l->fd = fd;
	l->_dot = false;
	(void)snprintf(l->_dot_path, sizeof(l->_dot_path), "%s.lock", path);
	while ((who = try(l)) != NULL) {
		if (clock_mono_ms() >= deadline)
			return err_set(err, EAGAIN, "'%s' is in use: %s", path, who);
		(void)usleep(AGAIN_MS * 1000);
	}
	return 0;
}

void mbox_unlock(struct mbox_lock *l)
{
	if (l->_dot)
		(void)unlink(l->_dot_path);
	l->_dot = false;
}
