/* SPDX-License-Identifier: MIT */
#include "base/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

/* All there is, up to max octets. Negative errno on failure. */
static ssize_t read_all(int fd, char *to, size_t max)
{
	size_t n = 0;

	while (n < max) {
		const ssize_t got = read(fd, to + n, max - n);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int read_open(int fd, const char *path, size_t max, const struct stat *st,
		     struct text_file *ret_file, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, EINVAL, "%s: not a file with text", path);
	if ((uint64_t)st->st_size > max)
		return err_set(err, EINVAL, "%s: longer than %zu octets", path, max);

	/* One octet more than there should be, and the NUL. */
	const size_t size = (size_t)st->st_size;
	char *const text = malloc(size + 2);

	if (text == NULL)
		return err_sys(err, ENOMEM, "cannot read '%s'", path);

	const ssize_t n = read_all(fd, text, size + 1);
	int r = 0;

	if (n < 0) {
		r = err_sys(err, (int)-n, "cannot read '%s'", path);
	} else if ((size_t)n > size) {
		r = err_set(err, EAGAIN, "%s: changed while it was read", path);
	} else if (memchr(text, '\0', (size_t)n) != NULL) {
		r = err_set(err, EINVAL, "%s: not a text file", path);
	}
	if (r < 0) {
		if (n > 0)
			secret_wipe(text, (size_t)n);
		free(text);
		return r;
	}
	text[n] = '\0';
	*ret_file = (struct text_file){
		.text = text,
		.n = (size_t)n,
		.others_may = (st->st_mode & 077) != 0,
	};
	return 0;
}

/* Opens and reads it; *ret_st is the file's. */
static int read_path(const char *path, size_t max, struct stat *ret_st, struct text_file *ret_file,
		     struct err *err)
{
	/* Opening a FIFO would wait for a writer. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", path);

	const int r = fstat(fd, ret_st) < 0 ? err_sys(err, errno, "cannot read '%s'", path)
					    : read_open(fd, path, max, ret_st, ret_file, err);

	(void)close(fd);
	return r;
}

int text_file_read(const char *path, size_t max, struct text_file *ret_file, struct err *err)
{
	struct stat st;

	return read_path(path, max, &st, ret_file, err);
}

int text_file_reread(struct text_file_seen *seen, const char *path, size_t max,
		     struct text_file *ret_file, struct err *err)
{
	/* Before the file is looked at: what changes meanwhile is seen the next time. */
	const uint64_t now = clock_wall_ns();
	struct stat st;

	if (seen->settled && stat(path, &st) == 0) {
		const struct file_mark mark = file_mark_of(&st);

		if (file_mark_same(&mark, &seen->mark))
			return 0;
	}

	const int r = read_path(path, max, &st, ret_file, err);

	*seen = (struct text_file_seen){0};
	if (r < 0)
		return r;
	seen->mark = file_mark_of(&st);
	seen->settled = file_mark_is_settled(&seen->mark, now);
	return 1;
}
