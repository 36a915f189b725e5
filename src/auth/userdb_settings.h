/* SPDX-License-Identifier: MIT */
/*
 * userdb_settings.h - the file that says how a database is asked. In the form of Postfix's tables:
 *
 *	# a comment
 *	name = value to the end of the line
 *		which goes on in lines that begin with space
 *
 * Nothing is quoted, so SQL and LDAP filters stand there as they are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

enum userdb_setting_kind {
	USERDB_SETTING_TEXT,
	USERDB_SETTING_PATH,    /* absolute */
	USERDB_SETTING_SECRET,  /* the file may not be open to everybody then */
	USERDB_SETTING_SECONDS, /* 1 to 60 */
	USERDB_SETTING_THREADS, /* 1 to 32 */
	USERDB_SETTING_BOOL,
};

struct userdb_setting {
	const char *name;
	enum userdb_setting_kind kind;
	bool required;
	const char *fallback; /* "": nothing */
};

#define USERDB_SETTINGS_MAX 24U

struct userdb_settings {
	char path[LIMIT_PATH];
	const struct userdb_setting *rows; /* Borrowed */
	size_t n;
	const char *value[USERDB_SETTINGS_MAX]; /* by row. Borrowed from _text or rows */
	uint32_t number[USERDB_SETTINGS_MAX];   /* of SECONDS, THREADS and BOOL */
	int line[USERDB_SETTINGS_MAX];          /* 0: not given */
	char *_text;                            /* Owned: with secrets */
	size_t _n_text;
};

/* Negative errno with *err, which names file and line; *ret then is as zeroed. */
int userdb_settings_read(const char *path, const struct userdb_setting *rows, size_t n,
			 struct userdb_settings *ret, struct err *err);

void userdb_settings_done(struct userdb_settings *s);

/* -EINVAL, *err saying in which file and line row i is wrong, and how. */
int userdb_settings_wrong(const struct userdb_settings *s, size_t i, struct err *err,
			  const char *what);
