/* SPDX-License-Identifier: MIT */
/*
 * line.h - takes command lines off the front of what has arrived. CRLF ends a
 * line, and so does a bare LF: nothing but commands is read with it, never mail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum line_status {
	LINE_MORE,     /* no whole line yet: what is left in *in must be there again next time */
	LINE_GOT,      /* *ret_line is the line, without its end */
	LINE_TOO_LONG, /* reply once, and go on: the rest of that line will be passed over */
};

/*
 * Set max, zero the rest. max is the longest line in octets, its end included;
 * it may be changed between two lines, which is never before line_skip_rest(). A caller whose
 * buffer holds max octets is never stuck: when it is full, there is a line or an error in it.
 */
struct line_reader {
	size_t max;
	bool _skipping; /* in a line that was too long, until its LF */
};

/*
 * On LINE_GOT the line is a part of the caller's input, and lives as long as
 * that. It may be empty and may hold any octet but LF. On any other status
 * *ret_line is untouched.
 */
enum line_status line_take(struct line_reader *l, struct span *in, struct span *ret_line);

/*
 * Passes over the rest of a line that was too long; false when its end isn't in *in.
 * line_take() does so too, but a caller that sets max by what a line begins with must
 * do it before it looks: the rest could begin with anything.
 */
bool line_skip_rest(struct line_reader *l, struct span *in);
