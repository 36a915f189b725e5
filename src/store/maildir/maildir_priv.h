/* SPDX-License-Identifier: MIT */
/*
 * maildir_priv.h - the driver for Maildir directories. doc/maildir.md says what
 * stands on disk; each part of the work has a file:
 *
 *	maildir_store     the driver's row, and maildrops that don't exist yet
 *	maildir_open      one session: lock, journal, index, snapshot
 *	maildir_now       the same, and a message, where nothing has to be waited for
 *	maildir_scan      what is in new/ and cur/ now, and when that was
 *	maildir_catalog   the messages in memory while an index is made
 *	maildir_merge     what was known + what is there = the new list
 *	maildir_given     UIDLs and order that an import has given
 *	maildir_moving    an import: what is here, and what is to come
 *	maildir_arrival   an import: a message that comes
 *	maildir_size      how long a message is
 *	maildir_index     the list, written
 *	maildir_locate    a message that is no longer where the index says
 *	maildir_message   one message, opened
 *	maildir_expire    what is too old
 *	maildir_expunge   QUIT
 *	maildir_unlink    the files that it deletes
 *	maildir_replay    a QUIT that was interrupted
 *	maildir_deliver   a message coming in
 *	maildir_incoming  its file
 *	maildir_note      its record in the index
 *	maildir_usage     how much there is, for quotas
 *	maildir_watch     did anybody else change a directory meanwhile?
 *	maildir_tidy      what dead programs left behind
 *	maildir_refile    to another folder
 *	maildir_views     what views keep
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "codec/index/index_record.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/maildir/maildir_name.h"
#include "store/store_priv.h"
#include "store/store_sys.h"

#define MAILDIR_INDEX "restante.index"
#define MAILDIR_INDEX_TMP "restante.index.tmp"
#define MAILDIR_JOURNAL "restante.journal"
#define MAILDIR_JOURNAL_TMP "restante.journal.tmp"
#define MAILDIR_LOCK "restante.lock"
#define MAILDIR_UIDL "restante.uidl"
#define MAILDIR_UIDL_TMP "restante.uidl.tmp"
#define MAILDIR_MOVING "restante.moving"
#define MAILDIR_VIEWS "restante.views"

/* Which of the two directories that hold messages; also the place in index_header.dirs. */
enum maildir_where { MAILDIR_NEW, MAILDIR_CUR };
#define MAILDIR_DIRS 2

static inline const char *maildir_where_name(enum maildir_where where)
{
	return where == MAILDIR_CUR ? "cur" : "new";
}

#define MAILDIR_WATCHES 32

struct maildir_store {
	struct store base;
	uint64_t boot;
	pthread_mutex_t make_lock; /* one thread at a time makes directories */
	atomic_uint making;        /* threads that have begun to, and not synced yet */
	pthread_mutex_t watch_lock;
	int watches[MAILDIR_WATCHES]; /* inotify descriptors without watches. Owned */
	unsigned int n_watches;
};

struct maildir_owner {
	struct store_owner o; /* its path is the one that follows; it has no user */
	char path[LIMIT_PATH];
};

void maildir_owner_copy(struct maildir_owner *to, const struct store_owner *from);

/* ---- maildir_store.c ---- */

/*
 * Opens the maildrop's directory. With make, what is missing of the path and of
 * new/, cur/ and tmp/ is made, and is durable then. The descriptor, or negative errno.
 */
int maildir_root_open(struct maildir_store *s, const char *path, bool make, struct err *err);
int maildir_make_missing(struct maildir_store *s, const char *path, struct err *err);

/*
 * A descriptor of new/ or cur/ (O_RDONLY | O_DIRECTORY), or negative errno. A link
 * isn't followed (-ENOTDIR): who can write to this maildrop could let it lead into
 * another one of the same owner's.
 */
int maildir_dir_open(int root_fd, enum maildir_where where, const char *path, struct err *err);

/* ---- maildir_scan.c: what is in the directories ---- */

struct maildir_drop;

/* Strings after each other; an offset stays good when the memory moves. */
struct maildir_pool {
	char *p; /* Owned */
	size_t n;
	size_t cap;
};

