/* SPDX-License-Identifier: MIT */
/*
 * signing.h - the listener's side of the process that has the private keys.
 *
 * A handshake asks it in the middle of a call of OpenSSL's, and waits there for the answer:
 * that takes as long as it takes to sign, which the listener would otherwise do itself, and
 * two changes of process. What it does not wait for is a process that has stopped:
 *
 *	AWAY ──link──► READY ──asked──► the answer: READY
 *	  ▲              │      └─────► none within SIGNING_WAIT_MS: LATE ──the answer──► READY
 *	  └── its end ───┴────────────────────────────────────────────────┘
 *
 * In AWAY and LATE nothing is asked, and no handshake goes on (signing_is_possible()): the loop
 * has waited once, and the handshakes wait from then on without it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/tls_signature.h"

/* Far more than a machine that has much to do takes, and short for everybody else of this loop. */
#define SIGNING_WAIT_MS 2000

struct signing;

/* It is possible again: called from the loop, outside of any session. */
typedef void signing_on_possible(void *arg);

/* NULL without memory. */
struct signing *signing_new(signing_on_possible *on_possible, void *arg);

/* A channel to the process; fd is owned from here on. The one before is closed. */
void signing_link(struct signing *s, uv_loop_t *loop, int fd);

bool signing_is_possible(const struct signing *s);

/* A tls_sign, with a struct signing. */
size_t signing_ask(void *signing, const struct tls_signing *what, uint8_t *ret_signature);

/* Ends the channel; signing_free() when the loop has run once more. NULL is fine for both. */
void signing_close(struct signing *s);
void signing_free(struct signing *s);
