/* SPDX-License-Identifier: MIT */
/*
 * users.h - what the commands about users share.
 */
#pragma once

#include <stdbool.h>

#include "base/limits.h"
#include "base/maildrop_rules.h"
#include "base/span.h"
#include "ctl/ctl.h"
#include "ctl/users_edit.h"

/* The name as the file has it, and the other one that logs in as the same user. */
struct names {
	char name[LIMIT_USER + 1];
	char alias[LIMIT_USER + 1]; /* "" when there is none */
};

/* The names of ctl->name. Returns an exit status. */
int users_read_names(const struct ctl *ctl, struct names *ret);

/* The user's line, under the one name or the other; *ret_name is the one. */
bool users_find(const struct users_edit *e, const struct names *names, struct users_line *ret_line,
		const char **ret_name);

/* False after saying that the server doesn't read the file of users, but other databases. */
bool users_can_edit(const struct ctl *ctl);

/* Says that the file has none, and returns what to exit with. */
int users_no_such(const struct ctl *ctl);

/* ---- users_usage.c ---- */

struct userdb_maildrop;

/* How much is in it, or why that can't be told. */
void users_print_usage(const struct ctl *ctl, const struct userdb_maildrop *maildrop);

/* ---- users_rules.c ---- */

/* The rules of a user who has these of their own, one a line. */
void users_print_rules(const struct ctl *ctl, const struct maildrop_own_rules *own);
