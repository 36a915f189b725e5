/* SPDX-License-Identifier: MIT */
/*
 * wire_reader.h - reads a message that is to go to another server, with CR in front of each
 * LF that has none: as many octets as struct incoming's octets.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Set fd, and zero the rest. */
struct wire_reader {
	int fd;   /* Borrowed */
	bool _cr; /* the last octet was one */
	bool _lf; /* one is to be written yet */
	size_t _at;
	size_t _n; /* [_at, _n) was read and isn't given yet */
	char _buffer[16384];
};

/* Up to n octets; 0 at the end; negative errno. */
ssize_t wire_reader_read(struct wire_reader *r, char *to, size_t n);
