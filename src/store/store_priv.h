/* SPDX-License-Identifier: MIT */
/*
 * store_priv.h - what store.c and the drivers share. A driver's own structs
 * begin with one of these.
 */
#pragma once

#include "codec/index/index_record.h"
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
	struct store *store;               /* Borrowed */
	const struct store_driver *driver; /* the store's, or the view's (store/view/) */
	int snapshot_fd;                   /* read-only. Owned */
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

/* A message that was moved out of the maildrop and may come back. */
struct store_away {
	struct span uidl;
	struct span key; /* its UIDL where it is now */
};

/*
 * How a view opens one of the folders that it is made of. It waits a moment for others who
 * have it open: no session of a view keeps it, and who comes without a view finds that out soon.
 */
struct store_opening {
	bool is_main; /* where the view's own files are: ordinary sessions go by it from now on */
	bool must_exist;               /* -ENOENT instead of making what is missing */
	const struct store_away *away; /* these keep their places in the order */
	size_t n_away;
};

/* opening NULL, and the maildrop can only be opened as a view: nothing is open. */
#define STORE_HAS_VIEWS 1

/* What views keep beside a maildrop's messages. A driver's own begins with this. */
struct store_views {
	struct store *store; /* Borrowed */
};

/* One of the devices of a maildrop; the plain login's has the name "". */
struct store_device {
	char name[64];
	uint64_t seen; /* seconds of the wall clock: when its last session began */
};

/*
 * The part of a driver that views stand on: lists, which are data, and snapshots, which are
 * a cache. Names of lists are short and made of letters, digits, '.', '-' and '_'.
 */
struct store_views_row {
	/* -ENOENT without make and when there is nothing yet. */
	int (*open)(struct store *s, const struct store_owner *owner, bool make,
		    struct store_views **ret_views, struct err *err);
	void (*close)(struct store_views *v); /* frees what is locked and taken, too */

	/*
	 * Who changes a list has this; it is held for moments, but a large maildrop's may be
	 * long. Waits for seconds, -EBUSY in the end; who isn't patient hears -EAGAIN soon.
	 */
	int (*lock)(struct store_views *v, bool patient, struct err *err);
	void (*unlock)(struct store_views *v);

	/*
	 * This session is that device's only one: -EBUSY when it has another. It is seen
	 * now. -ENOENT for one that is new; with make it is one from then on, durably,
	 * and so is the plain login if this is the first of all. The lists are locked.
	 */
	int (*take)(struct store_views *v, const char *device, bool make, struct err *err);
	/* All there are, at most max; how many, or negative errno. */
	int (*devices)(struct store_views *v, struct store_device *ret, size_t max,
		       struct err *err);
	/* -ENOENT; -EBUSY while it has a session. Its list stays. */
	int (*forget)(struct store_views *v, const char *device, struct err *err);

	/* *ret_p has n octets, and is NULL when there is no such list. The caller frees it. */
	int (*read)(struct store_views *v, const char *list, char **ret_p, size_t *ret_n,
		    struct err *err);
	/* The first octets, at most n of them, and how long it is (0: there is none). */
	int (*peek)(struct store_views *v, const char *list, char *p, size_t n, uint64_t *ret_size,
		    struct err *err);
	/* Durable when they return. at: what stands behind it goes. */
	int (*append)(struct store_views *v, const char *list, uint64_t at, struct span s,
		      struct err *err);
	int (*replace)(struct store_views *v, const char *list, struct span s, struct err *err);
	int (*remove)(struct store_views *v, const char *list, struct err *err);

	/*
	 * A cache, or NULL: a snapshot that was kept under this name, if it is of this
	 * boot of the machine; a file to write one into; and when that is finished, the
	 * same to be read. A descriptor or negative errno.
	 */
	int (*snapshot)(struct store_views *v, const char *name, struct index_header *ret_header);
	int (*snapshot_make)(struct store_views *v, const char *name);
	int (*snapshot_keep)(struct store_views *v, const char *name, int fd);
	uint64_t (*boot)(const struct store_views *v);
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
		    const struct store_opening *opening, struct maildrop **ret_maildrop,
		    struct err *err);
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
	/*
	 * For views. Others may open the maildrop, the session goes on; and it is ours
	 * again. What is marked goes to another maildrop, durably: all that can be, and
	 * the first error. When message n came in, in seconds of the wall clock (0: nobody
	 * knows); and the UIDL that it will have when it has been moved.
	 */
	void (*let_go)(struct maildrop *m);
	int (*take_again)(struct maildrop *m, struct err *err);
	int (*refile)(struct maildrop *m, const struct store_owner *to, struct err *err);
	uint64_t (*came)(struct maildrop *m, uint32_t n, const struct index_record *r);
	int (*key)(struct maildrop *m, uint32_t n, const struct index_record *r,
		   char ret_key[static LIMIT_UIDL + 1], struct err *err);
	const struct store_views_row *views;

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
