/* SPDX-License-Identifier: MIT */
/*
 * ask.h - a password from standard input, where a person at a terminal may be.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

/*
 * The next line of standard input, without its end, NUL-terminated, into
 * ret_password of cap octets, which the caller wipes. No octet of what follows it is
 * read: that is for the next one who asks. -EINVAL with the reason when there is
 * none, or it is too long or has a NUL; -EINTR, without a reason, when a signal came.
 */
int ask_password_line(char *ret_password, size_t cap, struct err *err);

/*
 * The same from a terminal, after showing prompt on standard error and with the
 * echo off. A signal while asking puts the terminal right and then does what it
 * does; if the process is still there, that is -EINTR with the reason.
 */
int ask_password(const char *prompt, char *ret_password, size_t cap, struct err *err);
