/* SPDX-License-Identifier: MIT */
/*
 * tcp_sent.h - what has become of the octets that were written to a TCP socket, as
 * the kernel sees it (TCP_INFO). It takes megabytes without a word of how many of
 * them the peer has got.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_sent {
	uint64_t acked; /* arrived at the peer's system since the connection began */
	bool pending;   /* others have not */
};

/* False, and nothing is changed, when the kernel doesn't say: for UNIX sockets. */
bool tcp_sent(int fd, struct tcp_sent *ret_sent);
