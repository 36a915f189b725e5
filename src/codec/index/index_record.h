/* SPDX-License-Identifier: MIT */
/*
 * index_record.h - the index of one maildrop, and so a session's snapshot of it:
 * a header and one record of fixed size for each message, message n being record
 * n. All numbers are little-endian. doc/maildir.md draws it.
 *
 *	offset 0                        INDEX_HEADER_SIZE
 *	+-------------------------------+----------+----------+-- - -
 *	| magic version count octets .. | record 1 | record 2 |
 *	+-------------------------------+----------+----------+-- - -
 *
 * The store writes it, a listener reads it through a descriptor. Both take it
 * for hostile: every decode checks every field, and nothing here does I/O. The
 * last four octets of the header and of each record are a checksum of what stands
 * before them, so that damage is noticed and not served as somebody's UIDL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

#define INDEX_HEADER_SIZE 128
#define INDEX_RECORD_SIZE 128
#define INDEX_VERSION 1
/* What a record can hold of UIDL and name together. */
#define INDEX_TEXT_MAX 100
/* Message numbers are 32 bits; 2^31 records are 256 GiB of index. */
#define INDEX_COUNT_MAX UINT32_C(0x7fffffff)

enum index_flag {
	INDEX_IN_CUR = 1 << 0, /* the file is in cur/, else in new/ */
	INDEX_CRLF = 1 << 1,   /* every LF has its CR: the file is in wire form */
	INDEX_NO_DOT = 1 << 2, /* no line begins with '.': nothing to stuff */
	INDEX_NO_EOL = 1 << 3, /* the last line has no end; octets counts the CRLF that is added */
	INDEX_MEASURED = 1 << 4, /* sizes were counted in the file: the name's are not believed */
	INDEX_BROKEN = 1 << 5,   /* could not be read when it was indexed */
	INDEX_NAME_DERIVED = 1 << 6,   /* file name = uidl followed by name */
	INDEX_NAME_ELSEWHERE = 1 << 7, /* the name didn't fit: instead, what it is found by */
	INDEX_AWAY = 1 << 8,        /* moved out of the maildrop, and may come back to this place */
	INDEX_UTF8_HEADER = 1 << 9, /* internationalised: growth says how it is downgraded */
};
#define INDEX_FLAGS_ALL 0x3ffU
/* Those that say something of the file's octets, and not of its place and name. */
#define INDEX_FLAGS_OF_CONTENT                                                      \
	(INDEX_CRLF | INDEX_NO_DOT | INDEX_NO_EOL | INDEX_MEASURED | INDEX_BROKEN | \
	 INDEX_UTF8_HEADER)

/* The times of a directory that was read: as long as it has both, it is unchanged. */
struct index_mark {
	uint64_t mtime_ns; /* 0: never trust */
	uint64_t ctime_ns;
};

struct index_header {
	uint32_t count;
	uint64_t octets;           /* sum of all records' octets */
	struct index_mark dirs[2]; /* new/ and cur/ */
	uint64_t made_ns;          /* when it was written, and the file's own modification time */
	uint64_t boot;             /* of the machine, during which it was written */
	int64_t growth;            /* sum of all records' growth */
	uint32_t away;  /* records of messages that are INDEX_AWAY: they have no octets */
	uint32_t views; /* 1: what a session sees is more than this index (store/view/) */
};

static inline bool index_mark_eq(struct index_mark a, struct index_mark b)
{
	return a.mtime_ns == b.mtime_ns && a.ctime_ns == b.ctime_ns;
}

struct index_record {
	uint64_t octets; /* on the wire: what LIST says */
	uint64_t bytes;  /* on disk */
	uint32_t flags;  /* enum index_flag */
	uint8_t uidl_len;
	uint8_t name_len;
	int16_t growth; /* INDEX_UTF8_HEADER: octets on the wire more, when downgraded; else 0 */
	char text[INDEX_TEXT_MAX]; /* the UIDL, then the name; no NUL */
};

static inline struct span index_record_uidl(const struct index_record *r)
{
	return span_of(r->text, r->uidl_len);
}

static inline struct span index_record_name(const struct index_record *r)
{
	return span_of(r->text + r->uidl_len, r->name_len);
}

/* Write INDEX_HEADER_SIZE or INDEX_RECORD_SIZE octets. The value must be valid. */
void index_header_encode(const struct index_header *h, char *out);
void index_record_encode(const struct index_record *r, char *out);

/*
 * Read as many octets. False when they are not a header or a record that the
 * encoders could have written (wrong magic, version, lengths, unknown flags, a
 * UIDL outside RFC 1939 section 7, a wrong checksum); *ret_ is then untouched.
 */
bool index_header_decode(const char *in, struct index_header *ret_h);
bool index_record_decode(const char *in, struct index_record *ret_r);

/* True for 1 to 70 octets from 0x21 to 0x7E (RFC 1939 section 7). */
bool index_uidl_valid(struct span uidl);
