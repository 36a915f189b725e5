/* SPDX-License-Identifier: MIT */
/*
 * mail.h - the messages of the bench. Each is known by whose it is, its number, its
 * size and its kind, so all of its octets can be made again and compared with what a
 * server sends: nothing is taken on trust, and nothing has to be kept.
 *
 *	MAIL_HEADER octets   who, number, kind and size; three lines and an empty one
 *	the rest             lines of 64 octets out of a block of 64 KiB, going round,
 *	                     from a line on that differs from message to message
 *
 * Sizes are on the wire, with CRLF and without stuffing dots.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"

#define MAIL_LINE 64U
#define MAIL_HEADER 192U

enum mail_kind {
	MAIL_CRLF, /* kept with CRLF, and no line begins with a dot: what a server likes best */
	MAIL_LF,   /* the same text, kept with LF */
	MAIL_DOTS, /* CRLF, and every eighth line begins with a dot */
	MAIL_KINDS
};

struct mail {
	uint32_t user;
	uint32_t number;
	uint64_t octets; /* a multiple of MAIL_LINE, more than MAIL_HEADER */
	enum mail_kind kind;
};

/* Fills the block that all messages are cut from. Once, before anything else. */
void mail_init(void);

/* "crlf", "lf" or "dots". False: none of them. */
bool mail_kind_parse(const char *text, enum mail_kind *ret_kind);

/*
 * Appends octets of the message from *at on, as many as there is room for, and moves
 * *at. It is done when *at is m->octets.
 */
void mail_make(const struct mail *m, uint64_t *at, struct out *out);

/* The same as it is kept on disk: MAIL_LF without its CRs. Moves *at as mail_make() does. */
void mail_make_kept(const struct mail *m, uint64_t *at, struct out *out);

/* Octets on disk. */
uint64_t mail_kept_octets(const struct mail *m);

/*
 * Looks at a message as it comes in. Set the first three members and zero the rest.
 *
 * What a delivery agent puts in front (Return-Path, Delivered-To and Received lines,
 * as it is its right to) is passed over when trace is set.
 */
struct mail_check {
	struct mail want; /* number 0: any; it is filled in from the header */
	bool trace;
	bool failed;
	uint64_t _at;    /* octets of the message that were right */
	uint64_t _trace; /* octets passed over */
	size_t _line;    /* octets of a header line so far, in _header */
	bool _in_trace;  /* the last line was one that may go on */
	bool _past_trace;
	char _header[4096];
};

/* The next octets. False, now and ever after: they are wrong. */
bool mail_check(struct mail_check *c, struct span text);

/* True when the message was right to its last octet. *ret_octets: of it and its trace lines. */
bool mail_check_end(const struct mail_check *c, uint64_t *ret_octets);
