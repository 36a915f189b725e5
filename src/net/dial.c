/* SPDX-License-Identifier: MIT */
#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dial_proxy.h"
#include "net/resolve.h"
#include "net/wait.h"

/* A name can have any number; nobody waits for more. */
#define ADDRESSES_MAX 16

/* RFC 8305 section 5: "Connection Attempt Delay". */
#define NEXT_ATTEMPT_MS 250

/* Those that are tried at the same time, each in fds from 1 on. */
struct attempts {
	const struct addrinfo *addresses[ADDRESSES_MAX]; /* in the order in which they are tried */
	unsigned n;
	unsigned next; /* the first one not tried */
	struct pollfd fds[1 + ADDRESSES_MAX];
	unsigned fds_n;
	int error; /* the negative errno that says most; 0: no address has failed */
};

/* RFC 8305 section 4: families take turns, and IPv6 begins. */
static void sort(struct attempts *a, const struct addrinfo *list)
{
	const struct addrinfo *next[2] = {list, list};

	for (unsigned turn = 0; a->n < ADDRESSES_MAX; turn++) {
		const struct addrinfo **const at = &next[turn % 2];
		const bool v6 = turn % 2 == 0;

		while (*at != NULL && ((*at)->ai_family == AF_INET6) != v6)
			*at = (*at)->ai_next;
		if (*at != NULL) {
			a->addresses[a->n++] = *at;
			*at = (*at)->ai_next;
		}
		if (next[0] == NULL && next[1] == NULL)
			return;
	}
}

/* What a host has said tells more than that there is no way to one. */
static void failed(struct attempts *a, int error)
{
	const bool no_way = a->error == -ENETUNREACH || a->error == -EHOSTUNREACH ||
			    a->error == -EAFNOSUPPORT || a->error == -EADDRNOTAVAIL;

	if (a->error == 0 || no_way)
		a->error = error;
}

static int open_socket(int family)
{
	const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return -errno;
	/* Commands are short, and a peer that has gone shall be noticed; neither is worth failing.
	 */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return fd;
}

/* Begins the next attempt that doesn't fail at once. A descriptor that is connected, or -1. */
static int try_next(struct attempts *a)
{
	while (a->next < a->n) {
		const struct addrinfo *const address = a->addresses[a->next++];
		const int fd = open_socket(address->ai_family);

		if (fd < 0) {
			failed(a, fd);
			continue;
		}
		if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
			return fd;
		if (errno == EINPROGRESS) {
			a->fds[a->fds_n++] = (struct pollfd){.fd = fd, .events = POLLOUT};
			return -1;
		}
		failed(a, -errno);
		(void)close(fd);
	}
	return -1;
}

/* Takes the attempts that have ended out. A descriptor that is connected, or -1. */
static int collect(struct attempts *a)
{
	unsigned i = 1;

	while (i < a->fds_n) {
		int error = 0;
		socklen_t n = sizeof(error);

		if (a->fds[i].revents == 0) {
			i++;
			continue;
		}

		const int fd = a->fds[i].fd;

		a->fds[i] = a->fds[--a->fds_n];
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
			error = errno;
		if (error == 0)
			return fd;
		failed(a, -error);
		(void)close(fd);
	}
	return -1;
}

/* A descriptor, or negative errno. */
static int race(struct attempts *a, uint64_t until_ms)
{
	uint64_t next_ms = 0; /* when one more is tried beside those that are under way */

	for (;;) {
		const uint64_t now = clock_mono_ms();
		int fd = -1;

		if (now >= next_ms) {
			fd = try_next(a);
			next_ms = now + NEXT_ATTEMPT_MS;
		}
		if (fd >= 0)
			return fd;
		if (a->fds_n == 1)
			return a->error;

		const bool more = a->next < a->n && next_ms < until_ms;
		const int r = wait_ready(a->fds, a->fds_n, more ? next_ms : until_ms);

		if (r == -ETIMEDOUT && more)
			continue;
		if (r < 0)
			return r;
		fd = collect(a);
		if (fd >= 0)
			return fd;
		/* One has failed, and nobody waits for its time to be over. */
		next_ms = 0;
	}
}

int dial(const struct dial_options *options, int *ret_fd, struct err *err)
{
	const uint64_t until_ms = clock_mono_ms() + options->timeout_ms;
	struct attempts a = {.fds = {{.fd = options->stop_fd, .events = POLLIN}}, .fds_n = 1};
	struct addrinfo *list;
	int r;

	assert(options->timeout_ms > 0);
	if (options->proxy != NULL && options->proxy[0] != '\0')
		return dial_proxy(options->proxy, options, ret_fd, err);
	r = resolve(options->host, options->port, until_ms, options->stop_fd, &list, err);
	if (r < 0)
		return r;
	sort(&a, list);
	r = race(&a, until_ms);
	while (a.fds_n > 1)
		(void)close(a.fds[--a.fds_n].fd);
	freeaddrinfo(list);
	if (r < 0)
		return err_sys(err, -r, "cannot connect to '%s' port %u", options->host,
			       options->port);
	*ret_fd = r;
	return 0;
}
