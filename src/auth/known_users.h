/* SPDX-License-Identifier: MIT */
/*
 * known_users.h - users as their database had them when they last logged in, so that they can go
 * on while it is away. Secrets are in it: it is memory of auth's, and wiped.
 *
 * One thread. Times are clock_mono_ms().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/userdb.h"

/* The one that ends first, of four neighbours, makes room. Some 1 KiB each. */
#define KNOWN_USERS_MAX 65536

struct known_users;

/* NULL when there is no memory. */
struct known_users *known_users_new(void);
void known_users_free(struct known_users *k);

/* Keeps the record until then, for this name to log in by. Without memory it doesn't. */
void known_users_put(struct known_users *k, const char *login, const struct user_record *record,
		     uint64_t now_ms, uint64_t until_ms);

/* False: nobody is kept by this name. */
bool known_users_get(struct known_users *k, const char *login, uint64_t now_ms,
		     struct user_record *ret_record);

/*
 * What the database says of that name now, record being NULL for "unknown": who isn't there any
 * more, or has another secret, is forgotten.
 */
void known_users_compare(struct known_users *k, const char *login,
			 const struct user_record *record);

void known_users_clear(struct known_users *k);
