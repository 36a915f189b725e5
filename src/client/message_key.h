/* SPDX-License-Identifier: MIT */
/*
 * message_key.h - what a message is known by from one session to the next.
 *
 * The key is made of the account and the message's UIDL; where that isn't enough (there
 * is none, several messages have it, or it was another message's before) also of its
 * header. The name of the file that a message is stored in has its key, so that
 * whoever comes after a crash can see that it is there: doc/exactly-once.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

#define MESSAGE_KEY_OCTETS 16
#define HEADER_DIGEST_OCTETS 16
#define MESSAGE_KEY_ORDINAL_MAX 255

struct message_key {
	uint8_t octets[MESSAGE_KEY_OCTETS];
};

struct header_digest {
	uint8_t octets[HEADER_DIGEST_OCTETS];
};

static inline bool message_key_equal(const struct message_key *a, const struct message_key *b)
{
	return memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

static inline bool header_digest_equal(const struct header_digest *a, const struct header_digest *b)
{
	return memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

/*
 * identity is account_identity()'s. header NULL: the UIDL alone. ordinal tells apart
 * what even a header doesn't. False when it is too large, or there is no memory.
 */
bool message_key_make(struct span identity, struct span uidl, const struct header_digest *header,
		      unsigned ordinal, struct message_key *ret_key);

/*
 * The digest of a header, from the octets of a message (RETR) or of its first lines
 * (TOP); what follows the blank line is passed over. Line ends count as LF, whatever
 * they are, and so that a server that notes there who has seen what doesn't make
 * another message of it, "Status:" and "X-Status:" don't count.
 */
struct header_reader {
	struct evp_md_ctx_st *_md; /* Owned */
	char _line[16];            /* how the line begins */
	uint8_t _n;
	uint8_t _state;
	bool _cr; /* held back: perhaps a line end's */
};

/* False when there is no memory. Init again to read the next one. */
bool header_reader_init(struct header_reader *h);
void header_reader_done(struct header_reader *h);
void header_reader_take(struct header_reader *h, struct span s);

/* The blank line was there: what follows needn't be shown to it. */
bool header_reader_over(const struct header_reader *h);

void header_reader_end(struct header_reader *h, struct header_digest *ret_digest);

/* The digest of the header of the message in fd, from where that stands. Negative errno. */
int header_digest_read(int fd, struct header_digest *ret_digest);
