/* SPDX-License-Identifier: MIT */
/*
 * banned.h - included by the compiler before everything else in our own files:
 * functions that are easy to get wrong don't compile. Each line says what to
 * call instead.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* gcc only: with clang, glibc makes some of these names macros, which can't be poisoned. */
#ifndef __clang__
#pragma GCC poison strcpy strcat strncpy strncat /* snprintf, out_put, memcpy with a length */
#pragma GCC poison sprintf vsprintf              /* snprintf */
#pragma GCC poison strtok strtok_r               /* span_find */
#pragma GCC poison atoi atol atoll strtol strtoul strtoll strtoull /* num_parse_u64 */
#undef alloca
#pragma GCC poison gets alloca                    /* never */
#pragma GCC poison ctime asctime localtime gmtime /* the _r ones */
#endif
