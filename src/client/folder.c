/* SPDX-License-Identifier: MIT */
#include "client/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_sync(int fd, const char *name, struct err *err)
{
	return fsync(fd) < 0 ? err_sys(err, errno, "cannot sync '%s'", name) : 0;
}

int folder_sync_above(const char *path, struct err *err)
{
	char above[PATH_MAX];
	const char *const slash = strrchr(path, '/');
	const size_t n = slash == NULL || slash == path ? 1 : (size_t)(slash - path);

	memcpy(above, slash == NULL ? "." : path, n);
	above[n] = '\0';

	const int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", above);

	const int r = folder_sync(fd, above, err);

	(void)close(fd);
	return r;
}

static int make_one(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return folder_sync_above(path, err);
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_sys(err, errno, "cannot make '%s'", path);
}

int folder_make(const char *path, struct err *err)
{
	char upto[PATH_MAX];
	const size_t n = strlen(path);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (n >= sizeof(upto))
		return err_sys(err, ENAMETOOLONG, "cannot make '%s'", path);
	for (size_t i = 1; i <= n; i++) {
		if ((i < n && path[i] != '/') || path[i - 1] == '/')
			continue;
		memcpy(upto, path, i);
		upto[i] = '\0';

		const int r = make_one(upto, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int folder_make_above(const char *path, struct err *err)
{
	char above[PATH_MAX];
	const char *const slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;

	const size_t n = (size_t)(slash - path);

	if (n >= sizeof(above))
		return err_sys(err, ENAMETOOLONG, "cannot make '%s'", path);
	memcpy(above, path, n);
	above[n] = '\0';
	return folder_make(above, err);
}