/* UINT32_MAX offset: no memory. */
#define MAILDIR_NOWHERE UINT32_MAX
uint32_t maildir_pool_put(struct maildir_pool *pool, struct span s);

struct maildir_file {
	uint32_t name; /* in the pool */
	uint8_t name_len;
	uint8_t where;
	bool taken;
};

struct maildir_files {
	struct maildir_pool names;
	struct maildir_file *v; /* Owned */
	uint32_t count;
	uint32_t cap;
};

static inline struct span maildir_file_name(const struct maildir_files *f, uint32_t i)
{
	return span_of(f->names.p + f->v[i].name, f->v[i].name_len);
}

/* Appends to *files. What isn't a message is mentioned, unless quiet. */
int maildir_scan(struct maildir_drop *m, enum maildir_where where, bool quiet,
		 struct maildir_files *files, struct err *err);
void maildir_files_done(struct maildir_files *files);

static inline struct index_mark maildir_mark_of(const struct stat *st)
{
	return (struct index_mark){.mtime_ns = sys_ns(st->st_mtim),
				   .ctime_ns = sys_ns(st->st_ctim)};
}

/*
 * Puts our mark on a directory that is about to be read: its modification time,
 * by which the next open knows whether it has changed. Time 0: this directory can't
 * be marked, so never trust it.
 */
struct index_mark maildir_stamp(int dir_fd);

/* ---- maildir_catalog.c: the messages ---- */

enum maildir_state {
	MAILDIR_LISTED, /* stands in the old index, not found on disk yet */
	MAILDIR_KEPT,   /* stands there, and its directory has not changed */
	MAILDIR_FOUND,  /* stands there, and on disk */
	MAILDIR_FRESH,  /* on disk only */
	MAILDIR_AWAY,   /* moved out; it may come back to its place */
	MAILDIR_GONE,   /* isn't to be listed */
};

struct maildir_message {
	uint64_t octets;
	uint64_t bytes;
	uint32_t flags;   /* enum index_flag, but for those about name and place */
	uint32_t name;    /* in the pool; a locator where name_len is 0 */
	uint32_t uidl;    /* in the pool */
	uint32_t hash;    /* of its key, see maildir_key_make() */
	uint32_t next;    /* with the same bucket */
	uint8_t name_len; /* 0: the record couldn't hold it, and it wasn't seen yet */
	uint8_t uidl_len;
	uint8_t where;
	uint8_t state;
	int16_t growth; /* as the record has it */
	bool seen;      /* found in an earlier reading of the directories */
	bool changed;   /* its record must be written anew */
};

/* Of a table of UIDLs. */
struct maildir_slot {
	uint32_t message; /* its place in the catalog + 1; 0: free */
	uint32_t hash;    /* of the UIDL */
};

struct maildir_catalog {
	struct maildir_pool text;
	struct maildir_message *v; /* Owned */
	uint32_t count;
	uint32_t cap;
	uint32_t old;      /* the first ones are those of the old index */
	uint32_t *buckets; /* by key. Owned */
	uint32_t mask;
	struct maildir_slot *uidls; /* open addressing; made when first needed. Owned */
	uint32_t uidl_mask;
	bool damaged; /* some record of the old index didn't decode */
};

static inline struct span maildir_message_name(const struct maildir_catalog *c,
					       const struct maildir_message *m)
{
	return span_of(c->text.p + m->name, m->name_len);
}

static inline struct span maildir_message_uidl(const struct maildir_catalog *c,
					       const struct maildir_message *m)
{
	return span_of(c->text.p + m->uidl, m->uidl_len);
}

void maildir_catalog_init(struct maildir_catalog *c);
void maildir_catalog_done(struct maildir_catalog *c);

/* Reads the records of an index into an empty catalog. 0, -ENOMEM or as the disk says. */
int maildir_catalog_load(struct maildir_catalog *c, int index_fd, uint32_t count);

enum maildir_match { MAILDIR_SAME_NAME, MAILDIR_SAME_BASE, MAILDIR_SAME_KEY };

/*
 * What a file is found by: the UIDL that its stem would have. It is the same
 * before and after every renaming that a mail program or a size mender does.
 */
