/* SPDX-License-Identifier: MIT */
#include "base/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int read_open(int fd, const char *path, size_t max, struct text_file *ret_file,
		     struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: not a file with text", path);

	/* One octet more than there may be, and the NUL. */
	char *const text = malloc(max + 2);

	if (text == NULL)
		return err_sys(err, ENOMEM, "cannot read '%s'", path);

	const ssize_t n = read_all(fd, text, max + 1);
	int r = 0;

	if (n < 0) {
		r = err_sys(err, (int)-n, "cannot read '%s'", path);
	} else if ((size_t)n > max) {
		r = err_set(err, EINVAL, "%s: longer than %zu octets", path, max);
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
		.others_may = (st.st_mode & 077) != 0,
	};
	return 0;
}

int text_file_read(const char *path, size_t max, struct text_file *ret_file, struct err *err)
{
	/* Opening a FIFO would wait for a writer. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", path);

	const int r = read_open(fd, path, max, ret_file, err);

	(void)close(fd);
	return r;
}
