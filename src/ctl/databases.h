/* SPDX-License-Identifier: MIT */
/*
 * databases.h - the user databases of the configuration, asked by somebody who can wait.
 */
#pragma once

#include "auth/userdb.h"
#include "ctl/ctl.h"

/*
 * All of them, opened as auth opens them. *noticed becomes true when something in them is wrong,
 * which is said. NULL after saying what failed, with *ret_status what to exit with.
 */
struct userdb *databases_open(const struct ctl *ctl, bool *noticed, int *ret_status);

/* Waits for the answer. The caller wipes the record. */
enum userdb_status databases_find(struct userdb *db, const char *name,
				  struct user_record *ret_record);
