/* SPDX-License-Identifier: MIT */
/*
 * account_priv.h - the table of an account's options.
 */
#pragma once

#include "client/account.h"

enum account_kind {
	ACCOUNT_STRING,
	ACCOUNT_PATH, /* becomes absolute: "~/" is home, others begin at the working directory */
	ACCOUNT_NUMBER,
	ACCOUNT_DURATION,
	ACCOUNT_SIZE, /* a uint64_t */
	ACCOUNT_CHOICE,
};

/* One of the words of a choice, and the number that stands for it in struct account. */
struct account_choice {
	const char *word;
	uint32_t value;
};

struct account_row {
	struct account_option option;
	enum account_kind kind;
	size_t at;    /* in struct account */
	uint64_t max; /* the greatest number; of a string, its octets with the NUL */
	uint64_t min;
	const struct account_choice *choices; /* ends with a NULL word; of a string perhaps, too */
};

#define ACCOUNT_ROWS 33

extern const struct account_row account_rows[ACCOUNT_ROWS];
