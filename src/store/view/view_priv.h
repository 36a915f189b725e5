/* SPDX-License-Identifier: MIT */
/*
 * view_priv.h - the parts of a view:
 *
 *	view           one session
 *	view_list      lists of messages that were deleted and are kept, as octets
 *	view_lists     the same in memory, and their changes
 *	view_folder    the folders that a view is made of
 *	view_snapshot  what is in it
 *	view_commit    QUIT
 *	view_sweep     what is due: to be moved, or to go for good
 *	view_expire    what is too old
 *	view_admin     undelete and devices, for the operator
 *
 * Locks, in the order in which they are taken: the lists' (for moments), the device's (for a
 * session; nobody waits for it), a folder's (for moments), and what the driver has below that.
 *
 * What a session deletes is decided by one batch on one list, which is there or isn't; what
 * follows from it is done at once, or, if somebody dies, by the next session.
 */
#pragma once

#include "store/view/view.h"
#include "store/view/view_list.h"

/* INBOX, and those that are listed beside it. */
#define VIEW_FOLDERS_MAX 17
/* Of one user, with the plain login's. */
#define VIEW_DEVICES_MAX 32
#define VIEW_DAY 86400

/* The one list that all devices share; the others are VIEW_LIST_HAD and the device's name. */
#define VIEW_LIST_DELETED "deleted"
#define VIEW_LIST_HAD "had."
#define VIEW_NAME_SIZE 96

struct view_folder {
	char name[VIEW_FOLDER_MAX + 1]; /* "" for INBOX */
	char path[LIMIT_PATH];
	bool listed;        /* in what the session sees */
	struct maildrop *m; /* NULL: there is no such folder. Owned */
	bool held;          /* others are kept out of it */
};

struct view {
	struct maildrop base;
	const struct store_driver *driver; /* the folders' */
	const struct store_views_row *row;
	struct store_views *views; /* Owned */
	struct store_owner owner;  /* its path is the one that follows; it has no user */
	char path[LIMIT_PATH];
	struct view_folder folders[VIEW_FOLDERS_MAX]; /* INBOX is the first */
	unsigned int n_folders;
	uint64_t now; /* seconds of the wall clock, when this was begun */
};

/* ---- view.c ---- */

/* With INBOX as its only folder, which isn't open; nor is anything else. NULL: no memory. */
struct view *view_new(struct store *s, const struct store_owner *owner);
void view_free(struct view *v);

/* Message n of the view: which folder's, and which one there. */
int view_where(const struct view *v, uint32_t n, bool now, unsigned int *ret_folder,
	       uint32_t *ret_n);

/* ---- view_lists.c ---- */

/* A list, read. Entries borrow from it. */
struct view_loaded {
	char *p; /* Owned */
	size_t n;
	struct span whole;
};

int view_load(const struct view *v, const char *list, struct view_loaded *ret, struct err *err);
void view_loaded_done(struct view_loaded *l);
void view_had_name(char out[static VIEW_NAME_SIZE], const char *device);

/* A message of the view, in a folder of it. */
struct view_item {
	unsigned int folder;
	uint32_t n; /* there */
};

/* Adds these to a list, durably: all or nothing. */
int view_list_add(const struct view *v, const char *list, enum view_kind kind,
		  const struct view_item *items, size_t n, struct err *err);

/* Writes the list anew, without the entries that drop() says. */
typedef bool view_drop(void *arg, const struct view_entry *e);
int view_list_rewrite(const struct view *v, const char *list, const struct view_loaded *l,
		      view_drop *drop, void *arg, struct err *err);

/* Is something still to be moved to the trash from a folder that this view doesn't have? */
bool view_list_has_strange(const struct view *v, const struct view_loaded *l);

/* Entries by folder and UIDL. */
struct view_slot {
	struct span uidl; /* of the last entry that says so; n 0: free */
	unsigned int folder;
	uint32_t devices; /* bit i: of device i's list */
	uint64_t seconds; /* the first of them; when it was deleted: the last */
	enum view_kind kind;
	bool pending; /* VIEW_TRASHED, and perhaps not there yet */
	bool seen;    /* there is such a message: a mark for who uses the set */
};

