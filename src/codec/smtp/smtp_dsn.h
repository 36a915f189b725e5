/* SPDX-License-Identifier: MIT */
/*
 * smtp_dsn.h - the values of DSN's parameters (RFC 3461 section 4, RFC 6533 section
 * 3): which notifications a sender wants, and about what.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

enum smtp_dsn_ret { SMTP_DSN_RET_UNSAID, SMTP_DSN_RET_FULL, SMTP_DSN_RET_HDRS };

enum smtp_dsn_notify {
	SMTP_DSN_NEVER = 1 << 0, /* stands alone */
	SMTP_DSN_SUCCESS = 1 << 1,
	SMTP_DSN_FAILURE = 1 << 2,
	SMTP_DSN_DELAY = 1 << 3,
};

/* Each reads the whole of value. False: it can't be, and *ret is untouched. */
bool smtp_dsn_ret(struct span value, enum smtp_dsn_ret *ret);
bool smtp_dsn_notify(struct span value, uint8_t *ret);

/* ENVID: xtext, 1 to LIMIT_DSN_ENVID octets as it is written. */
bool smtp_dsn_envid(struct span value);

/*
 * ORCPT: an address type, ';' and xtext, LIMIT_DSN_ORCPT octets at most. With type
 * "utf-8" and where SMTPUTF8 was said, also UTF-8 as it is.
 */
bool smtp_dsn_orcpt(struct span value, bool smtputf8);
