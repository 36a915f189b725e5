/* SPDX-License-Identifier: MIT */
/*
 * foreign_config.h - reads the configurations of other programs that fetch mail:
 * fetchmail's .fetchmailrc, mpop's .mpoprc, getmail's getmailrc and fdm's .fdm.conf. What
 * restante has too becomes an account; whatever it hasn't is named with its line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "client/account.h"

enum foreign_program {
	FOREIGN_FETCHMAIL,
	FOREIGN_MPOP,
	FOREIGN_GETMAIL,
	FOREIGN_FDM,
	FOREIGN_PROGRAMS,
};

/* As many as restante.conf may have. */
#define FOREIGN_ACCOUNTS_MAX 1000

struct foreign_account {
	struct account account; /* its name and maildir may be empty */
	unsigned line;          /* where it begins */
	/* By what its seen UIDLs are found: foreign_seen.h. */
	char seen_file[LIMIT_PATH]; /* absolute; "": none */
	char seen_host[LIMIT_ADDRESS + 1];
};

/* The caller's. path, remark and ctx are set before foreign_config_parse(). */
struct foreign_config {
	const char *path; /* absolute: files may be named beside it. Borrowed */
	/* Something that isn't carried over, or that changes with restante. */
	void (*remark)(void *ctx, unsigned line, const char *text);
	void *ctx;
	struct foreign_account *accounts; /* Owned */
	size_t n;
};

/* "fetchmail", "mpop", "getmail", "fdm"; FOREIGN_PROGRAMS for another name. */
enum foreign_program foreign_program_of(const char *name);

/* Whose a configuration is, by its text; FOREIGN_PROGRAMS: it can't be told. */
enum foreign_program foreign_program_guess(struct span text);

/*
 * Reads text, which is no file's any more. 0, -ENOMEM, or -EINVAL with *err naming the line of
 * what no such program would take.
 */
int foreign_config_parse(struct foreign_config *c, enum foreign_program program, struct span text,
			 struct err *err);

/* Wipes the passwords. */
void foreign_config_done(struct foreign_config *c);
