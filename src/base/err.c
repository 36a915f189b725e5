/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void format(struct err *err, const char *fmt,
							 va_list ap)
{
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int err_sys(struct err *err, int sys_errno, const char *fmt, ...)
{
	if (err != NULL) {
		va_list ap;

		va_start(ap, fmt);
		format(err, fmt, ap);
		va_end(ap);

		const size_t n = strlen(err->text);
		char reason[128];

		(void)snprintf(err->text + n, sizeof(err->text) - n, ": %s",
			       strerror_r(sys_errno, reason, sizeof(reason)));
	}
	return -sys_errno;
}

int err_set(struct err *err, int sys_errno, const char *fmt, ...)
{
	if (err != NULL) {
		va_list ap;

		va_start(ap, fmt);
		format(err, fmt, ap);
		va_end(ap);
	}
	return -sys_errno;
}
