/* SPDX-License-Identifier: MIT */
/*
 * incoming.h - a message on its way from the server to where it is kept. It is written
 * into a file that nobody else reads, and is whole there before anything else is done
 * with it.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/message_key.h"

/* Zero it. Who has begun it says what ends it. */
struct incoming {
	struct message_key key; /* set before it is placed, as the next one */
	struct span uidl;       /* Borrowed */
	uint64_t bytes;         /* so far */
	uint64_t octets;        /* the same with each bare LF counted as CRLF */
	int _fd;                /* Owned, + 1 */
	uint32_t _number;       /* names its file, where that has a name */
	uint8_t _last;          /* octet, for bare LFs across calls */
};

/* These octets were added to it. */
void incoming_measure(struct incoming *in, struct span s);

/* Writes all of s, whatever signals come: 0 or negative errno. */
int incoming_write_all(int fd, struct span s);
