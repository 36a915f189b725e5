/* SPDX-License-Identifier: MIT */
/*
 * config_value.h - the words that stand behind the '=' in a configuration file.
 *
 * Each function reads all of text or returns false, with the output untouched.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/config.h"

/* "10", "10m": seconds, or with s, m, h, d. */
bool config_duration(const char *text, uint64_t max, uint64_t *ret_seconds);

/* "52428800", "50M": octets, or with K, M, G (of 1024). */
bool config_size(const char *text, uint64_t max, uint64_t *ret_octets);

/* "0660": permission bits, octal. */
bool config_mode(const char *text, uint32_t *ret_mode);

/* "yes", "true", "on", "no", "false", "off". */
bool config_bool(const char *text, bool *ret_value);

/*
 * "192.0.2.1:110", "[2001:db8::1]:110", "*:110", "unix:/path" (LMTP only). Fills
 * host and port. NULL when that went well, else what is wrong with it.
 */
const char *config_address(const char *text, enum config_protocol protocol,
			   struct config_listen *ret_listen);
