/* SPDX-License-Identifier: MIT */
/*
 * server_address.h - a server that mail is handed to, as it stands in the configuration:
 * "mail.example.org", "mail.example.org:24", "[2001:db8::1]:24" or "unix:/run/lmtp".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

/* What struct sockaddr_un has room for, with the NUL. */
#define SERVER_PATH_MAX 108

struct server_address {
	char path[SERVER_PATH_MAX]; /* of a socket; "": it is a host */
	char host[LIMIT_ADDRESS + 1];
	uint16_t port;
};

/* port: where none is said. False when text is none of the above. */
bool server_address_parse(struct span text, uint16_t port, struct server_address *ret_address);
