/* SPDX-License-Identifier: MIT */
/*
 * progress.h - one line on a terminal that shows how far it is:
 *
 *	work  [==========>         ]  271/500  12.4 of 22.9 MB  3.1 MB/s  0:04
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *name; /* Borrowed */
	int fd;           /* the terminal */
	size_t messages;  /* in all */
	uint64_t octets;
	size_t messages_come;
	uint64_t octets_come;
	uint64_t began_ms;
	uint64_t drawn_ms;
	bool drawn;
};

void progress_begin(struct progress *p, const char *name, int fd, size_t messages, uint64_t octets);

/* Draws, though not more often than can be seen. */
void progress_update(struct progress *p, size_t messages, uint64_t octets);

/* The line is empty again. Also for a zeroed one. */
void progress_clear(struct progress *p);

/*
 * The line itself, at most columns wide, for elapsed_ms since the beginning: what
 * there is no room for is left out, the bar first. NUL-terminated.
 */
#define PROGRESS_LINE_MAX 256
void progress_line(const struct progress *p, uint64_t elapsed_ms, size_t columns,
		   char ret_line[static PROGRESS_LINE_MAX]);

/* "12.4 MB", of 1000. */
#define PROGRESS_SIZE_MAX 16
void progress_size(uint64_t octets, char ret_text[static PROGRESS_SIZE_MAX]);
