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
	uint64_t came; /* a number that grows: its place in the order */
};

struct mem_list {
	struct mem_list *next;
	char name[96];
	char *p; /* Owned */
	size_t n;
};

struct mem_device {
	struct mem_device *next;
	struct store_device is;
	bool busy; /* a session has it */
};

/* The maildrop of one path. While it is busy, others only append to it. */
struct mem_box {
	struct mem_box *next;
	char *path;                 /* Owned */
	bool busy;                  /* a session has it */
	bool has_views;             /* only views open it */
	bool views_busy;            /* somebody changes its lists */
	struct mem_list *lists;     /* Owned */
	struct mem_device *devices; /* Owned */
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
	bool busy; /* box->busy is ours */
};

/* With the lock held. NULL: there is none. */
struct mem_box *mem_box_find(struct mem_store *s, const char *path);

/* With the lock held. NULL: no memory. */
struct mem_box *mem_box_get(struct mem_store *s, const char *path);

/* A second descriptor of a memfd, for reading only and with an offset of its own; or -errno. */
int mem_reopen(int fd);

/* With the lock held. */
struct store_usage mem_box_usage(const struct mem_box *box);
/*
 * With the lock held, waits so long until *busy is false, and makes it true. False:
 * it stayed so. The lock is given up meanwhile.
 */
#define MEM_PATIENCE_MS 5000
bool mem_wait(struct mem_store *s, bool *busy, int ms);

/* With the lock held. Puts a message into its place in the order. 0 or -ENOMEM. */
int mem_box_put(struct mem_box *box, const struct mem_message *message);

/* mem_views.c */
extern const struct store_views_row mem_views_row;
void mem_views_free(struct mem_box *box);

int mem_deliver_begin(struct store *s, const struct store_owner *owner,
		      struct delivery **ret_delivery, struct err *err);
void mem_deliver_commit(struct delivery *d, const struct delivery_info *info,
			struct delivery_target *targets, size_t n, struct err *err);
void mem_deliver_free(struct delivery *d);