struct maildir_key {
	struct span name;
	struct span base;
	struct maildir_uidl uidl;
	uint32_t hash;
};

bool maildir_key_make(struct span name, struct maildir_key *ret_key);

/*
 * What a record says of a name that it has no room for: the key's hash, a digest of the
 * base and one of the key. The file is looked for by them.
 */
#define MAILDIR_LOCATOR 30

struct maildir_locator {
	char text[MAILDIR_LOCATOR];
};

/* False: no memory for the digests. */
bool maildir_locator_make(const struct maildir_key *k, struct maildir_locator *ret_locator);
bool maildir_locator_hash(struct span locator, uint32_t *ret_hash);

/* Is this file the one of that locator? how isn't MAILDIR_SAME_NAME, and the hash is the same. */
bool maildir_locator_matches(struct span locator, const struct maildir_key *k,
			     enum maildir_match how);

uint32_t maildir_hash(struct span s);

/* Is this file this message's, in this sense? */
bool maildir_matches(const struct maildir_catalog *c, const struct maildir_message *m,
		     const struct maildir_key *k, enum maildir_where where, enum maildir_match how);

/* The first message in a bucket's chain, and the next; MAILDIR_NOWHERE at the end. */
uint32_t maildir_chain(const struct maildir_catalog *c, uint32_t hash);

/* Adds a message without a UIDL; its index, or MAILDIR_NOWHERE: no memory. */
uint32_t maildir_catalog_add(struct maildir_catalog *c, const struct maildir_key *k,
			     enum maildir_where where);

/* Of messages that have one UIDL, only the first stays. For an index that isn't trusted. */
int maildir_catalog_unique(struct maildir_catalog *c);

/* 1: a message that isn't gone has this UIDL; 0, or -ENOMEM. */
int maildir_catalog_has(struct maildir_catalog *c, struct span uidl);

struct maildir_given;

/*
 * Gives message i a UIDL that no other has: the given one, if there is one and nobody has it
 * yet (1: somebody has), else one from its name that isn't given to another. 0 or -ENOMEM.
 */
int maildir_catalog_name(struct maildir_catalog *c, uint32_t i, const struct maildir_given *g,
			 struct span uidl);

/* Gives message m the name of a file. 0 or -ENOMEM. */
int maildir_catalog_rename(struct maildir_catalog *c, struct maildir_message *m, struct span name,
			   enum maildir_where where);

/* ---- maildir_given.c: what an import has given ---- */

struct maildir_given_line {
	struct span uidl; /* both in the file */
	struct span name;
	uint32_t hash; /* of the name's key */
	uint32_t next_key;
	uint32_t next_uidl;
	bool used;
};

/* Zeroed, it gives nothing. */
struct maildir_given {
	char *file; /* Owned */
	size_t file_n;
	struct maildir_given_line *v; /* in the order of the messages. Owned */
	uint32_t count;
	uint32_t *by_key;  /* Owned */
	uint32_t *by_uidl; /* Owned */
	uint32_t mask;
};

struct maildir_drop;

/* file: MAILDIR_UIDL or its like. 0, also when there is no file; -EBADMSG or -EPERM for one that
 * can't be believed. */
int maildir_given_read(struct maildir_drop *m, const char *file, struct maildir_given *g,
		       struct err *err);
void maildir_given_done(struct maildir_given *g);

/* The line for this file, which is used then; MAILDIR_NOWHERE when there is none. */
uint32_t maildir_given_find(struct maildir_given *g, const struct maildir_key *k);

/* The first line with this UIDL; MAILDIR_NOWHERE when there is none. */
uint32_t maildir_given_at(const struct maildir_given *g, struct span uidl);

/* Is this UIDL given to a message, be it here or not? */
bool maildir_given_has(const struct maildir_given *g, struct span uidl);

/* ---- maildir_open.c: one session ---- */

struct maildir_moved;
struct maildir_watch;

/* What was counted in a message that its name is wrong about. */
struct maildir_correction {
	uint32_t n;
	uint32_t flags;
	int16_t growth;
	uint64_t octets;
	uint64_t bytes;
};

