/* SPDX-License-Identifier: MIT */
/*
 * dial_proxy.h - a TCP connection to a server through a proxy: SOCKS5 (RFC 1928, 1929) or
 * HTTP's CONNECT (RFC 9110 section 9.3.6), by libcurl. The server's name is resolved by the
 * proxy, so that nobody here is asked for it.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "net/dial.h"

/*
 * "socks5://HOST", "socks5://USER:PASSWORD@HOST:PORT" or the same with "http". NULL, or what is
 * wrong with it.
 */
const char *dial_proxy_check(const char *proxy);

/*
 * As dial(). Errors name the server, and the proxy without its password:
 *
 *	-ENXIO        no such proxy, or it says for certain that there is no such server
 *	-EACCES       it wants a user or password, or refuses them, or this connection
 *	-ETIMEDOUT    not in time
 *	-ECANCELED    stop_fd
 *	-ENOMEM
 *	-EHOSTUNREACH whatever else went wrong
 */
int dial_proxy(const char *proxy, const struct dial_options *options, int *ret_fd, struct err *err);
