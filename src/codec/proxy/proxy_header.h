/* SPDX-License-Identifier: MIT */
/*
 * proxy_header.h - what a proxy says about a connection before the client's first
 * octet: the PROXY protocol, versions 1 (a line) and 2 (binary), as HAProxy's
 * proxy-protocol.txt has it.
 *
 * Bytes in, an answer out. Nothing here allocates, blocks, logs or keeps state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Version 1 with its CRLF. Of version 2, what is looked at is never longer. */
#define PROXY_HEADER_MAX 107

enum proxy_status {
	PROXY_MORE, /* all of in belongs to the header: call again when there is more */
	PROXY_DONE,
	PROXY_BAD, /* this is no such header */
};

enum proxy_family {
	PROXY_LOCAL,   /* the proxy speaks for itself (a health check) */
	PROXY_UNKNOWN, /* for somebody whose address it doesn't say, or not in TCP */
	PROXY_INET,
	PROXY_INET6,
};

/* Who connected with the proxy. */
struct proxy_header {
	enum proxy_family family;
	uint8_t address[16]; /* in network order; INET: the first four octets */
	uint16_t port;
	size_t octets;  /* of in that are the header, as far as it was looked at … */
	uint32_t extra; /* … and so many follow that are to be skipped: TLVs */
};

/*
 * Reads a header from its first octet. On PROXY_DONE *ret is set, and octets is at
 * most in.n; otherwise *ret is untouched. However a stream is cut, the answer is the
 * same: a prefix of a header is PROXY_MORE.
 *
 * PROXY_MORE never comes for PROXY_HEADER_MAX octets. A version 1 line is taken by
 * the letter: single spaces, CRLF, ports without leading zeros.
 */
enum proxy_status proxy_header_parse(struct span in, struct proxy_header *ret);