struct maildir_drop {
	struct maildrop base;
	struct maildir_owner owner;
	const struct store_opening *opening; /* while it is being opened. Borrowed */
	bool has_views; /* the index says so, and sessions other than views' are refused */
	bool let_go;    /* others may have changed anything since */
	int root_fd;    /* Owned; holds the lock where directories can be locked */
	int lock_fd;    /* the lock where they can't, else -1. Owned */
	int dir_fd[MAILDIR_DIRS];   /* opened when first needed, else -1. Owned */
	struct journal pending;     /* deleted by an earlier QUIT, but the disk won't let them go */
	struct span *pending_bases; /* theirs, sorted, pointing into pending. Owned */
	struct maildir_moved *moved;            /* Owned, NULL until a message isn't in its place */
	struct maildir_watch *watch;            /* while a commit unlinks. Borrowed */
	struct index_mark after[MAILDIR_DIRS];  /* of what it has changed; time 0: not known */
	bool unlinked[MAILDIR_DIRS];            /* dir_fd[d] must be synced */
	unsigned int odd;                       /* files that were mentioned, or would have been */
	struct maildir_correction *corrections; /* by number, but perhaps twice. Owned */
	size_t n_corrections;
};

static inline struct maildir_store *maildir_store_of(const struct maildir_drop *m)
{
	return (struct maildir_store *)m->base.store;
}

/* One session at a time: -EBUSY. root_fd is open. */
int maildir_lock_session(struct maildir_drop *m, struct err *err);

/* dir_fd[where], opened if need be; or negative errno. */
int maildir_drop_dir(struct maildir_drop *m, enum maildir_where where, struct err *err);

/*
 * About one file that is no message or can't be read. The first few are mentioned,
 * the others counted: a user can make a million of them, and our log isn't his.
 */
void maildir_say_odd(struct maildir_drop *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), cold));

/*
 * Is a file that only we write (index, journal) what it should be: this owner's, and
 * nobody else's to change? What others made or may change isn't believed.
 */
bool maildir_is_private(const struct store_owner *owner, const struct stat *st);

/* One that has opened nothing yet; NULL: no memory. */
struct maildir_drop *maildir_drop_new(struct store *s, const struct store_owner *owner);
void maildir_drop_free(struct maildir_drop *m);

int maildir_open(struct store *s, const struct store_owner *owner,
		 const struct store_opening *opening, struct maildrop **ret_maildrop,
		 struct err *err);
void maildir_let_go(struct maildrop *maildrop);
int maildir_take_again(struct maildrop *maildrop, struct err *err);
void maildir_close(struct maildrop *maildrop);
bool maildir_writes_at_close(const struct maildrop *maildrop);

/* ---- maildir_now.c ---- */

int maildir_open_now(struct store *s, const struct store_owner *owner,
		     struct maildrop **ret_maildrop);
int maildir_message_now(struct maildrop *maildrop, uint32_t n, struct store_message *ret_message);

/*
 * Who writes the index, or changes a directory and its mark together, excludes others
 * who do. It is no more than that: who can't lock does neither of it (for long enough
 * that a delivery is done, he tries; but anybody who may read new/ could hold it).
 */
bool maildir_lock_index(int new_fd);
void maildir_unlock_index(int new_fd);

/* ---- maildir_watch.c: did anybody else change a directory meanwhile? ---- */

/*
 * Between begin and end the kernel tells us of each name that comes to or goes from
 * the directories, so that other programs' changes can be told from our own. Where it
 * can't be relied upon, or fails, nobody is ever alone.
 */
struct maildir_watch {
	struct maildir_store *store; /* Borrowed */
	int fd;                      /* inotify's; -1: none. Owned */
	int wd[MAILDIR_DIRS];
	bool alone;
	size_t n; /* octets in events */
	size_t at;
	_Alignas(struct inotify_event) char events[4096];
};

void maildir_watch_begin(struct maildir_watch *w, struct maildir_store *s);
void maildir_watch_dir(struct maildir_watch *w, enum maildir_where where, int dir_fd);

/* We have just put this name there, or taken it away: called for each, in order. */
void maildir_watch_expect(struct maildir_watch *w, enum maildir_where where, const char *name);

