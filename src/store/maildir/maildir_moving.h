/* SPDX-License-Identifier: MIT */
/*
 * maildir_moving.h - what the two halves of an import share: the plan (maildir_moving.c)
 * and the messages that come (maildir_arrival.c).
 *
 *	1. restante.moving   what is still to come, written first: who finds no file for one
 *	                     of these knows that it hasn't come, rather than been deleted
 *	2. restante.uidl     every message's UIDL and place, before it comes
 *	3. new/, cur/        the messages, each synced before it gets its name
 *	4. restante.moving   removed when the directories are synced
 */
#pragma once

#include "store/maildir/maildir_incoming.h"
#include "store/maildir/maildir_priv.h"

struct maildir_moving {
	struct moving base;
	struct maildir_drop *drop; /* root_fd is -1 where a dry run found none. Owned */
	bool dry_run;
	bool in_place;

	/* While it is planned. */
	struct maildir_given given;   /* restante.uidl as it was */
	struct maildir_given awaited; /* restante.moving as it was */
	struct maildir_files files;
	struct maildir_moving_file *by_file; /* one a file. Owned */
	uint32_t *buckets;                   /* by key. Owned */
	uint32_t mask;

	/* While messages come. */
	struct incoming incoming;
	int dir_fd[MAILDIR_DIRS]; /* Owned */
	unsigned int unsynced;
	bool touched[MAILDIR_DIRS];
};

struct maildir_moving_file {
	uint32_t hash;
	uint32_t next;
	bool claimed; /* some message that is listed is in it */
};

int maildir_moving_fd(struct moving *m, int *ret_fd, struct err *err);
int maildir_moving_arrive(struct moving *m, struct moving_message *message,
			  const struct moving_info *info, struct err *err);
int maildir_moving_commit(struct moving *m, struct err *err);

/* Its file's name, as the list has it. */
struct span maildir_moving_name(const struct maildir_moving *m, const struct moving_message *msg);

/* What is to come and isn't here, written down; removed when there is nothing. */
int maildir_moving_await(struct maildir_moving *m, struct err *err);
