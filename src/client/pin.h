/* SPDX-License-Identifier: MIT */
/*
 * pin.h - the public keys that a server may have, whatever certificate says so: the
 * digests of their SubjectPublicKeyInfo (RFC 7469 section 2.4), written as curl does,
 * "sha256//" and base64, with ';' between several.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define PIN_OCTETS 32
#define PIN_TEXT_MAX 53 /* with the NUL */

/* Whether text is a list of pins; an empty one is. */
bool pin_check(struct span text);

/* Whether the list has that digest. */
bool pin_has(struct span text, const uint8_t digest[static PIN_OCTETS]);

/* "sha256//..." */
void pin_text(const uint8_t digest[static PIN_OCTETS], char ret_text[static PIN_TEXT_MAX]);
