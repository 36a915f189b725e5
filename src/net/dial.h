/* SPDX-License-Identifier: MIT */
/*
 * dial.h - a TCP connection to a server by its name, for programs that give a
 * connection a thread of its own: it blocks, up to a time that the caller sets, and
 * may be stopped from outside.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct dial_options {
	const char *host;  /* a name, or an IPv4 or IPv6 address in figures */
	const char *proxy; /* as dial_proxy.h has it; NULL or "": none */
	uint16_t port;
	uint32_t timeout_ms; /* for resolving and connecting together; not 0 */
	int stop_fd;         /* as in stream.h; -1: nothing stops it */
};

/*
 * Resolves host and connects. A name with addresses of both families is tried as RFC
 * 8305 says, in short: families take turns, IPv6 first, and the next address is tried
 * 250 ms after the last one, or at once when that failed; who answers first is taken.
 *
 * *ret_fd is non-blocking, close-on-exec, with TCP_NODELAY and keep-alive: for
 * stream_open(). On failure *err names host and port:
 *
 *	-ENXIO       no such host, as the resolver says for certain
 *	-EAGAIN      the resolver can't say now
 *	-ETIMEDOUT   nobody has answered in time
 *	-ECANCELED   stop_fd
 *	-ECONNREFUSED …   what the first address said that can be reached at all
 *
 * and through a proxy what dial_proxy() says.
 *
 * BUGS: a resolver that hangs keeps one thread until it has given up, though dial()
 * returns in time.
 */
int dial(const struct dial_options *options, int *ret_fd, struct err *err);
