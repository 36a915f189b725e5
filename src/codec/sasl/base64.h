/* SPDX-License-Identifier: MIT */
/*
 * base64.h - base64 as SASL wants it (RFC 4648 section 4): with padding, without
 * line ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/out.h"
#include "base/span.h"

/* Octets that n octets become, and the most that n octets can have been. */
#define BASE64_ENCODED(n) (((n) + 2) / 3 * 4)
#define BASE64_DECODED(n) ((n) / 4 * 3)

/* Appends s in base64. False, and nothing appended, without room for BASE64_ENCODED(s.n). */
bool base64_encode(struct out *out, struct span s);

enum base64_status {
	BASE64_OK,
	BASE64_BAD,     /* what no encoder writes: other characters, padding or bits left over */
	BASE64_NO_ROOM, /* well-formed, but too long for *out */
};

/* Appends what s stands for. Nothing is appended unless it is BASE64_OK. */
enum base64_status base64_decode(struct out *out, struct span s);
