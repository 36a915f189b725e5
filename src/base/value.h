/* SPDX-License-Identifier: MIT */
/*
 * value.h - the words that stand behind an option: in a configuration file, or on
 * a command line.
 *
 * Each function reads all of text or returns false, with the output untouched.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "10", "10m": seconds, or with s, m, h, d. */
bool value_duration(const char *text, uint64_t max, uint64_t *ret_seconds);

/* "52428800", "50M": octets, or with K, M, G (of 1024). */
bool value_size(const char *text, uint64_t max, uint64_t *ret_octets);

/* "0660": permission bits, octal. */
bool value_mode(const char *text, uint32_t *ret_mode);

/* "yes", "true", "on", "no", "false", "off". */
bool value_bool(const char *text, bool *ret_value);
