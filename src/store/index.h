/* SPDX-License-Identifier: MIT */
/*
 * index.h - reads and writes the file that codec/index/index_record.h defines.
 *
 * It is a cache that other programs can reach: nothing that is read from it is
 * believed before it was checked, and it is never mapped into memory, because a
 * file that is cut short under a mapping ends the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "codec/index/index_record.h"

/* A wall time that nothing else stamps on a file: see the definition. */
uint64_t index_stamp_ns(void);

/*
 * Which boot of the machine this is, as a number. An index is never synced: when the
 * machine stops, any part of what was written last may be missing, and its length and
 * times be right all the same. A random number where the kernel doesn't tell.
 */
uint64_t index_boot(void);

enum index_trust {
	INDEX_TRUSTED,  /* nobody wrote to it since we did, and all of it is there */
	INDEX_UNPROVEN, /* the same, but written during another boot: do its records decode? */
	INDEX_DOUBTED,  /* a header; records that decode say UIDL and order, not more */
	INDEX_USELESS,  /* no header that could be read */
};

/*
 * Reads the header and says what it is worth, given what fstat(2) says of the
 * file. *ret_header is filled unless it is INDEX_USELESS; when doubted its count
 * may be more than there are records. Fails only as the disk does: negative errno.
 */
int index_read_header(int fd, const struct stat *st, uint64_t boot, struct index_header *ret_header,
		      enum index_trust *ret_trust);

/* The same of a header, INDEX_HEADER_SIZE octets, that was read already. */
enum index_trust index_judge(const char *raw, const struct stat *st, uint64_t boot,
			     struct index_header *ret_header);

/* Do all records decode? 1, 0, or negative errno. */
int index_prove(int fd, uint32_t count);

/* Record n, from 1. -EBADMSG when it doesn't decode; otherwise as the disk says. */
int index_read_record(int fd, uint32_t n, struct index_record *ret_record);

/* Many records after each other. */
struct index_reader {
	int fd;         /* Borrowed */
	uint32_t next;  /* the record that comes next, from 1 */
	uint32_t count; /* the last one */
	char *buf;      /* Owned */
	size_t have;    /* octets in buf */
	size_t at;
};

/* 0 or -ENOMEM. */
int index_reader_init(struct index_reader *r, int fd, uint32_t count);
void index_reader_done(struct index_reader *r);

/* 1: *ret_record is the next; 0: that was all; -EBADMSG: skipped one that doesn't decode. */
int index_reader_next(struct index_reader *r, struct index_record *ret_record);

/*
 * Writes records after the count that is there already, and the header last: who
 * dies in between leaves a file whose length and time don't fit its header.
 */
struct index_writer {
	int fd; /* Borrowed */
	struct index_header header;
	char *buf; /* Owned */
	size_t n;  /* octets in buf, not written yet */
};

/* old: append after its count; NULL: a new file. 0 or -ENOMEM. */
int index_writer_init(struct index_writer *w, int fd, const struct index_header *old);
void index_writer_done(struct index_writer *w);

/* 0 or negative errno; -E2BIG past INDEX_COUNT_MAX. */
int index_writer_put(struct index_writer *w, const struct index_record *record);

/* Writes what is left, the header with these marks and this boot, and the file's own time. */
int index_writer_finish(struct index_writer *w, const struct index_mark dirs[2], uint64_t boot);
