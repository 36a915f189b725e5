/* SPDX-License-Identifier: MIT */
/*
 * app_password_use.h - when each application password was used last. A file beside that of
 * the passwords, with the suffix ".used": 32 octets of text for each slot,
 *
 *	0123456789abcdef 00001764050000\n	the hash's first octets, seconds since 1970
 *
 * auth can open no file to write. This one's descriptor is had before auth gives up its rights,
 * and it is the one thing on the disk that auth can change: what a taken-over auth writes into
 * it makes restantectl show a wrong time. The record says whose it is, so a slot that is used
 * again doesn't show the time of the password that had it before.
 *
 * Losing the file, or a record in a power cut, costs a "never".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "auth/app_password.h"

#define APP_PASSWORD_USE_SUFFIX ".used"

/* Uses within so many seconds count as one: nobody looks closer, and polls are many. */
#define APP_PASSWORD_USE_SECONDS 60

/*
 * Opens the file beside path, made if it isn't there: readable by whoever may read the
 * passwords. A descriptor, or negative errno.
 */
int app_password_use_open(const char *path, struct err *err);

/* Notes a use now (seconds since 1970). What can't be written is left. */
void app_password_use_note(int fd, uint32_t slot, const uint8_t hash[APP_PASSWORD_HASH],
			   uint64_t now);

/* False when this one was never used. */
bool app_password_use_read(int fd, uint32_t slot, const uint8_t hash[APP_PASSWORD_HASH],
			   uint64_t *ret_time);
