/* SPDX-License-Identifier: MIT */
/*
 * utf8.h - UTF-8 as RFC 3629 section 4 defines it: no overlong form, no surrogate,
 * nothing past U+10FFFF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/*
 * Octets of the character at the front, 2 to 4; 0 when it is ASCII, malformed, or
 * not all there.
 */
size_t utf8_length(struct span s);

/* All of it is UTF-8; ASCII is, and so is nothing. */
bool utf8_valid(struct span s);
