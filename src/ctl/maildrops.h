/* SPDX-License-Identifier: MIT */
/*
 * maildrops.h - the users and their maildrops, as the server would find them: for commands
 * that touch mail themselves.
 */
#pragma once

#include "base/limits.h"
#include "store/store.h"
#include "ctl/ctl.h"

struct ctl_maildrop {
	char user[LIMIT_USER + 1];
	char path[LIMIT_PATH];
	char home[LIMIT_PATH];    /* "": unknown */
	struct store_owner owner; /* its strings are those above */
};

/*
 * Calls each() for the user that the command names, or when it names none for every user. Goes on
 * after one that fails: EX_OK, or the first status that isn't.
 */
int ctl_each_maildrop(struct ctl *ctl, int (*each)(void *arg, const struct ctl_maildrop *m),
		      void *arg);
