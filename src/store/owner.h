/* SPDX-License-Identifier: MIT */
/*
 * owner.h - to touch a maildrop with its owner's rights and no others.
 *
 * On Linux the file system ids, the supplementary groups and the capabilities
 * belong to a thread. So a thread of the pool can be one owner while its
 * neighbour is another, as long as libc's wrappers, which change all threads at
 * once, are kept out of it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/store.h"

#define OWNER_GROUPS_MAX 256

/* What this thread was before. */
struct owner_switch {
	bool switched;
	uid_t uid;
	gid_t gid;
	int group_count;
	gid_t groups[OWNER_GROUPS_MAX];
};

/*
 * From here to owner_leave() this thread reaches the file system as the owner
 * (uid -1: as itself). They don't nest.
 *
 * -EPERM, and nothing is changed: the owner is root, or has another uid than we
 * and we aren't root, or the kernel would leave us the power to pass over file
 * permissions. -EINVAL: a uid without a gid.
 */
int owner_enter(struct owner_switch *sw, const struct store_owner *owner, struct err *err);

/* Ends the process when the kernel won't let us back: to go on as somebody else is worse. */
void owner_leave(const struct owner_switch *sw);
