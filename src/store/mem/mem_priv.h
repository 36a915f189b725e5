/* SPDX-License-Identifier: MIT */
/*
 * mem_priv.h - the driver that keeps everything in memory: the reference that the
 * driver tests hold the others against, and a store for tests of what is above.
 */
#pragma once

#include <pthread.h>

#include "codec/index/index_record.h"
#include "store/store_priv.h"

struct mem_message {
	int fd; /* sealed memfd. Owned */
	struct index_record record;
};

/* The maildrop of one path. Messages are only ever appended while it is busy, but by its session.
 */
struct mem_box {
	struct mem_box *next;
	char *path; /* Owned */
	bool busy;  /* a session has it */
	struct mem_message *messages;
	uint32_t count;
	uint32_t cap;
};

struct mem_store {
	struct store base;
	pthread_mutex_t lock; /* for all that follows */
	struct mem_box *boxes;
	uint64_t delivered; /* so that no UIDL is used twice */
};

struct mem_drop {
	struct maildrop base;
	struct mem_box *box;
};

/* With the lock held. NULL: no memory. */
struct mem_box *mem_box_get(struct mem_store *s, const char *path);

/* A second descriptor of a memfd, for reading only and with an offset of its own; or -errno. */
int mem_reopen(int fd);

/* With the lock held. */
struct store_usage mem_box_usage(const struct mem_box *box);

int mem_deliver_begin(struct store *s, const struct store_owner *owner,
		      struct delivery **ret_delivery, struct err *err);
void mem_deliver_commit(struct delivery *d, const struct delivery_info *info,
			struct delivery_target *targets, size_t n, struct err *err);
void mem_deliver_free(struct delivery *d);
