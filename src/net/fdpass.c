/* SPDX-License-Identifier: MIT */
#include "net/fdpass.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Room for more descriptors than are wanted. The kernel installs as many as fit
 * and drops the rest: with room for two, "more than one" shows without relying on
 * MSG_CTRUNC alone, which alignment makes fuzzy for the second one.
 */
#define FD_ROOM 2

int fdpass_send(int socket, const void *p, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);

		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	for (;;) {
		if (sendmsg(socket, &msg, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* Collects every descriptor that came: returns how many, keeps the first, closes the others. */
static int take_fds(struct msghdr *msg, int *ret_fd)
{
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;

		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count++ == 0)
				*ret_fd = fd;
			else
				(void)close(fd);
		}
	}
	return count;
}

ssize_t fdpass_recv(int socket, void *p, size_t max, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FD_ROOM)];
	} control;
	struct iovec iov = {.iov_base = p, .iov_len = max};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	*ret_fd = -1;
	do {
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;

	const int fds = take_fds(&msg, ret_fd);

	/* There was room, and still it was cut off: we may not have one more. */
	if (fds == 0 && (msg.msg_flags & MSG_CTRUNC) != 0)
		return -EMFILE;
	if (fds > 1 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		if (*ret_fd >= 0)
			(void)close(*ret_fd);
		*ret_fd = -1;
		return -EBADMSG;
	}
	if (n == 0 && *ret_fd >= 0) {
		/* An empty packet looks like the end; with a descriptor it is nonsense. */
		(void)close(*ret_fd);
		*ret_fd = -1;
	}
	return n;
}
