/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <time.h>

#include "base/clock.h"
#include "store/maildir/maildir_priv.h"
#include "store/maildir/maildir_tidy.h"
#include "store/owner.h"

#define DAY_NS (UINT64_C(86400) * 1000000000U)

int maildir_drop_dir(struct maildir_drop *m, enum maildir_where where, struct err *err)
{
	if (m->dir_fd[where] < 0) {
		const int fd = maildir_dir_open(m->root_fd, where, m->owner.path, err);

		if (fd < 0)
			return fd;
		m->dir_fd[where] = fd;
	}
	return m->dir_fd[where];
}

/* Of each kind of trouble a few examples tell an operator what he needs to know. */
#define ODD_MAX 8

void maildir_say_odd(struct maildir_drop *m, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (m->odd++ >= ODD_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	store_say(m->base.store, m->owner.path, "%s", text);
}

bool maildir_is_private(const struct store_owner *owner, const struct stat *st)
{
	const uid_t self = owner->uid != (uid_t)-1 ? owner->uid : geteuid();

	return st->st_uid == self && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/*
 * The maildrop's own directory is locked: nothing to make, to leave behind or to
 * be deleted by somebody who is tidying, and it works on a full disk. The kernel
 * frees it with the descriptor, whatever ends the process. Some network file
 * systems can lock only files that are open for writing; there a file is used.
 */
static int lock_now(struct maildir_drop *m, struct err *err)
{
	int r = sys_flock(m->lock_fd >= 0 ? m->lock_fd : m->root_fd, LOCK_EX | LOCK_NB) < 0 ? -errno
											    : 0;

	if (r == -EBADF || r == -EINVAL || r == -EOPNOTSUPP || r == -ENOLCK) {
		m->lock_fd = sys_openat(m->root_fd, MAILDIR_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW,
					0600);
		r = m->lock_fd < 0 || sys_flock(m->lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	}
	if (r == -EWOULDBLOCK)
		return err_set(err, EBUSY, "'%s' is in use by another session", m->owner.path);
	return r < 0 ? err_sys(err, -r, "cannot lock '%s'", m->owner.path) : 0;
}

/*
 * For one that others have for a moment only. At the end of a session, some seconds; at its
 * beginning a tenth of one: it may be a session without a view that has it, from before there
 * were views, and who waits here keeps a thread from all the others.
 */
#define WAITS 2500
#define WAITS_AT_OPEN 50

static int lock_waiting(struct maildir_drop *m, int turns, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	int r = lock_now(m, err);

	for (int turn = 0; r == -EBUSY && turn < turns; turn++) {
		(void)nanosleep(&pause, NULL);
		r = lock_now(m, err);
	}
	return r;
}

int maildir_lock_session(struct maildir_drop *m, struct err *err)
{
	return lock_waiting(m, m->opening != NULL ? WAITS_AT_OPEN : 0, err);
}

static void unlock(struct maildir_drop *m)
{
	(void)sys_flock(m->lock_fd >= 0 ? m->lock_fd : m->root_fd, LOCK_UN);
}

#define LOCK_TRIES 20

bool maildir_lock_index(int new_fd)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int turn = 0; turn < LOCK_TRIES; turn++) {
		if (turn > 0)
			(void)nanosleep(&pause, NULL);
		if (sys_flock(new_fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			break;
	}
	return false;
}

void maildir_unlock_index(int new_fd)
{
	(void)sys_flock(new_fd, LOCK_UN);
}

/* The times of new/ and cur/, which are made if they are missing. */
static int dir_times(struct maildir_drop *m, struct index_mark ret_dirs[MAILDIR_DIRS],
		     struct err *err)
{
	for (int w = 0; w < MAILDIR_DIRS; w++) {
		const char *const name = maildir_where_name(w);
		struct stat st;
		int r = sys_fstatat(m->root_fd, name, &st) < 0 ? -errno : 0;

		if (r == -ENOENT) {
			r = maildir_make_missing(maildir_store_of(m), m->owner.path, err);
			if (r < 0)
				return r;
			r = sys_fstatat(m->root_fd, name, &st) < 0 ? -errno : 0;
		}
		if (r < 0)
			return err_sys(err, -r, "cannot examine '%s/%s'", m->owner.path, name);
		ret_dirs[w] = maildir_mark_of(&st);
	}
	return 0;
}

static void say_useless(struct maildir_drop *m, bool quiet, const char *why)
{
	if (!quiet)
		store_say(m->base.store, m->owner.path, "cannot use '%s': %s, made anew",
			  MAILDIR_INDEX, why);
}

/*
 * Opens the index, if there is one that can be read. *ret_fd may be -1 with 0 returned,
 * and unless quiet it was said why.
 */
static int open_index(struct maildir_drop *m, bool quiet, int *ret_fd,
		      struct index_header *ret_header, enum index_trust *ret_trust, struct err *err)
{
	struct stat st;
	const int fd = maildir_file_open(m->root_fd, MAILDIR_INDEX, &st);
	int r;

	*ret_trust = INDEX_USELESS;
	*ret_fd = -1;
	if (fd == -ENOENT)
		return 0;
	if (fd == -EACCES || fd == -ELOOP || fd == -EPERM) {
		say_useless(m, quiet, sys_reason(-fd));
		return 0;
	}
	if (fd >= 0 && !maildir_is_private(&m->owner.o, &st)) {
		say_useless(m, quiet, "others can write to it");
		sys_close(fd);
		return 0;
	}
	r = fd < 0 ? fd
		   : index_read_header(fd, &st, maildir_store_of(m)->boot, ret_header, ret_trust);
	if (r < 0) {
		sys_close(fd);
		return err_sys(err, -r, "cannot read '%s/%s'", m->owner.path, MAILDIR_INDEX);
	}
	if (*ret_trust == INDEX_USELESS) {
		say_useless(m, quiet, "it is damaged");
		sys_close(fd);
		return 0;
	}
	*ret_fd = fd;
	return 0;
}

/*
 * The index is from before the machine was started. Once all its records have been
 * read it is as good as one of now, and becomes one; if that can't be written, it is
 * proved again the next time.
 */
static int prove(struct maildir_drop *m, int index_fd, const struct index_header *h,
		 enum index_trust *trust, struct err *err)
{
	const int r = index_prove(index_fd, h->count);

	if (r < 0)
		return err_sys(err, -r, "cannot read '%s/%s'", m->owner.path, MAILDIR_INDEX);
	*trust = r == 1 ? INDEX_TRUSTED : INDEX_DOUBTED;
	if (r == 1)
		(void)maildir_index_renew(m, index_fd, h);
	return 0;
}

/* The index and the directories, as they are now. */
struct look {
	int fd; /* of the index; -1: none. Owned */
	struct index_header header;
	enum index_trust trust;
	struct index_mark dirs[MAILDIR_DIRS]; /* time 0: changed, or never to be trusted */
	bool same;                            /* the index says all there is */
};

/* An index that can be trusted says whether there are views, and saves everybody a look. */
static int look_for_views(struct maildir_drop *m, const struct look *k, struct err *err)
{
	struct stat st;

	if (m->opening != NULL && m->opening->is_main)
		m->has_views = true;
	else if (k->trust == INDEX_TRUSTED)
		m->has_views = k->header.views != 0;
	else if (sys_fstatat(m->root_fd, MAILDIR_VIEWS, &st) == 0)
		m->has_views = true;
	else if (errno != ENOENT)
		return err_sys(err, errno, "cannot examine '%s/%s'", m->owner.path, MAILDIR_VIEWS);
	return 0;
}

static int take_look(struct maildir_drop *m, bool quiet, struct look *k, struct err *err)
{
	int r = open_index(m, quiet, &k->fd, &k->header, &k->trust, err);

	if (r == 0)
		r = look_for_views(m, k, err);
	if (r == 0)
		r = dir_times(m, k->dirs, err);
	if (r == 0 && k->trust == INDEX_UNPROVEN)
		r = prove(m, k->fd, &k->header, &k->trust, err);
	k->same = k->trust == INDEX_TRUSTED && (k->header.views != 0) == m->has_views;
	for (int w = 0; w < MAILDIR_DIRS && r == 0; w++) {
		if (k->trust != INDEX_TRUSTED || m->pending.count > 0 ||
		    !index_mark_eq(k->header.dirs[w], k->dirs[w]))
			k->dirs[w].mtime_ns = 0;
		k->same = k->same && k->dirs[w].mtime_ns != 0;
	}
	return r;
}

/*
 * Something has changed, or nothing is known: makes the list and writes it down. Without
 * the lock a delivery may be appending to the index, so it is replaced then.
 */
static int make_snapshot(struct maildir_drop *m, struct look *k, bool locked, struct err *err)
{
	const bool doubted = k->trust != INDEX_TRUSTED;
	const uint64_t now = clock_wall_ns();
	struct maildir_catalog c;
	int r;

	if (k->trust == INDEX_DOUBTED)
		store_say(m->base.store, m->owner.path,
			  "'%s' isn't as it was left, checked against the files", MAILDIR_INDEX);
	r = maildir_merge(m, k->fd, &k->header, doubted, k->dirs, &c, err);
	if (m->odd > ODD_MAX)
		store_say(m->base.store, m->owner.path, "%u more files are no messages",
			  m->odd - ODD_MAX);
	if (r < 0)
		return r;
	/* Who takes the journal away by hand wants to see the messages again. */
	if (m->pending.count > 0)
		k->dirs[MAILDIR_NEW].mtime_ns = k->dirs[MAILDIR_CUR].mtime_ns = 0;
	r = maildir_index_write(m, &c, doubted || !locked ? -1 : k->fd, &k->header, k->dirs, err);
	maildir_catalog_done(&c);

	/* Once a day, and only when there is work anyway. */
	if (r == 0 && (k->trust == INDEX_USELESS || k->header.made_ns / DAY_NS != now / DAY_NS))
		maildir_tidy(m->root_fd, now);
	return r;
}

/* A delivery may have been about to write the index: once more, now that none can be. */
static int look_again(struct maildir_drop *m, struct look *k, bool *ret_locked, struct err *err)
{
	const int new_fd = maildir_drop_dir(m, MAILDIR_NEW, err);

	if (new_fd < 0)
		return new_fd;
	*ret_locked = maildir_lock_index(new_fd);
	if (!*ret_locked)
		return 0;
	sys_close(k->fd);
	return take_look(m, true, k, err);
}

/*
 * From now on there are views. Until an index stands there that says so, none may be trusted:
 * whoever did would see what views hide.
 */
static int begin_views(struct maildir_drop *m, const struct look *k, struct err *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, sys_timespec(index_stamp_ns())};

	if (!m->has_views || k->trust != INDEX_TRUSTED || k->header.views != 0 ||
	    sys_futimens(k->fd, times) == 0)
		return 0;
	return err_sys(err, errno, "cannot change '%s/%s'", m->owner.path, MAILDIR_INDEX);
}

static int open_locked(struct maildir_drop *m, struct err *err)
{
	struct look k = {.fd = -1};
	bool locked = false;
	int r = maildir_replay(m, err);

	/* What that saw knows nothing of this session's messages. */
	maildir_moved_free(m->moved);
	m->moved = NULL;
	if (r == 0)
		r = take_look(m, false, &k, err);
	if (r == 0 && m->has_views && m->opening == NULL)
		r = STORE_HAS_VIEWS;
	if (r == 0 && !k.same)
		r = look_again(m, &k, &locked, err);
	if (r == 0 && k.same) {
		m->base.snapshot_fd = k.fd;
		m->base.count = k.header.count;
		m->base.octets = k.header.octets;
		m->base.growth = k.header.growth;
		k.fd = -1;
	} else if (r == 0) {
		r = begin_views(m, &k, err);
		if (r == 0)
			r = make_snapshot(m, &k, locked, err);
	}
	sys_close(k.fd);
	if (locked)
		maildir_unlock_index(m->dir_fd[MAILDIR_NEW]);
	return r;
}

struct maildir_drop *maildir_drop_new(struct store *s, const struct store_owner *owner)
{
	struct maildir_drop *const m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->base = (struct maildrop){.store = s, .snapshot_fd = -1};
	m->root_fd = m->lock_fd = m->dir_fd[MAILDIR_NEW] = m->dir_fd[MAILDIR_CUR] = -1;
	maildir_owner_copy(&m->owner, owner);
	journal_init(&m->pending);
	return m;
}

void maildir_drop_free(struct maildir_drop *m)
{
	maildir_moved_free(m->moved);
	free(m->corrections);
	free(m->pending_bases);
	journal_done(&m->pending);
	for (int w = 0; w < MAILDIR_DIRS; w++)
		sys_close(m->dir_fd[w]);
	sys_close(m->lock_fd);
	sys_close(m->root_fd);
	free(m);
}

/* A folder that isn't there is no folder yet; a maildrop is made. */
static int open_root(struct maildir_drop *m, struct err *err)
{
	if (m->opening == NULL || !m->opening->must_exist)
		return maildir_root_open(maildir_store_of(m), m->owner.path, false, err);

	const int fd = sys_openat(AT_FDCWD, m->owner.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	return fd >= 0 ? fd : err_sys(err, errno, "cannot open '%s'", m->owner.path);
}

int maildir_open(struct store *s, const struct store_owner *owner,
		 const struct store_opening *opening, struct maildrop **ret_maildrop,
		 struct err *err)
{
	struct maildir_drop *const m = maildir_drop_new(s, owner);
	struct owner_switch sw;
	int r;

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	r = owner_enter(&sw, owner, err);
	if (r == 0) {
		m->opening = opening;
		r = open_root(m, err);
		m->root_fd = r;
		if (r >= 0)
			r = maildir_lock_session(m, err);
		if (r == 0)
			r = open_locked(m, err);
		m->opening = NULL;
		owner_leave(&sw);
	}
	if (r != 0) {
		maildir_drop_free(m);
		return r;
	}
	*ret_maildrop = &m->base;
	return 0;
}

void maildir_let_go(struct maildrop *maildrop)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;

	m->let_go = true;
	unlock(m);
}

/* Nothing of what an earlier reading found is known any more, but for the snapshot. */
static int take_again(struct maildir_drop *m, struct err *err)
{
	int r = lock_waiting(m, WAITS, err);

	if (r < 0)
		return r;
	free(m->pending_bases);
	m->pending_bases = NULL;
	journal_done(&m->pending);
	journal_init(&m->pending);
	r = maildir_replay(m, err);
	maildir_moved_free(m->moved);
	m->moved = NULL;
	if (r < 0)
		unlock(m);
	return r;
}

int maildir_take_again(struct maildrop *maildrop, struct err *err)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->owner.o, err);

	if (r < 0)
		return r;
	r = take_again(m, err);
	owner_leave(&sw);
	return r;
}

bool maildir_writes_at_close(const struct maildrop *maildrop)
{
	return ((const struct maildir_drop *)maildrop)->n_corrections > 0;
}

void maildir_close(struct maildrop *maildrop)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct owner_switch sw;

	/* Unless a commit has done it. If somebody has it now, they are found again. */
	if (m->n_corrections > 0 && owner_enter(&sw, &m->owner.o, NULL) == 0) {
		if (!m->let_go || lock_now(m, NULL) == 0)
			maildir_index_update(m, false);
		owner_leave(&sw);
	}
	maildir_drop_free(m);
}
