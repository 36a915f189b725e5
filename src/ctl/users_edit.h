/* SPDX-License-Identifier: MIT */
/*
 * users_edit.h - changing one line of the file of users, or of application passwords: all
 * or nothing, one editor at a time, and every other line as it was, octet for octet.
 *
 * BUGS: access control lists and extended attributes of the file are not kept.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/span.h"

/* A file that is locked and read. Zeroed by users_edit_done(). */
struct users_edit {
	char *path; /* Owned: with symbolic links followed */
	int lock;   /* Owned: the file itself, flock(2)ed */
	char *text; /* Owned */
	size_t n;
	struct stat st; /* whose it is */
};

/*
 * Locks the file and reads it; waits as long as another restantectl holds it. A
 * file that isn't there is made, empty, with mode 0640 and this group, when create
 * is set. 0 or negative errno.
 */
int users_edit_begin(const char *path, bool create, gid_t group, struct users_edit *ret_edit,
		     struct err *err);

/* A user's first line: where it is in text, without its line end, and two of its fields. */
struct users_line {
	struct span line;
	struct span secret;
	struct span extra; /* the words at its end; empty, at the end, when it has fewer fields */
};

/* False when no line is this (normalised) name's. */
bool users_edit_find(const struct users_edit *e, const char *name, struct users_line *ret_line);

/*
 * The changes. Each writes the whole new file beside the old one, syncs it, puts
 * it in its place and syncs that: when it returns 0 the change is durable, and
 * otherwise the file is the old one.
 */
int users_edit_append(const struct users_edit *e, struct span line, struct err *err);

/* keys: words that take the place of all scram_... words of the line, or "". */
int users_edit_replace_secret(const struct users_edit *e, const struct users_line *l,
			      const char *secret, const char *keys, struct err *err);

/*
 * Takes all words out of the line that are "name" or "name=...", for each of the n
 * names, and puts words (with spaces between, or "") behind those that stay.
 */
int users_edit_replace_words(const struct users_edit *e, const struct users_line *l,
			     const struct span *names, size_t n, const char *words,
			     struct err *err);

/* All lines of this name; or the second one would count from now on. */
int users_edit_remove(const struct users_edit *e, const char *name, struct err *err);

/* The whole new text, in n parts that may borrow from the old one. */
int users_edit_rewrite(const struct users_edit *e, const struct span *parts, size_t n,
		       struct err *err);

void users_edit_done(struct users_edit *e);
