/* SPDX-License-Identifier: MIT */
/*
 * restante.h - the program: its commands and what they share. Only here is anything
 * printed. Commands say on standard error what went wrong, and return what to exit
 * with (sysexits.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "client/client_config.h"
#include "client/fetch_status.h"
#include "client/state.h"

#define RESTANTE_ACCOUNT_OPTIONS 64

/* What the command line said. Strings are borrowed from argv; NULL: not given. */
struct restante {
	const char *config_path;
	const char *state_file;
	const char *parallel;
	const char *account_options[RESTANTE_ACCOUNT_OPTIONS]; /* by account_option()'s number */
	bool quiet;
	bool verbose;
	bool dry_run;
	bool raw;
	const char *from; /* whose configuration is imported */
	bool force;
	bool print;
	const char *directory;
	char **names; /* accounts, or what else a command is about; ends with NULL */

	struct client_config config; /* Owned, once it is loaded */
	int stop_fd;                 /* readable after SIGINT or SIGTERM */
};

int restante_fetch(struct restante *r);
int restante_watch(struct restante *r);
int restante_list(struct restante *r);
int restante_show(struct restante *r);
int restante_save(struct restante *r);
int restante_search(struct restante *r);

int restante_import(struct restante *r);

/* Where the configuration is, or would be. EX_OK or what to exit with, after saying why. */
int restante_config_file(const struct restante *r, char *ret_path, size_t cap);

/*
 * Reads the configuration into r->config; one that isn't there is an empty one unless
 * it was asked for. EX_OK or what to exit with, after saying why.
 */
int restante_load(struct restante *r);

/* Where the state is: as told, as configured, or where XDG says. The same results. */
int restante_state_file(const struct restante *r, char *ret_path, size_t cap);

/*
 * Opens the state, to look something up: *ret_state is NULL when nothing was ever
 * fetched. Loads the configuration for that. The same results.
 */
int restante_open_state(struct restante *r, struct state **ret_state);

/* Says "restante: TEXT" on standard error. Returns status, so that it can be returned. */
int restante_complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a session's end is for the shell. */
int restante_exit_status(enum fetch_status status);

/* Ends standard output: EX_OK, or EX_IOERR said when what was printed went nowhere. */
int restante_printed(void);
