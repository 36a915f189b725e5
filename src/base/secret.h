/* SPDX-License-Identifier: MIT */
/*
 * secret.h - passwords and keys: wiped after use, compared in constant time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Overwrites n octets in a way the compiler may not leave out. NULL is fine. */
void secret_wipe(void *p, size_t n);

/* True when the n octets are equal. Takes the same time wherever they differ. */
bool secret_equal(const void *a, const void *b, size_t n);