struct view_set {
	struct view_slot *v; /* Owned */
	size_t mask;
	size_t count;
};

/* FNV-1a. Who can choose UIDLs here can only slow down his own maildrop. */
uint64_t view_hash(struct span uidl);

void view_set_done(struct view_set *set);
/* Adds all entries of folders that the view has. 0 or -ENOMEM. */
int view_set_add(struct view_set *set, const struct view *v, const struct view_loaded *l,
		 unsigned int device);
int view_set_put(struct view_set *set, unsigned int folder, struct span uidl);
/* Of those that are in the trash, the UIDLs that they have there, as of folder 0. */
int view_set_add_keys(struct view_set *set, const struct view_loaded *l);
/* NULL when it isn't there. */
struct view_slot *view_set_find(const struct view_set *set, unsigned int folder, struct span uidl);

/*
 * False also for a message that had been moved to the trash: if it is in its folder, somebody
 * has put it back there, as IMAP servers do under the same name.
 */
bool view_slot_hides(const struct view_slot *slot);

/* ---- view_folder.c ---- */

/* Those that the rules list. -EINVAL for rules that make no sense. */
int view_folders_add(struct view *v, struct err *err);
/* One more, or the one that has this name; VIEW_FOLDERS_MAX: there is no room. */
unsigned int view_folder_get(struct view *v, struct span name);
/* Its place; UINT_MAX for a folder that the view doesn't have. */
unsigned int view_folder_find(const struct view *v, struct span name);

/* Opens all that exist. deleted says which messages are away. Others are kept out until let go. */
int view_folders_open(struct view *v, const struct view_loaded *deleted, struct err *err);
void view_folders_let_go(struct view *v);
void view_folders_close(struct view *v);
int view_folder_hold(struct view_folder *f, struct err *err);

/* Nothing is marked in it any more. */
void view_folder_unmark(struct view_folder *f);

/* The trash, opened. -ENOENT when there is none. */
int view_trash_path(const struct view *v, char path[static LIMIT_PATH], struct err *err);
int view_trash_open(const struct view *v, struct maildrop **ret_m, struct err *err);

/* Whose folder is at this path. */
struct store_owner view_owner_at(const struct view *v, const char *path);

/* ---- view_snapshot.c ---- */

/*
 * A message has the UIDL of its folder also in the view, unless an earlier folder has one
 * of the same UIDL; then it is this, of UIDL_DIGEST octets. 0 or -ENOMEM.
 */
int view_uidl_of_twin(const struct view_folder *f, struct span uidl, char *ret_uidl);

/* True when the snapshot that was kept is what would be made now; it is the session's then. */
bool view_snapshot_kept(struct view *v, bool *ret_today, struct err *err);
int view_snapshot_make(struct view *v, const struct view_loaded *deleted, struct err *err);

/* ---- view_commit.c, view_sweep.c ---- */

int view_commit(struct maildrop *maildrop, struct err *err);

/* Which of a user's devices must have had a message before it goes. */
struct view_devices {
	struct store_device v[VIEW_DEVICES_MAX + 1];
	unsigned int n;
	uint32_t counted; /* bit i */
	bool others;      /* some device besides ours is counted */
};

int view_devices(const struct view *v, struct view_devices *ret, struct err *err);

/* What is marked in the folders goes for good; or to the trash, which is decided already. */
int view_delete_marked(struct view *v, struct err *err);
int view_trash_marked(struct view *v, struct err *err);

/* What is marked in the folders goes, in the sense of the rules. The lists are locked. */
int view_dispose(struct view *v, const struct view_item *items, size_t n, struct err *err);

/*
 * Does what is due, as far as it can be done. *ret_changed: the folders aren't any more what
 * they were when they were opened. trash: looks there, too. The lists are locked.
 */
void view_sweep(struct view *v, bool trash, bool *ret_changed);
