/* SPDX-License-Identifier: MIT */
#include "client/mbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "net/wait.h"
#include "client/folder.h"
#include "client/incoming.h"

#define RETRY_MS 200
#define STALE_SECONDS 3600

/* What must not be written to: 0, or -EINVAL said. */
static int check(const struct mbox_file *m, struct err *err)
{
	static const char from[] = "From ";
	char begin[sizeof(from) - 1];
	struct stat st;
	ssize_t n;

	if (fstat(mbox_file_fd(m), &st) < 0)
		return err_sys(err, errno, "cannot look at '%s'", m->path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is no file", m->path);
	n = pread(mbox_file_fd(m), begin, sizeof(begin), 0);
	if (n < 0)
		return err_sys(err, errno, "cannot read '%s'", m->path);
	if (n > 0 && (n < (ssize_t)sizeof(begin) || memcmp(begin, from, sizeof(begin)) != 0))
		return err_set(err, EINVAL, "'%s' is a file of something else and no mbox",
			       m->path);
	return 0;
}

static int open_file(struct mbox_file *m, bool make, struct err *err)
{
	const int fd = open(
		m->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (make ? O_CREAT : 0), 0600);

	if (fd < 0 && errno == EISDIR)
		return err_set(err, EINVAL, "'%s' is a folder and no mbox", m->path);
	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", m->path);
	m->_fd = fd + 1;
	return check(m, err);
}

/* It belongs to the open file, so threads exclude each other too. */
static int lock_whole(const struct mbox_file *m)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(mbox_file_fd(m), F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

/* Somebody may have put another file in its place while we waited. */
static bool is_same(const struct mbox_file *m)
{
	struct stat ours;
	struct stat there;

	return fstat(mbox_file_fd(m), &ours) == 0 && stat(m->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static bool is_stale(const char *path)
{
	char text[32];
	struct stat st;
	uint64_t pid;
	ssize_t n;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	n = fstat(fd, &st) < 0 ? -1 : read(fd, text, sizeof(text));
	(void)close(fd);
	if (n < 0)
		return false;
	if (st.st_mtime + STALE_SECONDS < time(NULL))
		return true;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	/* Without a number nobody knows whose it is. */
	if (!num_parse_u64(span_of(text, (size_t)n), INT32_MAX, &pid) || pid == 0)
		return false;
	/* Ours was to be removed, and that failed: the other lock says that nobody has it. */
	return (pid_t)pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

static int put_pid(int fd)
{
	char pid[24];
	const int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	return incoming_write_all(fd, span_of(pid, (size_t)n));
}

/*
 * It appears with the number in it: one that was left empty by a program that was killed
 * would be nobody's, and lock for an hour. 0 or a negative errno.
 */
static int make_named(const struct mbox_file *m)
{
	const char *const slash = strrchr(m->path, '/');
	char folder[PATH_MAX];
	char from[64];
	int fd;
	int r;

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - m->path) + 1, m->path);
	fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	r = put_pid(fd);
	if (r == 0 && linkat(AT_FDCWD, from, AT_FDCWD, m->_dotlock, AT_SYMLINK_FOLLOW) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* For file systems that have no files without names. */
static int make_plain(const struct mbox_file *m)
{
	const int fd = open(m->_dotlock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			    0600);

	if (fd < 0)
		return -errno;
	/* It locks also without saying whose it is. */
	(void)put_pid(fd);
	(void)close(fd);
	return 0;
}

/*
 * With the other lock held: no two of us look at the same stale file. Where none can be
 * made (/var/mail belongs to others), the other lock has to do.
 */
static int lock_beside(struct mbox_file *m)
{
	int r;

	if ((size_t)snprintf(m->_dotlock, sizeof(m->_dotlock), "%s.lock", m->path) >=
	    sizeof(m->_dotlock))
		return 0;
	if (is_stale(m->_dotlock))
		(void)unlink(m->_dotlock);
	r = make_named(m);
	if (r == -EOPNOTSUPP || r == -EISDIR)
		r = make_plain(m);
	m->_dotted = r == 0;
	if (r == -EEXIST)
		return -EBUSY;
	return r == -ENOSPC || r == -EDQUOT || r == -EFBIG || r == -EIO ? r : 0;
}

/* Both locks, or -EBUSY and none of them. */
static int try(struct mbox_file *m, bool make, struct err *err)
{
	int r = open_file(m, make, err);

	if (r < 0)
		return r;
	r = lock_whole(m);
	if (r == 0 && !is_same(m))
		r = -EBUSY;
	if (r == 0)
		r = lock_beside(m);
	return r < 0 && r != -EBUSY ? err_sys(err, -r, "cannot lock '%s'", m->path) : r;
}

int mbox_file_open(struct mbox_file *m, const char *path, bool make, uint32_t timeout_ms,
		   int stop_fd, struct err *err)
{
	const uint64_t until_ms = clock_mono_ms() + timeout_ms;
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
	int r = make ? folder_make_above(path, err) : 0;

	*m = (struct mbox_file){.path = path};
	if (r < 0)
		return r;
	while ((r = try(m, make, err)) == -EBUSY) {
		mbox_file_close(m);
		if (clock_mono_ms() >= until_ms)
			return err_set(err, EHOSTDOWN, "another program keeps '%s' locked", path);
		if (wait_ready(&stop, 1, clock_mono_ms() + RETRY_MS) == -ECANCELED)
			return err_set(err, ECANCELED, "stopped");
	}
	if (r < 0)
		mbox_file_close(m);
	return r;
}

void mbox_file_close(struct mbox_file *m)
{
	if (m->_dotted)
		(void)unlink(m->_dotlock);
	m->_dotted = false;
	if (m->_fd != 0)
		(void)close(m->_fd - 1);
	m->_fd = 0;
}
