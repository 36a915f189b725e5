/* SPDX-License-Identifier: MIT */
/*
 * listing.h - the messages of a maildrop in one session: number, octets and UIDL, as
 * LIST and UIDL tell them, and what is to become of each.
 *
 * Servers are believed in nothing: numbers may come in any order, UIDLs may be missing,
 * twice there, as long as a line, or any octets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/message_key.h"

/* More messages than that are no maildrop but an attack on our memory. */
#define LISTING_MAX 2000000

/* A longer UIDL is kept as its digest, which says as well which is which. */
#define LISTING_UIDL_MAX 128

enum fate {
	FATE_UNKNOWN,
	FATE_ASK,   /* its header must be seen first */
	FATE_FETCH, /* it isn't here */
	FATE_ADOPT, /* its file is here, but it isn't remembered: a session died in between */
	FATE_KNOWN, /* it is stored and remembered */
	FATE_LEAVE, /* it isn't here, and not to be fetched in this session */
};

struct message {
	uint32_t number;
	uint32_t uidl_n; /* 0: it has none */
	size_t uidl_at;
	uint64_t octets;        /* as LIST says; 0 when it doesn't */
	int64_t row;            /* in the state, when KNOWN */
	uint8_t fate;           /* enum fate */
	bool shared;            /* other messages have this UIDL too */
	bool unsure;            /* no header could be seen: decide when it has come */
	bool pending;           /* the state says that it is to be deleted */
	bool resized;           /* KNOWN, but LIST says another size than it did */
	bool headed;            /* header is set: it was seen in this session */
	bool old;               /* KNOWN, and stored before plan's old_before */
	bool away;              /* KNOWN, and its file isn't in the Maildir any more */
	bool deleted;           /* DELE was answered +OK */
	struct message_key key; /* FETCH, ADOPT: what it is, or will be, stored by */
	struct header_digest header;
};

/* Zero it. */
struct listing {
	struct message *messages; /* by number. Owned */
	size_t n;
	size_t _cap;
	char *_uidls; /* Owned */
	size_t _uidls_n;
	size_t _uidls_cap;
};

/*
 * A line of LIST. -EPROTO for a number that was there already, -EOVERFLOW for too many,
 * -ENOMEM; as are those below.
 */
int listing_add(struct listing *l, uint32_t number, uint64_t octets);

/* All lines of LIST were added. */
int listing_sort(struct listing *l);

/*
 * A line of UIDL, after listing_sort(). One of a message that LIST didn't have is passed
 * over: it has come in between, and is there the next time.
 */
int listing_set_uidl(struct listing *l, uint32_t number, struct span uidl);

/* All lines of UIDL were: looks which ones are shared. */
int listing_find_shared(struct listing *l);

struct span listing_uidl(const struct listing *l, const struct message *m);

void listing_done(struct listing *l);
