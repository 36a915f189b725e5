/* SPDX-License-Identifier: MIT */
/*
 * resolve.h - names to addresses, in a time that the caller sets: getaddrinfo(3) itself
 * may take a minute, and no signal ends it.
 */
#pragma once

#include <netdb.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The addresses of host for TCP, at least one, in getaddrinfo's order (RFC 6724), for
 * freeaddrinfo(). An address in figures asks nobody.
 *
 * until_ms and stop_fd as in wait.h. -ENXIO, -EAGAIN, -ETIMEDOUT, -ECANCELED and others
 * as dial.h says, with *err naming host.
 *
 * A name is looked up by a thread of its own. It is left alone when time is over, and
 * ends when the resolver has given up.
 */
int resolve(const char *host, uint16_t port, uint64_t until_ms, int stop_fd,
	    struct addrinfo **ret_addresses, struct err *err);
