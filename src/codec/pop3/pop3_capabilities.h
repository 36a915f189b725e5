/* SPDX-License-Identifier: MIT */
/*
 * pop3_capabilities.h - what a server's CAPA says, for a client (RFC 2449, RFC
 * 2595, RFC 3206, RFC 5034, RFC 6856).
 *
 * It may differ before and after STLS and login: ask again, into a zeroed struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Names of mechanisms have 20 octets at most; this holds over 30 of them. */
#define POP3_CAPABILITIES_SASL_MAX 512
#define POP3_CAPABILITIES_IMPLEMENTATION_MAX 128

#define POP3_EXPIRE_NEVER UINT32_MAX

struct pop3_capabilities {
	bool top;
	bool user;
	bool uidl;
	bool stls;
	bool pipelining;
	bool resp_codes;
	bool auth_resp_code;
	bool utf8;      /* UTF8 */
	bool utf8_user; /* UTF8 USER: names and passwords too */
	bool lang;
	bool sasl;            /* SASL was said, perhaps without a mechanism */
	bool expire;          /* EXPIRE was said: */
	uint32_t expire_days; /* kept so long, or POP3_EXPIRE_NEVER */
	bool expire_user;     /* it may differ between users: ask again after login */
	bool login_delay;     /* LOGIN-DELAY was said: */
	uint32_t login_delay_seconds;
	bool login_delay_user;
	/* In upper case, parted by one space, each once. What has no room is left out. */
	char sasl_mechanisms[POP3_CAPABILITIES_SASL_MAX];
	size_t sasl_mechanisms_n;
	/* As sent, cut to what has room: any octets. */
	char implementation[POP3_CAPABILITIES_IMPLEMENTATION_MAX];
	size_t implementation_n;
};

/*
 * Takes a line of the reply to CAPA (a POP3_CLIENT_LINE), in any case. What isn't
 * known, or makes no sense, is passed over, as RFC 2449 section 5 asks.
 */
void pop3_capabilities_take(struct pop3_capabilities *c, struct span line);

/* The same with a line of the reply to a bare AUTH: one mechanism. */
void pop3_capabilities_take_mechanism(struct pop3_capabilities *c, struct span line);

/* "SCRAM-SHA-256", in any case. */
bool pop3_capabilities_has_mechanism(const struct pop3_capabilities *c, struct span mechanism);
