/* SPDX-License-Identifier: MIT */
/*
 * password.h - an account's password, from where the configuration says: itself, a
 * command, a file that others can't read, a credential of systemd's; or else from ~/.netrc, or
 * from whoever sits at the terminal (or the next line of standard input, when that isn't one).
 */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "client/account.h"
#include "client/fetch_status.h"

/* The caller wipes ret_password. Blocks for as long as people and commands take. */
enum fetch_status password_get(const struct account *a,
			       char ret_password[static LIMIT_PASSWORD + 1], struct err *err);

/* The same for deliver_user at the server that mail goes to. */
enum fetch_status password_get_deliver(const struct account *a,
				       char ret_password[static LIMIT_PASSWORD + 1],
				       struct err *err);
