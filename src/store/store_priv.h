/* SPDX-License-Identifier: MIT */
/*
 * store_priv.h - what store.c and the drivers share. A driver's own structs
 * begin with one of these.
 */
#pragma once

#include "store/moving.h"
#include "store/store.h"

#define STORE_HOSTNAME_MAX 20

struct store_driver;

struct store {
	const struct store_driver *driver;
	store_notice *notice; /* may be NULL */
	void *notice_arg;
	char hostname[STORE_HOSTNAME_MAX + 1]; /* only what may stand in a file name */
};

struct maildrop {
	struct store *store; /* Borrowed */
	int snapshot_fd;     /* read-only. Owned */
	uint32_t count;
	uint64_t octets;
	int64_t growth;  /* of its records */
	uint32_t marked; /* bits set in marks */
	uint8_t *marks;  /* bit n-1 for message n; NULL while nothing is marked. Owned */
};

struct delivery {
	struct store *store; /* Borrowed */
	int fd;              /* what the writer fills. Owned */
};

struct moving {
	struct store *store;      /* Borrowed */
	struct moving_message *v; /* once it is planned. Borrowed */
	size_t n;
};

/* As moving.h says it. */
struct moving_driver {
	int (*begin)(struct store *s, const struct store_owner *owner, bool dry_run,
		     struct moving **ret_moving, struct err *err);
	bool (*is_place)(const struct moving *m, uint64_t device, uint64_t inode);
	int (*plan)(struct moving *m, const struct moving_wish *wish,
		    struct moving_counts *ret_counts, struct err *err);
	int (*fd)(struct moving *m, int *ret_fd, struct err *err);
	int (*arrive)(struct moving *m, struct moving_message *message,
		      const struct moving_info *info, struct err *err);
	int (*commit)(struct moving *m, struct err *err);
	void (*close)(struct moving *m);
};

/*
 * One row a driver. Arguments are checked by store.c: paths are absolute, message
 * numbers in range, a file that is to be delivered has the length that was said.
 * Each function that makes something leaves nothing behind when it fails.
 */
struct store_driver {
	const char *name;
	struct store *(*store_new)(void); /* zeroed; NULL: no memory */
	void (*store_free)(struct store *s);

	int (*open)(struct store *s, const struct store_owner *owner,
		    struct maildrop **ret_maildrop, struct err *err);
	/* NULL: never now. */
	int (*open_now)(struct store *s, const struct store_owner *owner,
			struct maildrop **ret_maildrop);
	int (*message_now)(struct maildrop *m, uint32_t n, struct store_message *ret_message);
	void (*close)(struct maildrop *m); /* frees m and all but marks and snapshot_fd */
	/* close() would write something down. NULL: it never does. */
	bool (*writes_at_close)(const struct maildrop *m);
	int (*message)(struct maildrop *m, uint32_t n, struct store_message *ret_message,
		       struct err *err);
	/* The message isn't counted. NULL for a driver where all are. fd stays open. */
	int (*check)(struct maildrop *m, uint32_t n, struct store_message *message,
		     struct err *err);
	int (*commit)(struct maildrop *m, struct err *err); /* something is marked */
	/* Marks what came in before this second. */
	int (*mark_older)(struct maildrop *m, uint64_t before, struct err *err);

	int (*usage)(struct store *s, const struct store_owner *owner,
		     struct store_usage *ret_usage, struct err *err);

	int (*deliver_begin)(struct store *s, const struct store_owner *owner,
			     struct delivery **ret_delivery, struct err *err);
	/* Fills each status; err, never NULL, belongs to the first that fails. */
	void (*deliver_commit)(struct delivery *d, const struct delivery_info *info,
			       struct delivery_target *targets, size_t n, struct err *err);
	void (*deliver_free)(struct delivery *d);

	const struct moving_driver *moving; /* NULL: mail can't move into it */
};

extern const struct store_driver store_maildir_driver;
extern const struct store_driver store_mem_driver;

static inline bool maildrop_is_marked(const struct maildrop *m, uint32_t n)
{
	return m->marks != NULL && (m->marks[(n - 1) / 8] >> ((n - 1) % 8) & 1) != 0;
}

/* One line to the operator, if anybody listens. */
void store_say(const struct store *s, const char *maildrop, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));
