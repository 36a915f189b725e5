/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_priv.h"

/* How often a file that moves while it is to be deleted is looked for. */
#define ROUNDS_MAX 3

/* What unlinking a journal's files works on. */
struct unlinking {
	struct maildir_drop *m;
	struct journal *left;   /* those that the disk doesn't let go */
	struct journal missing; /* those that aren't where they were */
	int first;              /* the first error; *err says it */
	struct err *err;        /* may be NULL */
};

static struct maildir_place place_of_entry(const struct journal_entry *e)
{
	struct maildir_place place = {.where = e->in_cur ? MAILDIR_CUR : MAILDIR_NEW};

	memcpy(place.name, e->name.p, e->name.n);
	place.name[e->name.n] = '\0';
	return place;
}

/* 0; -ENOENT: it isn't there; or as the disk says. */
static int unlink_at(struct maildir_drop *m, const struct maildir_place *place, struct err *err)
{
	const int dir_fd = maildir_drop_dir(m, place->where, err);

	if (dir_fd < 0)
		return dir_fd;
	m->unlinked[place->where] = true;
	if (sys_unlinkat(dir_fd, place->name, 0) < 0)
		return err_sys(err, errno, "cannot delete '%s/%s/%s'", m->owner.path,
			       maildir_where_name(place->where), place->name);
	if (m->watch != NULL)
		maildir_watch_expect(m->watch, place->where, place->name);
	return 0;
}

static int remember(struct unlinking *u, struct journal *list, const struct journal_entry *e)
{
	const int r = journal_put(list, e);

	return r < 0 ? err_sys(u->err, -r, "cannot delete from '%s'", u->m->owner.path) : 0;
}

/* r: how it went for e. Only that there is no memory ends it all. */
static int unlinked(struct unlinking *u, const struct journal_entry *e, int r,
		    const struct err *why)
{
	if (r == 0)
		return 0;
	if (u->first == 0) {
		u->first = r;
		if (u->err != NULL)
			*u->err = *why;
	}
	return remember(u, u->left, e);
}

/*
 * Those that have been renamed: the same file is looked for, since another one of
 * that base is not ours to delete. All of them in one survey, as each would make the
 * last survey old by its own deletion. Who goes on moving is followed some way.
 */
static int unlink_missing(struct unlinking *u, bool last)
{
	struct journal_reader entries = journal_entries(&u->missing);
	struct journal again;
	struct journal_entry e;
	struct err why;
	const int surveyed = maildir_survey(u->m, &why);
	int r = 0;

	journal_init(&again);
	while (r == 0 && journal_next(&entries, &e)) {
		const struct maildir_place was = place_of_entry(&e);
		struct maildir_place place;
		int done = surveyed;

		if (done == 0) {
			done = maildir_find_file(u->m, &was, e.inode, &place, &why);
			if (done == -ENOENT)
				continue; /* somebody has deleted it */
		}
		if (done == 0)
			done = unlink_at(u->m, &place, &why);
		r = done == -ENOENT && !last ? remember(u, &again, &e)
					     : unlinked(u, &e, done, &why);
	}
	journal_done(&u->missing);
	u->missing = again;
	return r;
}

int maildir_unlink_all(struct maildir_drop *m, struct journal_reader entries, struct journal *left,
		       struct err *err)
{
	struct unlinking u = {.m = m, .left = left, .err = err};
	struct journal_entry e;
	int r = 0;

	journal_init(&u.missing);
	while (r == 0 && journal_next(&entries, &e)) {
		const struct maildir_place place = place_of_entry(&e);
		struct err why;
		const int done = unlink_at(m, &place, &why);

		r = done == -ENOENT ? remember(&u, &u.missing, &e) : unlinked(&u, &e, done, &why);
	}
	for (int round = 1; r == 0 && u.missing.count > 0; round++)
		r = unlink_missing(&u, round == ROUNDS_MAX);
	journal_done(&u.missing);
	return r < 0 ? r : u.first;
}

/*
 * As when a delivery notes itself (maildir_note.c): who was alone when the directories
 * got new marks knows what is in them, and the next session needn't read.
 */
static void watch(struct maildir_drop *m, struct maildir_watch *w, const bool used[MAILDIR_DIRS])
{
	struct index_header h;
	struct stat st;

	w->alone = w->alone && maildir_index_header(m, &h);
	for (int i = 0; i < MAILDIR_DIRS; i++) {
		const int fd = used[i] ? maildir_drop_dir(m, i, NULL) : -1;

		if (!used[i])
			continue;
		if (fd >= 0)
			maildir_watch_dir(w, i, fd);
		w->alone = w->alone && fd >= 0 && h.dirs[i].mtime_ns != 0 &&
			   sys_fstat(fd, &st) == 0 &&
			   index_mark_eq(h.dirs[i], maildir_mark_of(&st));
	}
}

static void mark(struct maildir_drop *m, struct maildir_watch *w, const bool used[MAILDIR_DIRS])
{
	struct index_mark marks[MAILDIR_DIRS] = {{0, 0}, {0, 0}};
	bool marked = true;

	for (int i = 0; i < MAILDIR_DIRS && w->alone; i++) {
		if (used[i])
			marks[i] = maildir_stamp(m->dir_fd[i]);
		marked = marked && (!used[i] || marks[i].mtime_ns != 0);
	}
	if (marked && maildir_watch_alone(w))
		memcpy(m->after, marks, sizeof(marks));
}

int maildir_unlink_marked(struct maildir_drop *m, const struct journal *marked,
			  struct journal *left, struct err *err)
{
	struct journal_reader entries = journal_entries(marked);
	bool used[MAILDIR_DIRS] = {false, false};
	struct maildir_watch w;
	struct journal_entry e;
	const int new_fd = maildir_drop_dir(m, MAILDIR_NEW, err);
	int r;

	if (new_fd < 0)
		return new_fd;
	while (journal_next(&entries, &e))
		used[e.in_cur ? MAILDIR_CUR : MAILDIR_NEW] = true;
	maildir_watch_begin(&w, maildir_store_of(m));
	w.alone = maildir_lock_index(new_fd);

	const bool locked = w.alone;

	watch(m, &w, used);
	m->watch = &w;
	r = maildir_unlink_all(m, journal_entries(marked), left, err);
	m->watch = NULL;
	mark(m, &w, used);
	maildir_watch_end(&w);
	if (locked)
		maildir_unlock_index(new_fd);
	return r;
}

int maildir_sync_dirs(struct maildir_drop *m, struct err *err)
{
	for (int w = 0; w < MAILDIR_DIRS; w++) {
		if (m->unlinked[w] && sys_fsync(m->dir_fd[w]) < 0)
			return err_sys(err, errno, "cannot sync '%s/%s'", m->owner.path,
				       maildir_where_name(w));
	}
	return 0;
}
