/* SPDX-License-Identifier: MIT */
/*
 * dovecot_format.h - how Dovecot makes UIDLs: its setting pop3_uidl_format, as versions up
 * to 2.3 write it (%08Xu%08Xv, %v.%u, %f, %{uid}) and as 2.4 does (%{uid | hex(8)}).
 *
 *	u uid         v uidvalidity      f filename      g guid
 *
 * with X (hexadecimal), L (lower case), U (upper case) and a width in front of the letter:
 * with a 0 it fills up, without it cuts. What a format may have beside that, such as %m, is
 * refused rather than guessed at.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/out.h"
#include "base/span.h"

#define DOVECOT_FORMAT_DEFAULT "%08Xu%08Xv"

struct dovecot_values {
	uint32_t uid;
	uint32_t uid_validity;
	struct span filename; /* empty: not known here, and so is guid */
	struct span guid;
};

/*
 * Appends what format makes of the values. False, with nothing appended and the reason in
 * *err: for a format that can't be, a value that isn't known, or too little room.
 */
bool dovecot_format(const char *format, const struct dovecot_values *values, struct out *out,
		    struct err *err);