/* True: until now nothing has happened there that wasn't expected. */
bool maildir_watch_alone(struct maildir_watch *w);
void maildir_watch_end(struct maildir_watch *w);

/* ---- maildir_note.c: a delivery's record in the index ---- */

struct maildir_note {
	struct maildir_store *store; /* Borrowed */
	int new_fd;                  /* Borrowed */
	int index_fd;                /* Owned */
	bool locked;
	bool follows; /* the index is right, and will be with one record more */
	struct index_header header;
	struct maildir_watch watch;
};

/* Before and after one name is put into new/ (NULL: it wasn't). They never fail. */
void maildir_note_begin(struct maildir_note *note, struct maildir_store *s,
			const struct store_owner *owner, int root_fd, int new_fd);
void maildir_note_end(struct maildir_note *note, const char *name);

/* ---- the rest, a file each ---- */

/*
 * Makes the list of messages: reads the directories that aren't trusted, and the
 * old index (fd -1: there is none). trusted[d] is the mark that an unchanged
 * directory has, with time 0 for one that must be read; on return, the mark that the
 * list stands for, 0 again for one that can't be trusted. doubted: sizes are checked
 * against the files.
 */
int maildir_merge(struct maildir_drop *m, int index_fd, const struct index_header *old,
		  bool doubted, struct index_mark trusted[MAILDIR_DIRS], struct maildir_catalog *c,
		  struct err *err);

/*
 * Finds out how long the message is, by its name or by reading it, and says so in
 * it. 0; -ENOENT: there is no such file (any more), or nothing that could be a
 * message. What can't be read is marked INDEX_BROKEN.
 */
int maildir_size(struct maildir_drop *m, const struct maildir_catalog *c,
		 struct maildir_message *msg, struct err *err);

/* As far as its name says it. False: that doesn't. */
bool maildir_size_by_name(const struct maildir_catalog *c, struct maildir_message *msg);

/* For a message of the old index: reads it again if its file isn't as long as that says. */
int maildir_size_check(struct maildir_drop *m, const struct maildir_catalog *c,
		       struct maildir_message *msg, struct err *err);

/*
 * Opens a message's file for reading, without waiting for a fifo's writer and
 * without following a link. The descriptor; -ELOOP when it is no regular file.
 */
int maildir_file_open(int dir_fd, const char *name, struct stat *ret_st);

/* Reads all of a file. 0, or as the disk says; -EFBIG past MAILDIR_BYTES_MAX. */
struct maildir_measured {
	uint64_t octets;
	uint64_t bytes;
	uint32_t flags; /* of INDEX_FLAGS_OF_CONTENT */
	int16_t growth;
};

int maildir_measure(int fd, struct maildir_measured *ret);

/* The record of a message that has its UIDL and size. 0 or -ENOMEM. */
int maildir_index_record(const struct maildir_catalog *c, const struct maildir_message *m,
			 struct index_record *ret_record);

/*
 * Writes the catalog into the index file, or where the disk refuses that into
 * memory, and opens the snapshot. old_fd and old: the index as it is, if it can
 * be appended to.
 */
int maildir_index_write(struct maildir_drop *m, const struct maildir_catalog *c, int old_fd,
			const struct index_header *old, const struct index_mark dirs[MAILDIR_DIRS],
			struct err *err);

/*
 * Writes the session's index anew: without what is marked, if that was deleted, so
 * that the next open doesn't search for it; and with what is right, for messages
 * whose names were found to lie.
 */
void maildir_index_update(struct maildir_drop *m, bool deleted);

/* What the session's index says now. False: it isn't trusted any more. */
bool maildir_index_header(struct maildir_drop *m, struct index_header *ret_header);

/* Makes an index of an earlier boot one of this boot. */
int maildir_index_renew(struct maildir_drop *m, int index_fd, const struct index_header *h);

/* Makes the next open check everything. */
void maildir_index_doubt(struct maildir_drop *m);

/* Where a message is now. */
struct maildir_place {
	enum maildir_where where;
	char name[MAILDIR_NAME_MAX + 1];
};

