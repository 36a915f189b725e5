/* SPDX-License-Identifier: MIT */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

struct place {
	union address address;
	socklen_t n;
	bool dual; /* an IPv6 socket that takes IPv4 too */
};

static bool parse_tcp(const char *host, uint16_t port, struct place *ret)
{
	*ret = (struct place){0};
	if (strcmp(host, "*") == 0) {
		ret->dual = true;
		ret->address.v6.sin6_family = AF_INET6;
		ret->address.v6.sin6_addr = in6addr_any;
	} else if (inet_pton(AF_INET6, host, &ret->address.v6.sin6_addr) == 1) {
		ret->address.v6.sin6_family = AF_INET6;
	} else if (inet_pton(AF_INET, host, &ret->address.v4.sin_addr) == 1) {
		ret->address.v4.sin_family = AF_INET;
		ret->address.v4.sin_port = htons(port);
		ret->n = sizeof(ret->address.v4);
		return true;
	} else {
		return false;
	}
	ret->address.v6.sin6_port = htons(port);
	ret->n = sizeof(ret->address.v6);
	return true;
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Listening when reuse_port is set, else only bound: a look at whether the place is free. */
static int bind_tcp(const struct place *place, bool reuse_port, int *ret_fd)
{
	const int fd = socket(place->address.any.sa_family,
			      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return -errno;
	r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && reuse_port)
		r = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && place->address.any.sa_family == AF_INET6)
		r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, place->dual ? 0 : 1);
	/* Accepted sockets inherit these: no call for each connection. */
	if (r == 0)
		r = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r == 0)
		r = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (r == 0 && bind(fd, &place->address.any, place->n) < 0)
		r = -errno;
	if (r == 0 && reuse_port && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* A machine without IPv6 has "*" all the same. */
static int fall_back_to_v4(struct place *place)
{
	const in_port_t port = place->address.v6.sin6_port;

	if (!place->dual)
		return -EAFNOSUPPORT;
	*place = (struct place){
		.address.v4 = {.sin_family = AF_INET, .sin_port = port},
		.n = sizeof(place->address.v4),
	};
	return 0;
}

static bool no_such_family(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL;
}

static int bind_all(struct place *place, int *fds, unsigned n)
{
	int probe;
	int r = bind_tcp(place, false, &probe);

	if (no_such_family(r) && fall_back_to_v4(place) == 0)
		r = bind_tcp(place, false, &probe);
	if (r < 0)
		return r;
	(void)close(probe);

	for (unsigned i = 0; i < n; i++) {
		r = bind_tcp(place, true, &fds[i]);
		if (r < 0) {
			while (i > 0)
				(void)close(fds[--i]);
			return r;
		}
		if (i == 0) {
			const in_port_t port = htons(listen_port(fds[0]));

			if (place->address.any.sa_family == AF_INET6)
				place->address.v6.sin6_port = port;
			else
				place->address.v4.sin_port = port;
		}
	}
	return 0;
}

int listen_tcp(const char *host, uint16_t port, int *ret_fds, unsigned n, struct err *err)
{
	struct place place;

	if (!parse_tcp(host, port, &place))
		return err_set(err, EINVAL, "'%s' is not a numeric address", host);

	const int r = bind_all(&place, ret_fds, n);

	return r < 0 ? err_sys(err, -r, "cannot listen on '%s' port %u", host, port) : 0;
}

static int get_int(int fd, int name)
{
	int value = -1;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &n) < 0 ? -1 : value;
}

/* The same for both families: "*" is the socket that takes both. */
static bool name_of(int fd, const struct place *at, char *ret_host, size_t cap, uint16_t *ret_port)
{
	const size_t path = at->n > offsetof(struct sockaddr_un, sun_path)
				    ? at->n - offsetof(struct sockaddr_un, sun_path)
				    : 0;
	int only_v6 = 1;
	socklen_t n = sizeof(only_v6);

	*ret_port = listen_port(fd);
	switch (at->address.any.sa_family) {
	case AF_INET:
		return inet_ntop(AF_INET, &at->address.v4.sin_addr, ret_host, (socklen_t)cap) !=
		       NULL;
	case AF_INET6:
		(void)getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &n);
		if (IN6_IS_ADDR_UNSPECIFIED(&at->address.v6.sin6_addr) && only_v6 == 0)
			return snprintf(ret_host, cap, "*") == 1;
		return inet_ntop(AF_INET6, &at->address.v6.sin6_addr, ret_host, (socklen_t)cap) !=
		       NULL;
	case AF_UNIX:
		/* A name that begins with NUL is no path. */
		if (path == 0 || path >= cap || at->address.un.sun_path[0] != '/')
			return false;
		memcpy(ret_host, at->address.un.sun_path, path);
		ret_host[path] = '\0';
		return true;
	default:
		return false;
	}
}

