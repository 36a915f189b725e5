/* SPDX-License-Identifier: MIT */
/*
 * uidl_digest.h - a UIDL for what can't be one itself: '~' and 32 characters of base32
 * over SHA-256. The same for the same octets, always and everywhere.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

#define UIDL_DIGEST 33

/* Writes UIDL_DIGEST octets. False: no memory for the digest. */
bool uidl_digest(struct span s, char *out);
