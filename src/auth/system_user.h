/* SPDX-License-Identifier: MIT */
/*
 * system_user.h - users of this machine, as getpwnam(3) and what stands behind it know them:
 * /etc/passwd, SSSD, winbind. Waits for those, and loads their modules into the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

struct system_user {
	char name[LIMIT_USER + 1]; /* as the system has it */
	char home[LIMIT_PATH];
	uint32_t uid;
	uint32_t gid;
};

/*
 * 1: found. 0: there is no such user, or none who may have mail: with a uid below first_uid
 * (root, and who runs services), or nobody. Negative errno with *err: it couldn't be looked
 * up, or what was found can't be used.
 *
 * BUGS: where SSSD isn't running its NSS module says that there is no such user.
 */
int system_user_find(const char *name, uint32_t first_uid, struct system_user *ret_user,
		     struct err *err);

typedef void system_user_name(void *arg, const char *name);

/* Says the name of each that system_user_find() finds and that is listed; SSSD lists none. */
void system_user_list(uint32_t first_uid, system_user_name *say, void *arg);
