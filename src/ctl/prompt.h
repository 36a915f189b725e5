/* SPDX-License-Identifier: MIT */
/*
 * prompt.h - a new password: asked for twice and without echo on a terminal, or
 * the first line of standard input when that isn't one.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

/*
 * Into ret_password, of cap octets, NUL-terminated; the caller wipes it. -EINVAL
 * with the reason for one that can't be used: empty, too long, with control
 * characters, or not typed twice alike. A signal while asking puts the terminal
 * right and then does what it does.
 */
int prompt_new_password(const char *user, char *ret_password, size_t cap, struct err *err);
