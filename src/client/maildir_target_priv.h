/* SPDX-License-Identifier: MIT */
/*
 * maildir_target_priv.h - what maildir_target.c (writing) and maildir_seen.c (looking)
 * share.
 */
#pragma once

#include <dirent.h>

#include "client/maildir_target.h"

enum target_folder { TARGET_TMP, TARGET_NEW, TARGET_CUR, TARGET_FOLDERS };

#define TARGET_TMP_MAX 64
#define TARGET_BUFFER 65536

/* A file with a message of ours. */
struct seen {
	struct message_key key;
	uint64_t bytes;
};

struct maildir_target {
	char *path;             /* Owned */
	int fd[TARGET_FOLDERS]; /* Owned; -1: it isn't there, and was only looked at */
	char tmp_prefix[TARGET_TMP_MAX / 2];
	uint32_t next_number;
	struct seen *seen; /* by key. Owned */
	size_t n_seen;
	size_t cap_seen;
	size_t buffered;
	char buffer[TARGET_BUFFER]; /* of the message that is being written */
};

/* A stream over a folder, from its beginning. NULL with errno. */
DIR *maildir_target_read(int fd);
