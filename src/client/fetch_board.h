/* SPDX-License-Identifier: MIT */
/*
 * fetch_board.h - what the user sees while accounts are fetched, several at the same
 * time perhaps: one progress line for all of them, and lines of text that don't get into
 * each other. Any thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "client/fetch.h"
#include "client/progress.h"

struct fetch_board {
	bool quiet;
	bool dry_run;
	bool only_news; /* a session in which nothing happened isn't told */
	bool bar;       /* standard error is a terminal, and nothing else is written there */

	pthread_mutex_t _lock;
	struct progress _progress;
	char _title[80];
	size_t _running;  /* accounts that have begun to fetch and not ended */
	size_t _messages; /* of all since the line was empty */
	uint64_t _octets;
	size_t _messages_come;
	uint64_t _octets_come;
};

/* An account's share of it. Zero it but for what is the caller's. */
struct fetch_view {
	struct fetch_board *board;
	const char *account; /* its name. Borrowed */

	bool _begun;
	size_t _messages_come;
	uint64_t _octets_come;
};

void fetch_board_init(struct fetch_board *b, bool quiet, bool verbose, bool dry_run);
void fetch_board_done(struct fetch_board *b);

/* For fetch(): it shows how that goes, with each line of the dialogue when verbose. */
struct fetch_observer fetch_view_observer(struct fetch_view *v, bool verbose);

/* The account is done. A failure has its reason in err. */
void fetch_view_end(struct fetch_view *v, enum fetch_status status,
		    const struct fetch_result *result, const struct err *err);
