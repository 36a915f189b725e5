/* SPDX-License-Identifier: MIT */
/*
 * netrc.h - passwords from a file in the format of netrc(5), as ftp had it first:
 *
 *	machine pop.example.org login alice password "s3cr3t word"
 *	default login alice password other
 *
 * Words stand apart by white space, and in quotes where they have some, with \ before a
 * quote (as curl has it). '#' where a word would begin makes the rest of the line a comment, and
 *"macdef" what follows up to an empty line a macro, which is passed over. Octets in memory, no I/O.
 */
#pragma once

#include <stdbool.h>

#include "base/out.h"
#include "base/span.h"

enum netrc_status {
	NETRC_FOUND,   /* the password is in *out */
	NETRC_NONE,    /* nothing about this host and user */
	NETRC_BAD,     /* *ret_line has a word that makes no sense there */
	NETRC_NO_ROOM, /* the password is longer than *out */
};

/*
 * The password of the first entry for this host (in any case), or of "default", whose login
 * is user, or that names none. *ret_line: where it stands, or what is bad.
 */
enum netrc_status netrc_find(struct span file, const char *host, const char *user, struct out *out,
			     unsigned *ret_line);
