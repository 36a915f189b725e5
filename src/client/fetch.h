/* SPDX-License-Identifier: MIT */
/*
 * fetch.h - one session with one account: everything new is stored, once; what shall
 * be deleted is, where the stored copy is known.
 *
 * No globals: several may run at once, each in its thread. It blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/account.h"
#include "client/fetch_status.h"

/*
 * Whoever shows how it goes. Called from the thread that fetches, which waits
 * meanwhile; what is NULL isn't called.
 */
struct fetch_observer {
	/* A line of the dialogue, as in dialogue.h. */
	void (*line)(void *ctx, bool sent, struct span line);
	/* So much is to be fetched. */
	void (*begin)(void *ctx, size_t messages, uint64_t octets);
	/* So much of it has come: messages that are whole, octets of all. */
	void (*progress)(void *ctx, size_t messages, uint64_t octets);
	/* What is worth a line and doesn't end the session. */
	void (*remark)(void *ctx, const char *text);
	void *ctx;
};

struct fetch_options {
	const struct account *account;
	const char *password;
	const char *deliver_password; /* for deliver_user */
	const char *state_file;
	bool dry_run; /* look, tell by remarks, and change nothing */
	int stop_fd;  /* readable when it shall stop; see stream.h */
	struct fetch_observer observer;
};

/* What was done; also after a failure, as far as it came. */
struct fetch_result {
	size_t listed;  /* messages on the server */
	size_t known;   /* of them: stored before */
	size_t fetched; /* stored now, and remembered */
	uint64_t octets;
	size_t adopted;       /* stored by a session that died before it could remember them */
	size_t large;         /* not fetched: larger than max_size */
	size_t left;          /* not fetched: more than max_messages */
	size_t refused;       /* RETR, or DELE, was answered -ERR */
	size_t undelivered;   /* the destination won't have them; they stay on the server */
	size_t deferred;      /* ... or not now */
	size_t remaining;     /* on the server, after that */
	uint32_t login_delay; /* seconds that the server wants between logins; 0: any */
	size_t deleted;       /* and QUIT was confirmed */
	size_t pending;       /* to be deleted, and it isn't known to be done */
};

/*
 * FETCH_OK when all is done. FETCH_REFUSED or FETCH_DEFERRED when the rest of it is; *err is
 * untouched then, for each refusal was a remark. Otherwise *err says what ended it.
 */
enum fetch_status fetch(const struct fetch_options *options, struct fetch_result *ret_result,
			struct err *err);
