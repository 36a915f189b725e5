/* SPDX-License-Identifier: MIT */
/*
 * maildir_name.h - what the name of a Maildir file says, and how ours are made.
 *
 *	1700000000.M123456P789Q1R0123abcd.host,S=2048,W=2098,D=0:2,S
 *	|<------------- stem ---------------->|<--- sizes --->| info
 *	|<---------------------- base ----------------------->|
 *
 * The base never changes in a message's life, unless a tool mends the sizes; the
 * info (":2," and flags) changes whenever a mail reader marks the message. The
 * stem is what we know a message by.
 *
 * Octets in memory, no I/O. Names come from other programs: any octet but '/' and
 * NUL, at most MAILDIR_NAME_MAX.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

#define MAILDIR_NAME_MAX 255

/* A message that claims to be longer is measured, and what is longer isn't read. */
#define MAILDIR_BYTES_MAX (UINT64_C(1) << 36)

struct maildir_name {
	struct span base;
	struct span stem; /* in the name, or in _stem when something in the middle was left out */
	bool has_sizes;   /* S= and W= are there, once each, and can be true of one file */
	uint64_t bytes;   /* S= */
	uint64_t octets;  /* W= */
	bool has_dots;    /* D= is there */
	uint64_t dots;    /* D=: lines that begin with a dot */
	bool has_growth;  /* I= is there */
	int16_t growth;   /* I=: octets more, or less, when its header is downgraded */
	char _stem[MAILDIR_NAME_MAX];
};

/* Never fails: in the strangest name, all of it is base and stem. ret borrows from name. */
void maildir_name_parse(struct span name, struct maildir_name *ret);

struct span maildir_name_base(struct span name);

/* When the message was delivered, as far as its name says; 0 for what it doesn't say. */
struct maildir_order {
	uint64_t seconds;
	uint64_t micros;
	uint64_t sequence;
};

void maildir_name_order(struct span name, struct maildir_order *ret_order);

struct maildir_uidl {
	uint8_t len;
	char text[LIMIT_UIDL];
};

static inline struct span maildir_uidl_span(const struct maildir_uidl *u)
{
	return span_of(u->text, u->len);
}

/*
 * s itself where RFC 1939 section 7 allows it as a UIDL, else a digest of it.
 * False: no memory for the digest.
 */
bool maildir_uidl_make(struct span s, struct maildir_uidl *ret_uidl);

/* Always the digest: for the second file of a stem. */
bool maildir_uidl_digest(struct span s, struct maildir_uidl *ret_uidl);

/*
 * Writes a name that no file in the world should have yet, NUL-terminated, and
 * short enough to be kept in an index record. Thread-safe. hostname: at most
 * STORE_HOSTNAME_MAX octets that may stand in a name.
 */
void maildir_name_make(const char *hostname, uint64_t octets, uint64_t dot_lines,
		       char out[static MAILDIR_NAME_MAX + 1]);

/* Appends I= to a name that has no info yet. 0, or -ENAMETOOLONG. */
int maildir_name_put_growth(char name[static MAILDIR_NAME_MAX + 1], int16_t growth);
