/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/notify.h"
#include "server/master/master_priv.h"

void master_notify(const char *fmt, ...)
{
	char state[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(state, sizeof(state), fmt, ap);
	va_end(ap);
	notify_send(state);
}

int pid_file_write(const char *path, struct err *err)
{
	char text[32];
	int r = 0;

	if (path[0] == '\0')
		return 0;

	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			    (mode_t)0644);

	if (fd < 0)
		return err_sys(err, errno, "cannot write '%s'", path);
	(void)fchmod(fd, 0644);

	const int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (write(fd, text, (size_t)n) != n)
		r = err_sys(err, errno, "cannot write '%s'", path);
	(void)close(fd);
	return r;
}
