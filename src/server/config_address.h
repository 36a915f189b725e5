/* SPDX-License-Identifier: MIT */
/*
 * config_address.h - an address to listen on, as it stands in the configuration.
 */
#pragma once

#include "server/config.h"

/*
 * "192.0.2.1:110", "[2001:db8::1]:110", "*:110", "unix:/path" (LMTP only). Fills
 * host and port. NULL when that went well, else what is wrong with it.
 */
const char *config_address(const char *text, enum config_protocol protocol,
			   struct config_listen *ret_listen);
