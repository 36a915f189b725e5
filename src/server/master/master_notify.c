/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/master/master_priv.h"

/*
 * By hand: the protocol is one datagram, and libsystemd would bring decompressors and a
 * cryptographic library into the only process that stays root.
 */
void master_notify(const char *fmt, ...)
{
	const char *const path = getenv("NOTIFY_SOCKET");
	char state[512];
	va_list ap;
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;

	const size_t n = strlen(path);

	if (n >= sizeof(to.sun_path))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(state, sizeof(state), fmt, ap);
	va_end(ap);
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';

	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	/* Nobody waits for it but systemd, which notices by itself when it never comes. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	(void)close(fd);
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
