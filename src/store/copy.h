/* SPDX-License-Identifier: MIT */
/*
 * copy.h - a message with something put into it, from one file into another.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "store/store.h"

/*
 * Writes the message in from into the empty file to, with prefix where info says.
 * Inside the kernel where it can (on some file systems the blocks are then
 * shared). 0 or negative errno; -ENODATA when from is shorter than info says.
 */
int copy_message(int to, struct span prefix, int from, const struct delivery_info *info);
