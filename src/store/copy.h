/* SPDX-License-Identifier: MIT */
/*
 * copy.h - a message with something in front, from one file into another.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

/*
 * Writes prefix and then the first octets of from into the empty file to. Inside
 * the kernel where it can (on some file systems the blocks are then shared). 0 or
 * negative errno; -ENODATA when from is shorter.
 */
int copy_message(int to, struct span prefix, int from, uint64_t octets);
