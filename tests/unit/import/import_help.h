/* SPDX-License-Identifier: MIT */
/* import_help.h - what the tests of import share: cmocka, and its headers in the order it wants. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"

static inline void expect_span(struct span s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.n == 0 ? "" : s.p, text, s.n);
}
