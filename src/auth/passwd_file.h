/* SPDX-License-Identifier: MIT */
/*
 * passwd_file.h - users in a text file, in the format of Dovecot's passwd-file:
 *
 *	name:{SCHEME}hash:uid:gid:gecos:home:shell:extra
 *
 * Fields may be missing from the end; gecos and shell are not read. extra is
 * words with spaces between: userdb_mail, userdb_home, userdb_uid and userdb_gid
 * count, our own scram_sha_1 and scram_sha_256 (scram.h: keys of the same password), and
 * the rules of base/maildrop_rules.h; others are left to whoever wrote them. Lines that are empty
 *or begin with
 * '#' are comments; lines may end with CR LF.
 *
 * A line that is wrong is reported and costs only its own user: no line can stop
 * the others. When a name stands there twice, the first line counts.
 *
 * A table belongs to one thread. Reading 100,000 users takes some 50 ms.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "auth/scram.h"

/* A file that is longer is not a file of users: about 2 million of them. */
#define PASSWD_FILE_MAX_BYTES (256U << 20)
#define PASSWD_LINE_MAX 8192U

/* Instead of an id: the line has none, or one that is no number. */
#define PASSWD_NO_ID UINT32_MAX
#define PASSWD_BAD_ID (UINT32_MAX - 1)

/* One line taken apart. Everything is borrowed from the line. */
struct passwd_line {
	struct span name;
	struct span secret; /* with its scheme; empty or '*': locked */
	struct span home;
	struct span mail;                /* userdb_mail; empty: as the configuration says */
	struct span scram[SCRAM_HASHES]; /* keys beside the secret; empty: none */
	struct span extra;               /* all the words */
	uint32_t uid;
	uint32_t gid;
};

enum passwd_status {
	PASSWD_USER,
	PASSWD_FLAWED, /* a user too, but an id, a path or a rule of it can't be used */
	PASSWD_COMMENT,
	PASSWD_BAD, /* no name in it that anybody could have */
};

/*
 * Takes a line apart, without its line end. Pure: no file is read, no other name
 * is looked up, and whether the secret can be verified is scheme_check()'s matter.
 * On PASSWD_BAD and PASSWD_FLAWED *err says what is wrong, and never holds a part
 * of the secret. *ret is untouched but for PASSWD_USER and PASSWD_FLAWED.
 */
enum passwd_status passwd_line_parse(struct span line, struct passwd_line *ret, struct err *err);

/* A user of a loaded table. Strings are the table's, until it is loaded again. */
struct passwd_user {
	const char *name; /* ASCII in lower case */
	const char *secret;
	const char *home;
	const char *mail;
	const char *scram[SCRAM_HASHES]; /* "": none */
	struct span extra;               /* all the words, with spaces or NULs between */
	uint32_t uid;
	uint32_t gid;
};

struct passwd_file;

/* Something wrong in the file, "path:line: what". Called while loading, a bounded number of times.
 */
typedef void passwd_notice(void *arg, const char *text);

/* Makes an empty table for path, which is copied. NULL when there is no memory. */
struct passwd_file *passwd_file_new(const char *path, passwd_notice *notice, void *arg);
void passwd_file_free(struct passwd_file *f);

/*
 * Reads the file again if it has changed since the last time: one stat(2) when
 * not. Blocks on the disk. After a failure (negative errno, *err) the table is
 * what it was before, and the next call tries again; a file in which every line is
 * wrong is such a failure (-EINVAL). 0: the table is as the file is, also when
 * that is empty.
 */
int passwd_file_refresh(struct passwd_file *f, struct err *err);

size_t passwd_file_count(const struct passwd_file *f);

/* The name in line number i from 0 that has one, or NULL past the end. */
const char *passwd_file_name(const struct passwd_file *f, size_t i);

/* True when a file has been read, ever. */
bool passwd_file_is_loaded(const struct passwd_file *f);

/*
 * The file was read a moment after it was changed in place, and not put there whole by
 * rename(2): perhaps its writer isn't done, and not all users are in it.
 */
bool passwd_file_may_be_unfinished(const struct passwd_file *f);

/* False when there is no user of this (normalised) name. */
bool passwd_file_find(const struct passwd_file *f, const char *name, struct passwd_user *ret_user);

/*
 * Some user who can log in, always the same for the same name; false when there is
 * none. Verified for a name that doesn't exist, the secret takes as long as it would have
 * taken if that user existed.
 */
bool passwd_file_decoy(const struct passwd_file *f, const char *name, struct passwd_user *ret_user);
