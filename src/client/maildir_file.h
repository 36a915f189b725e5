/* SPDX-License-Identifier: MIT */
/*
 * maildir_file.h - the names of files that restante stores messages in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "client/message_key.h"

#define MAILDIR_FILE_MAX 255

/* A new name for that message now. The order in which a program makes them is kept in them. */
void maildir_file_name(const struct message_key *key, uint64_t bytes, uint64_t octets,
		       char ret_name[static MAILDIR_FILE_MAX + 1]);

/*
 * The key in a name, whatever mail readers have added to it. *ret_bytes is S=, or
 * UINT64_MAX without one. False for the name of somebody else's file.
 */
bool maildir_file_parse(struct span name, struct message_key *ret_key, uint64_t *ret_bytes);
