/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

static int entry_put(struct maildir_drop *m, struct journal *j, const struct maildir_place *place,
		     uint64_t inode, struct err *err)
{
	const struct journal_entry e = {
		.in_cur = place->where == MAILDIR_CUR,
		.inode = inode,
		.name = span_str(place->name),
	};
	const int r = journal_put(j, &e);

	return r < 0 ? err_sys(err, -r, "cannot list what is deleted in '%s'", m->owner.path) : 0;
}

/*
 * A program that moves by linking and unlinking has died in between, and left a
 * second name in new/. Were it left, the deleted message would be back.
 */
static int twin_put(struct maildir_drop *m, struct journal *j, const struct maildir_place *place,
		    const struct stat *st, struct err *err)
{
	const struct span base = maildir_name_base(span_str(place->name));
	struct maildir_place twin = {.where = MAILDIR_NEW};
	struct stat other;
	int dir_fd;

	if (place->where != MAILDIR_CUR || st->st_nlink < 2 || base.n == 0)
		return 0;
	dir_fd = maildir_drop_dir(m, MAILDIR_NEW, err);
	if (dir_fd < 0)
		return dir_fd;
	memcpy(twin.name, base.p, base.n);
	twin.name[base.n] = '\0';
	if (sys_fstatat(dir_fd, twin.name, &other) < 0 || other.st_ino != st->st_ino)
		return 0;
	return entry_put(m, j, &twin, other.st_ino, err);
}

/* Finds the file of message n and puts it on the list, unless somebody has deleted it already. */
static int message_put(struct maildir_drop *m, struct journal *j, uint32_t n, struct err *err)
{
	struct index_record record;
	struct maildir_place place = {.where = MAILDIR_NEW};
	bool known;
	struct stat st;
	int r = index_read_record(m->base.snapshot_fd, n, &record);

	if (r < 0) {
		maildir_index_doubt(m);
		return err_sys(err, r == -EBADMSG ? EIO : -r, "cannot read the index of '%s'",
			       m->owner.path);
	}
	known = maildir_place_of(&record, &place);
	for (int turn = 0; turn < 3; turn++) {
		if (turn > 0 || !known) {
			r = maildir_locate(m, &record, &place, err);
			if (r < 0)
				return r == -ENOENT ? 0 : r;
		}
		r = maildir_drop_dir(m, place.where, err);
		if (r < 0)
			return r;
		if (sys_fstatat(r, place.name, &st) == 0) {
			r = entry_put(m, j, &place, st.st_ino, err);
			return r < 0 ? r : twin_put(m, j, &place, &st, err);
		}
		if (errno != ENOENT)
			break;
	}
	return err_sys(err, errno, "cannot examine '%s/%s/%s'", m->owner.path,
		       maildir_where_name(place.where), place.name);
}

static int sync_root(struct maildir_drop *m, struct err *err)
{
	return sys_fsync(m->root_fd) < 0 ? err_sys(err, errno, "cannot sync '%s'", m->owner.path)
					 : 0;
}

