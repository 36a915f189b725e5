/* SPDX-License-Identifier: MIT */
/*
 * rand.h - random octets from the kernel, fit for keys, nonces and names.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Never fails: a kernel without getrandom(2) ends the process at the first call. */
void rand_fill(void *p, size_t n);
uint64_t rand_u64(void);
