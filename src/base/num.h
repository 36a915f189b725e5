/* SPDX-License-Identifier: MIT */
/*
 * num.h - the one way to read a number that somebody else wrote.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/*
 * Reads a decimal number: digits only, at least one, all of s, at most max.
 * Signs, spaces, "0x" and overflow are refused, and *ret_value is then untouched.
 * Leading zeros are read as RFC 1939's servers always have: "01" is 1.
 */
bool num_parse_u64(struct span s, uint64_t max, uint64_t *ret_value);
