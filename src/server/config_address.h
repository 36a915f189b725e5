/* SPDX-License-Identifier: MIT */
/*
 * config_address.h - an address to listen on, as it stands in the configuration.
 */
#pragma once

#include "server/config.h"

/* The word behind an address whose connections begin with a PROXY protocol header. */
#define CONFIG_ADDRESS_PROXY " proxy"

/*
 * "192.0.2.1:110", "[2001:db8::1]:110", "*:110", "unix:/path" (LMTP and SMTP only);
 * behind those of TCP may stand " proxy". For SMTP, loopback addresses only, and no proxy.
 * Fills host, port and proxy. NULL when that went well, else what is wrong with it.
 */
const char *config_address(const char *text, enum config_protocol protocol,
			   struct config_listen *ret_listen);

/*
 * "192.0.2.0/24", "2001:db8::/32", or an address alone. Bits behind the network's must be
 * zero: who wrote others meant something else. NULL, or what is wrong with it.
 */
const char *config_network(const char *text, struct config_network *ret_network);

/* True when the address, IPv4 as ::ffff:a.b.c.d, lies in one of the networks. */
bool config_network_has(const struct config_network *networks, uint32_t n,
			const uint8_t address[16]);
