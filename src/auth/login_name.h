/* SPDX-License-Identifier: MIT */
/*
 * login_name.h - what a client may log in as. It is a user's name, and may say more:
 *
 *	alice			alice
 *	alice+phone		alice, whose phone this is: it has a view of its own
 *	alice+phone@example.org	the same, of alice@example.org
 *	recent:alice		alice, to see what came in lately and delete nothing
 *
 * Whether "alice+phone" is a user or a device is for the databases to say: the user of that whole
 * name comes first. No user's name has a ':', so "recent:" is never part of one.
 */
#pragma once

#include <stdbool.h>

#include "base/limits.h"
#include "base/maildrop_rules.h"
#include "base/span.h"

struct login_name {
	char whole[LIMIT_USER + 1]; /* without "recent:" */
	char user[LIMIT_USER + 1];  /* and without the device: the same where there is none */
	char device[MAILDROP_DEVICE_MAX + 1]; /* "" when there is none */
	bool recent;
};

/*
 * Takes text, of at most LIMIT_USER octets, apart. separator stands between user and device, the
 * last one counts, and '\0' is none. What can't be a device's name is part of the user's.
 */
void login_name_read(const char *text, char separator, struct login_name *ret);

/* Without any device: what a token or a certificate says is who it is, to the letter. */
void login_name_of_user(const char *user, struct login_name *ret);
