/* SPDX-License-Identifier: MIT */
/*
 * import_text.h - a message on its way into a maildrop's file: every line end becomes CRLF,
 * the last line gets one, and all else stays as it is, NUL and bare CR too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "codec/dot.h"

/* Large: not for the stack. Zeroed by import_text_begin(). */
struct import_text {
	int fd; /* Borrowed */
	bool _was_cr;
	int _failed;
	struct dot_measure _measure;
	size_t _n;
	char _buf[1 << 16];
};

void import_text_begin(struct import_text *t, int fd);

/* What goes wrong is remembered and said by import_text_end(). */
void import_text_put(struct import_text *t, struct span text);

/* 0, or what went wrong with writing it. */
int import_text_end(struct import_text *t, uint64_t *ret_octets, uint64_t *ret_dot_lines);
