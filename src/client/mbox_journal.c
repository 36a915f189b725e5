/* SPDX-License-Identifier: MIT */
#include "client/mbox_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/folder.h"
#include "client/incoming.h"

static const char magic[8] = {'R', 's', 't', 'M', 'b', 'o', 'x', '1'};

#define CHUNK 65536

int mbox_journal_init(struct mbox_journal *j, const char *state_file, const char *identity,
		      struct err *err)
{
	struct message_key account;
	int n;

	memset(j, 0, sizeof(*j));
	if (!message_key_make(span_str(identity), SPAN_LIT("mbox"), NULL, 0, &account))
		return err_sys(err, ENOMEM, "cannot deliver");
	n = snprintf(j->draft, sizeof(j->draft), "%s.mbox-%02x%02x%02x%02x%02x%02x.tmp", state_file,
		     account.octets[0], account.octets[1], account.octets[2], account.octets[3],
		     account.octets[4], account.octets[5]);
	if ((size_t)n >= sizeof(j->draft))
		return err_sys(err, ENAMETOOLONG, "cannot make a file beside '%s'", state_file);
	(void)snprintf(j->path, sizeof(j->path), "%.*s", n - 4, j->draft);
	return 0;
}

void mbox_journal_close(struct mbox_journal *j)
{
	if (j->_fd != 0)
		(void)close(j->_fd - 1);
	j->_fd = 0;
}

int mbox_journal_begin(struct mbox_journal *j, struct err *err)
{
	int fd;

	mbox_journal_close(j);
	memset(&j->head, 0, sizeof(j->head));
	memcpy(j->head.magic, magic, sizeof(magic));
	fd = open(j->draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "cannot make '%s'", j->draft);
	j->_fd = fd + 1;
	if (lseek(fd, (off_t)sizeof(j->head), SEEK_SET) < 0)
		return err_sys(err, errno, "cannot write '%s'", j->draft);
	return 0;
}

int mbox_journal_add(struct mbox_journal *j, struct span text, struct err *err)
{
	const int r = incoming_write_all(j->_fd - 1, text);

	j->head.length += text.n;
	return r < 0 ? err_sys(err, -r, "cannot write '%s'", j->draft) : 0;
}

int mbox_journal_commit(struct mbox_journal *j, struct err *err)
{
	const int fd = j->_fd - 1;

	if (pwrite(fd, &j->head, sizeof(j->head), 0) != (ssize_t)sizeof(j->head))
		return err_sys(err, errno, "cannot write '%s'", j->draft);
	if (fsync(fd) < 0)
		return err_sys(err, errno, "cannot sync '%s'", j->draft);
	if (renameat(AT_FDCWD, j->draft, AT_FDCWD, j->path) < 0)
		return err_sys(err, errno, "cannot rename '%s'", j->draft);
	return folder_sync_above(j->path, err);
}

bool mbox_journal_read(struct mbox_journal *j)
{
	const int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return false;
	mbox_journal_close(j);
	j->_fd = fd + 1;
	return pread(fd, &j->head, sizeof(j->head), 0) == (ssize_t)sizeof(j->head) &&
	       memcmp(j->head.magic, magic, sizeof(magic)) == 0 && j->head.n > 0 &&
	       j->head.n <= MBOX_JOURNAL_MESSAGES &&
	       memchr(j->head.path, '\0', sizeof(j->head.path)) != NULL && fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_size == sizeof(j->head) + j->head.length;
}

/* Up to n octets of the text. */
static ssize_t read_text(const struct mbox_journal *j, uint64_t at, char *to, size_t n)
{
	const uint64_t left = j->head.length - at;
	ssize_t got;

	do {
		got = pread(j->_fd - 1, to, left < n ? (size_t)left : n,
			    (off_t)(sizeof(j->head) + at));
	} while (got < 0 && errno == EINTR);
	if (got == 0 && left > 0)
		errno = EIO;
	return got == 0 && left > 0 ? -1 : got;
}

int mbox_journal_append(struct mbox_journal *j, int fd)
{
	char chunk[CHUNK];
	ssize_t n;

	if (lseek(fd, (off_t)j->head.offset, SEEK_SET) < 0)
		return -errno;
	for (uint64_t at = 0; at < j->head.length; at += (uint64_t)n) {
		n = read_text(j, at, chunk, sizeof(chunk));
		if (n < 0)
			return -errno;

		const int r = incoming_write_all(fd, span_of(chunk, (size_t)n));

		if (r < 0)
			return r;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static size_t same(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

int mbox_journal_compare(struct mbox_journal *j, int fd, uint64_t *ret_same)
{
	char ours[CHUNK / 2];
	char theirs[CHUNK / 2];
	uint64_t at = 0;

	while (at < j->head.length) {
		const ssize_t n = read_text(j, at, ours, sizeof(ours));
		ssize_t m;
		size_t equal;

		if (n < 0)
			return -errno;
		m = pread(fd, theirs, (size_t)n, (off_t)(j->head.offset + at));
		if (m < 0 && errno == EINTR)
			continue;
		if (m < 0)
			return -errno;
		equal = same(ours, theirs, (size_t)m);
		at += equal;
		if (equal < (size_t)m || m == 0)
			break;
	}
	*ret_same = at;
	return 0;
}

void mbox_journal_forget(struct mbox_journal *j)
{
	mbox_journal_close(j);
	j->head.n = 0;
	(void)unlink(j->path);
	(void)unlink(j->draft);
}