int maildir_journal_remove(struct maildir_drop *m, struct err *err)
{
	if (sys_unlinkat(m->root_fd, MAILDIR_JOURNAL, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot remove '%s/%s'", m->owner.path, MAILDIR_JOURNAL);
	return sync_root(m, err);
}

/*
 * The decision: when the root directory is synced, everything on the list goes,
 * and until then nothing does. Under another name first, because an older journal
 * may be there whose messages the disk doesn't let go.
 */
static int journal_write(struct maildir_drop *m, struct journal *j, struct err *err)
{
	int fd;
	int r;

	r = journal_seal(j);
	if (r < 0)
		return err_sys(err, -r, "cannot list what is deleted in '%s'", m->owner.path);
	(void)sys_unlinkat(m->root_fd, MAILDIR_JOURNAL_TMP, 0);
	fd = sys_openat(m->root_fd, MAILDIR_JOURNAL_TMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
			0600);
	if (fd < 0)
		return err_sys(err, errno, "cannot make '%s/%s'", m->owner.path,
			       MAILDIR_JOURNAL_TMP);
	if (sys_pwrite_all(fd, j->buf.p, j->buf.n, 0) < 0 || sys_fsync(fd) < 0)
		r = err_sys(err, errno, "cannot write '%s/%s'", m->owner.path, MAILDIR_JOURNAL_TMP);
	else if (sys_renameat(m->root_fd, MAILDIR_JOURNAL_TMP, m->root_fd, MAILDIR_JOURNAL, 0) < 0)
		r = err_sys(err, errno, "cannot rename '%s/%s'", m->owner.path,
			    MAILDIR_JOURNAL_TMP);
	sys_close(fd);
	if (r < 0)
		(void)sys_unlinkat(m->root_fd, MAILDIR_JOURNAL_TMP, 0);
	return r;
}

/* The journal doesn't stand, or nothing of it could be done: as if there had been none. */
static void journal_withdraw(struct maildir_drop *m)
{
	/* If this fails too, what it lists goes at the next open: all of it, then. */
	if (m->pending.count == 0)
		(void)maildir_journal_remove(m, NULL);
}

/* New entries, and those that are still to be done from before. */
static int journal_join(struct maildir_drop *m, const struct journal *marked, struct journal *all,
			struct err *err)
{
	const struct journal *const parts[] = {marked, &m->pending};
	int r = 0;

	for (size_t i = 0; i < 2; i++) {
		struct journal_reader entries = journal_entries(parts[i]);
		struct journal_entry e;

		while (r == 0 && journal_next(&entries, &e))
			r = journal_put(all, &e);
	}
	return r < 0 ? err_sys(err, -r, "cannot list what is deleted in '%s'", m->owner.path) : 0;
}

static int expunge(struct maildir_drop *m, const struct journal *marked, struct err *err)
{
	struct journal all;
	struct journal left;
	int r;

	journal_init(&all);
	journal_init(&left);
	r = journal_join(m, marked, &all, err);
	if (r == 0)
		r = journal_write(m, &all, err);
	if (r < 0)
		goto out;
	r = sync_root(m, err);
	if (r < 0) {
		journal_withdraw(m);
		goto out;
	}

	r = maildir_unlink_marked(m, marked, &left, err);
	if (r < 0 && left.count == marked->count)
		journal_withdraw(m);
	if (r == 0)
		r = maildir_sync_dirs(m, err);
	if (r == 0 && m->pending.count == 0)
		r = maildir_journal_remove(m, err);
out:
	journal_done(&left);
	journal_done(&all);
	return r;
}

/*
 * One file goes or stays as it is: that needs no journal, two syncs less, and no
 * space on a disk that is full.
 */
static int expunge_one(struct maildir_drop *m, const struct journal *marked, struct err *err)
{
	struct journal left;
	int r;

	journal_init(&left);
	r = maildir_unlink_marked(m, marked, &left, err);
	journal_done(&left);
	return r < 0 ? r : maildir_sync_dirs(m, err);
}

static int commit(struct maildir_drop *m, struct err *err)
{
	struct journal marked;
	int r = 0;

	journal_init(&marked);
	for (uint32_t n = 1; n <= m->base.count && r == 0; n++) {
		if (maildrop_is_marked(&m->base, n))
			r = message_put(m, &marked, n, err);
	}
	if (r == 0 && marked.count == 1)
		r = expunge_one(m, &marked, err);
	else if (r == 0 && marked.count > 1)
		r = expunge(m, &marked, err);
	/* Not part of the promise, so it comes when that is kept, and may fail. */
	if (r == 0)
		maildir_index_update(m, true);
	journal_done(&marked);
	return r;
}

int maildir_commit(struct maildrop *maildrop, struct err *err)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->owner.o, err);

	if (r < 0)
		return r;
	r = commit(m, err);
	owner_leave(&sw);
	return r;
}
