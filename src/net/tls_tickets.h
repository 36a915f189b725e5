/* SPDX-License-Identifier: MIT */
/*
 * tls_tickets.h - the keys that session tickets are sealed with (RFC 5077, RFC 8446
 * section 4.6.1): the same in all listeners, so that a client can resume at any of
 * them, and new ones every TLS_TICKETS_PERIOD_MS.
 *
 * The keys are a chain. Each period's secret is derived from that of the one before,
 * which is wiped then; and as all processes of a machine see the same monotonic clock,
 * all come to the same keys without a word. The first secret is made by the master,
 * is in its memory and its children's only, and ends with it.
 *
 *	secret[n] ──► name, cipher's key, MAC's key of period n
 *	    │
 *	    ▼ one way
 *	secret[n+1]
 *
 * A ticket is good in its period and in the next one, where it is replaced. Whoever
 * gets hold of a process can open the tickets of that time and of those to come, and
 * none that are older than two periods when the process made its last handshake.
 */
#pragma once

#include <stdint.h>

struct tls_server;

#define TLS_TICKETS_PERIOD_MS (6U * 3600 * 1000)

/* Copied from process to process. A secret: wipe what isn't needed any more. */
struct tls_tickets {
	uint64_t period;
	uint8_t secret[32];
};

/* The beginning of a chain. now_ms is clock_mono_ms() here and below. */
void tls_tickets_init(struct tls_tickets *t, uint64_t now_ms);

/* On to the period of now_ms; never back. -EIO when the library can't compute. */
int tls_tickets_advance(struct tls_tickets *t, uint64_t now_ms);

struct tls_ticket_keys;

/*
 * Makes a server seal and open its tickets with the keys of a chain, as they are at the
 * time of each handshake. *t is moved: wiped here. *ret_keys must live as long as the
 * server and all connections that use it. 0, -ENOMEM, -EIO.
 */
int tls_tickets_use(struct tls_server *server, struct tls_tickets *t,
		    struct tls_ticket_keys **ret_keys);

/* As a handshake at that time would do. */
int tls_ticket_keys_advance(struct tls_ticket_keys *keys, uint64_t now_ms);

/* NULL is fine. */
void tls_ticket_keys_free(struct tls_ticket_keys *keys);
