/* SPDX-License-Identifier: MIT */
/*
 * client_config.h - reads restante.conf(5): accounts, a section each, and what is
 * the same for all of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "client/account.h"

struct client_config {
	char state_file[LIMIT_PATH]; /* absolute; "": where XDG says */
	uint32_t parallel;           /* accounts fetched at once; 0: the default */
	struct account *accounts;    /* in the order of the file. Owned */
	size_t n;
};

/*
 * Reads path. On failure *err names the file and line, and *ret_config is untouched:
 * -EINVAL for what is wrong in it, -EPERM when it holds a password and its permissions
 * let others read it, otherwise as reading it went.
 *
 * From one thread at a time.
 */
int client_config_load(const char *path, struct client_config *ret_config, struct err *err);

/* Wipes the passwords. A zeroed one is fine. */
void client_config_done(struct client_config *c);

/* The account of that name, or NULL. */
struct account *client_config_find(const struct client_config *c, const char *name);

/*
 * The options outside of sections, as account_option() tells of those inside: number
 * i from 0, or NULL past the end.
 */
const struct account_option *client_config_option(unsigned i);

/* So many accounts at once, unless the configuration says otherwise; and never more. */
#define CLIENT_PARALLEL_DEFAULT 4
#define CLIENT_PARALLEL_MAX 64

bool client_config_set_parallel(struct client_config *c, const char *text, struct err *err);

/* Makes a path absolute as options are: "~/" is home. False when it can't be. */
bool client_config_set_state_file(struct client_config *c, const char *text, struct err *err);
