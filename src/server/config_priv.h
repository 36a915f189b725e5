/* SPDX-License-Identifier: MIT */
/*
 * config_priv.h - the option table, and what reading a file with it keeps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/config.h"

enum config_kind {
	STRING,
	NUMBER,
	DURATION,
	SIZE,
	MODE,
	BOOL,
	CHOICE,
	LISTEN,
	RULE,
	NETWORKS,
	PAIRS,
	DATABASES
};

/* One of the words of a choice, and the number that stands for it in struct config. */
struct choice {
	const char *word;
	uint32_t value;
};

struct config_row {
	struct config_option option;
	enum config_kind kind;
	size_t at;    /* in struct config */
	uint64_t max; /* the greatest number; of a string, its octets with the NUL */
	uint64_t min;
	const struct choice
		*choices; /* ends with a NULL word; for CHOICE, and for a STRING or NULL */
	enum config_protocol protocol; /* of a LISTEN */
};

/* More than there are: config_table.c counts them. */
#define CONFIG_ROWS_MAX 128

extern const struct config_row config_rows[];
extern const size_t config_n_rows;

/* Its values stand in braces, and are added to what is there. */
static inline bool config_row_is_list(const struct config_row *row)
{
	return row->kind == LISTEN || row->kind == NETWORKS || row->kind == PAIRS ||
	       row->kind == DATABASES;
}

/* A file that is being read. */
struct config_reading {
	const char *path;
	struct config *config;
	struct err *err;
	bool failed;
	int line[CONFIG_ROWS_MAX]; /* where each option was given; 0: nowhere */
};

/* Fills rd->err, if this is the first complaint. line 0: about no line of its own. */
void config_complain(struct config_reading *rd, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets what row says to what text says. False after a complaint. */
bool config_set(struct config_reading *rd, const struct config_row *row, int line,
		const char *text);
