/* SPDX-License-Identifier: MIT */
/*
 * listen.h - bound and listening sockets: TCP over IPv4 and IPv6, and UNIX.
 *
 * The master calls these while it may still bind low ports. All descriptors are
 * close-on-exec and non-blocking; those accepted from a TCP socket have
 * TCP_NODELAY and keep-alive from it.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Listens on a numeric address, or "*" for every address of both families, with
 * n sockets that share the port (SO_REUSEPORT): the kernel spreads connections
 * over them. Port 0 takes a free one, the same for all n.
 *
 * SO_REUSEPORT lets another process of the same user bind the port as well, and
 * half the connections would go there; so -EADDRINUSE when anybody listens there
 * already. -EINVAL for a host that is no address. All or none of ret_fds is set.
 */
int listen_tcp(const char *host, uint16_t port, int *ret_fds, unsigned n, struct err *err);

/*
 * Listens on a UNIX socket. A socket there that nobody listens on is replaced;
 * -EADDRINUSE when somebody does, -EEXIST when it is no socket. group is (gid_t)-1
 * to leave it. Changes the umask for a moment: call it before threads start.
 */
int listen_unix(const char *path, mode_t mode, gid_t group, int *ret_fd, struct err *err);

/* The same for packets that keep their bounds (SOCK_SEQPACKET), with its group left. */
int listen_unix_packets(const char *path, mode_t mode, int *ret_fd, struct err *err);

/*
 * Takes over a listening socket that somebody else has bound: sets what ours have, and
 * says where it is, as it would have been named: "*", an address, or a path with port 0.
 * -EINVAL for what is no listening stream socket with such an address.
 */
int listen_adopt(int fd, char *ret_host, size_t cap, uint16_t *ret_port, struct err *err);

/* The port that a TCP socket is bound to. 0 when it can't be told. */
uint16_t listen_port(int fd);
