/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - one command for each of many messages, sent ahead of the replies when
 * the server has announced that it can (PIPELINING), one at a time when not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "client/dialogue.h"
#include "client/fetch_status.h"
#include "client/listing.h"

/*
 * What is done with the replies, in the order of the messages. Each may end it all by
 * returning something else than FETCH_OK. NULL where a command has none of it.
 */
struct pipeline_handler {
	enum fetch_status (*begin)(void *ctx, struct message *m); /* +OK */
	enum fetch_status (*text)(void *ctx, struct message *m, struct span text);
	enum fetch_status (*end)(void *ctx, struct message *m); /* the terminator was there */
	enum fetch_status (*refused)(void *ctx, struct message *m,
				     const struct pop3_client_event *e);
	void *ctx;
};

/*
 * Sends verb (RETR, TOP with 0 lines, or DELE) for each message that chosen() wants, in
 * their order. When it returns FETCH_OK, every command has had its reply.
 */
enum fetch_status pipeline_run(struct dialogue *d, bool pipelining, enum pop3_verb verb,
			       struct listing *l, bool (*chosen)(const struct message *m),
			       const struct pipeline_handler *h, struct err *err);