int listen_adopt(int fd, char *ret_host, size_t cap, uint16_t *ret_port, struct err *err)
{
	struct place at = {.n = sizeof(at.address)};
	const int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || get_int(fd, SO_TYPE) != SOCK_STREAM || get_int(fd, SO_ACCEPTCONN) != 1 ||
	    getsockname(fd, &at.address.any, &at.n) < 0 ||
	    !name_of(fd, &at, ret_host, cap, ret_port))
		return err_set(err, EINVAL, "descriptor %d is no socket to listen on", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot take over descriptor %d", fd);
	if (at.address.any.sa_family != AF_UNIX) {
		int r = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);

		if (r == 0)
			r = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		if (r < 0)
			return err_sys(err, -r, "cannot take over descriptor %d", fd);
	}
	return 0;
}

uint16_t listen_port(int fd)
{
	union address address;
	socklen_t n = sizeof(address);

	if (getsockname(fd, &address.any, &n) < 0)
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.v4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

/* 0 when the path is free, or was a socket that nobody listens on and is gone now. */
static int make_room(const struct place *place, int type, struct err *err)
{
	const char *const path = place->address.un.sun_path;
	struct stat st;
	int r = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "'%s' is there and is not a socket", path);

	const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(err, errno, "cannot make a socket");
	if (connect(fd, &place->address.any, place->n) == 0 || errno == EAGAIN)
		r = err_set(err, EADDRINUSE, "somebody listens on '%s' already", path);
	else if (errno != ECONNREFUSED)
		r = err_sys(err, errno, "cannot tell who listens on '%s'", path);
	else if (unlink(path) < 0 && errno != ENOENT)
		r = err_sys(err, errno, "cannot replace '%s'", path);
	(void)close(fd);
	return r;
}

static int bind_unix(const char *path, int type, mode_t mode, gid_t group, int *ret_fd,
		     struct err *err)
{
	struct place place = {.address.un.sun_family = AF_UNIX, .n = sizeof(place.address.un)};
	int r;

	if (strlen(path) >= sizeof(place.address.un.sun_path))
		return err_set(err, ENAMETOOLONG,
			       "the socket's path '%s' is longer than %zu octets", path,
			       sizeof(place.address.un.sun_path) - 1);
	memcpy(place.address.un.sun_path, path, strlen(path) + 1);
	r = make_room(&place, type, err);
	if (r < 0)
		return r;

	const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(err, errno, "cannot make a socket");

	/* Nobody may connect before owner and mode are what they shall be. */
	const mode_t old = umask(0777);
	const int bound = bind(fd, &place.address.any, place.n);
	const int bind_errno = errno;

	(void)umask(old);
	if (bound < 0) {
		r = err_sys(err, bind_errno, "cannot bind '%s'", path);
		goto close;
	}
	if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0) {
		r = err_sys(err, errno, "cannot give '%s' to its group", path);
		goto unlink;
	}
	if (chmod(path, mode & 0777) < 0) {
		r = err_sys(err, errno, "cannot set the mode of '%s'", path);
		goto unlink;
	}
	if (listen(fd, BACKLOG) < 0) {
		r = err_sys(err, errno, "cannot listen on '%s'", path);
		goto unlink;
	}
	*ret_fd = fd;
	return 0;

unlink:
	(void)unlink(path);
close:
	(void)close(fd);
	return r;
}

int listen_unix(const char *path, mode_t mode, gid_t group, int *ret_fd, struct err *err)
{
	return bind_unix(path, SOCK_STREAM, mode, group, ret_fd, err);
}

int listen_unix_packets(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	return bind_unix(path, SOCK_SEQPACKET, mode, (gid_t)-1, ret_fd, err);
}
