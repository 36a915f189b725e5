/* SPDX-License-Identifier: MIT */
/*
 * stored_row.h - the message that somebody means by a number of "restante list".
 */
#pragma once

#include "client/restante.h"
#include "client/stored_mail.h"

/*
 * Opens the file of the message that text (a number) names, in *ret_fd, and says
 * when it was stored. EX_OK, or what to exit with, after saying why.
 */
int stored_row_open(struct state *state, struct stored_mail *files, const char *text, int *ret_fd,
		    int64_t *ret_stored_at);
