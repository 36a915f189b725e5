/* SPDX-License-Identifier: MIT */
/*
 * privileges.h - from root to the user that a process works as, for good.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/*
 * When started by root, becomes user with its groups and home, with no way back, and with
 * no_new_privs set; otherwise does nothing. as_owners with an empty user: stays
 * root with only the capabilities to take on other users' file system identity.
 * 0 or negative errno.
 */
int privileges_drop(const char *user, bool as_owners, struct err *err);

/*
 * Stays root, if started by root, for PAM's modules: they read /etc/shadow, keep counters
 * of their own, become the user, write to the system's audit. What else root may do goes for
 * good, and no_new_privs is set. 0 or negative errno.
 */
int privileges_keep_for_pam(struct err *err);

/*
 * No core is written of this process, and no other of its user may look into it: it
 * has passwords, keys and mail in its memory. After privileges_drop(), which could
 * undo it. A build with sanitizers can be looked into, for a leak checker does.
 */
int privileges_forbid_dumps(struct err *err);

/* Whether user exists, so that privileges_drop() can be expected to succeed. As above. */
int privileges_check(const char *user, struct err *err);