/* As the record says. False when the record doesn't hold the name, or no good one. */
bool maildir_place_of(const struct index_record *r, struct maildir_place *ret_place);

/* Reads both directories, for those that follow. */
int maildir_survey(struct maildir_drop *m, struct err *err);

/*
 * Looks among what the last survey saw for the file that was there and has this inode.
 * -ENOENT when it isn't there.
 */
int maildir_find_file(struct maildir_drop *m, const struct maildir_place *was, uint64_t inode,
		      struct maildir_place *ret_place, struct err *err);

/*
 * Looks in both directories for a message that isn't where its record has it, among those
 * that no other message of this session has. -ENOENT when it isn't there.
 */
int maildir_locate(struct maildir_drop *m, const struct index_record *record,
		   struct maildir_place *ret_place, struct err *err);
void maildir_moved_free(struct maildir_moved *moved);

#define MAILDIR_FLAGS_FOR_SENDING \
	((uint32_t)(INDEX_CRLF | INDEX_NO_DOT | INDEX_NO_EOL | INDEX_UTF8_HEADER))

/* By us when we listed it, or when we delivered it: nobody else writes D=. */
bool maildir_is_counted(const struct index_record *record);

int maildir_message(struct maildrop *maildrop, uint32_t n, struct store_message *ret_message,
		    struct err *err);
int maildir_check(struct maildrop *maildrop, uint32_t n, struct store_message *message,
		  struct err *err);
int maildir_commit(struct maildrop *maildrop, struct err *err);
int maildir_mark_older(struct maildrop *maildrop, uint64_t before, struct err *err);

/*
 * Deletes the files of a journal: all that can be, whatever the others say. Those
 * that can't are put into *left. 0 when none is there any more (which is not yet
 * durable); else negative errno, for the first that is.
 */
int maildir_unlink_all(struct maildir_drop *m, struct journal_reader entries, struct journal *left,
		       struct err *err);

/*
 * The same for a session's own journal, and if nobody else has changed the directories
 * meanwhile, m->after is what they are marked with now.
 */
int maildir_unlink_marked(struct maildir_drop *m, const struct journal *marked,
			  struct journal *left, struct err *err);

/* Makes it durable. */
int maildir_sync_dirs(struct maildir_drop *m, struct err *err);

/* Takes the journal away, durably. */
int maildir_journal_remove(struct maildir_drop *m, struct err *err);

/* All of a file: 0, -EFBIG past max, -ENOMEM, or as the disk says. The caller frees *ret_p. */
int maildir_read_all(int fd, off_t size, size_t max, char **ret_p);

/* Finishes an interrupted commit, if there is one; what can't be deleted is in m->pending. */
int maildir_replay(struct maildir_drop *m, struct err *err);

/* Has an earlier QUIT deleted this message? */
bool maildir_is_pending(const struct maildir_drop *m, struct span base);

int maildir_usage(struct store *s, const struct store_owner *owner, struct store_usage *ret_usage,
		  struct err *err);

/*
 * Is there room for a message of so many octets? Under the index's lock nobody else
 * delivers in between. 0, STORE_OVER_QUOTA, or as the disk says.
 */
int maildir_room(struct maildir_store *s, const struct store_owner *owner, int root_fd,
		 uint64_t octets, struct err *err);

int maildir_deliver_begin(struct store *s, const struct store_owner *owner,
			  struct delivery **ret_delivery, struct err *err);
void maildir_deliver_commit(struct delivery *d, const struct delivery_info *info,
			    struct delivery_target *targets, size_t n, struct err *err);
void maildir_deliver_free(struct delivery *d);

/* ---- maildir_moving.c, maildir_arrival.c ---- */

extern const struct moving_driver maildir_moving_driver;
int maildir_refile(struct maildrop *maildrop, const struct store_owner *to, struct err *err);
uint64_t maildir_came(struct maildrop *maildrop, uint32_t n, const struct index_record *r);
int maildir_key_of(struct maildrop *maildrop, uint32_t n, const struct index_record *r,
		   char ret_key[static LIMIT_UIDL + 1], struct err *err);

/* ---- maildir_views.c ---- */

extern const struct store_views_row maildir_views_row;
