/* SPDX-License-Identifier: MIT */
/*
 * A delivery of ours needn't make the next session read new/: the index is told, and
 * new/ gets another mark, as if it had been read with the message in it.
 *
 *   lock  ->  watch  ->  look at the mark  ->  link  ->  mark  ->  alone?  ->  append
 *
 * Until the look, a change by others shows in the mark. After it, the new mark would
 * hide one; but the kernel reports each to the watch, before it lets us set a time of
 * the same directory: so whoever was alone when the new mark was set knows all that is
 * in there. Who wasn't leaves the index as it is, with a mark that no longer stands, as
 * does who can't do any of this or dies on the way: then the next session reads.
 */
#include "store/maildir/maildir_priv.h"

static bool read_header(struct maildir_note *note, const struct store_owner *owner)
{
	enum index_trust trust;
	struct stat st;

	return sys_fstat(note->index_fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       maildir_is_private(owner, &st) &&
	       index_read_header(note->index_fd, &st, note->store->boot, &note->header, &trust) ==
		       0 &&
	       trust == INDEX_TRUSTED && note->header.count < INDEX_COUNT_MAX;
}

static bool is_marked(const struct maildir_note *note)
{
	const struct index_mark mark = note->header.dirs[MAILDIR_NEW];
	struct stat st;

	return mark.mtime_ns != 0 && sys_fstat(note->new_fd, &st) == 0 &&
	       index_mark_eq(mark, maildir_mark_of(&st));
}

void maildir_note_begin(struct maildir_note *note, struct maildir_store *s,
			const struct store_owner *owner, int root_fd, int new_fd)
{
	note->store = s;
	note->new_fd = new_fd;
	note->follows = false;
	note->locked = false;
	maildir_watch_begin(&note->watch, s);
	note->index_fd = sys_openat(root_fd, MAILDIR_INDEX,
				    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (note->index_fd < 0)
		return;
	/* If it is replaced before we have the lock, it is this one that nobody needs. */
	note->locked = maildir_lock_index(new_fd);
	if (!note->locked || !read_header(note, owner))
		return;
	maildir_watch_dir(&note->watch, MAILDIR_NEW, new_fd);
	note->follows = is_marked(note);
}

/* What an open would write that finds the file: by the same functions. */
static int make_record(const char *name, struct index_record *ret_record)
{
	struct maildir_catalog c;
	struct maildir_key key;
	int r = -ENOMEM;

	maildir_catalog_init(&c);
	if (maildir_key_make(span_str(name), &key) &&
	    maildir_catalog_add(&c, &key, MAILDIR_NEW) != MAILDIR_NOWHERE) {
		r = maildir_size_by_name(&c, &c.v[0])
			    ? maildir_catalog_name(&c, 0, NULL, span_of(NULL, 0))
			    : -EINVAL;
		if (r == 0)
			r = maildir_index_record(&c, &c.v[0], ret_record);
	}
	maildir_catalog_done(&c);
	return r;
}

static void append(struct maildir_note *note, const char *name, struct index_mark mark)
{
	const struct index_mark dirs[MAILDIR_DIRS] = {mark, note->header.dirs[MAILDIR_CUR]};
	struct index_record record;
	struct index_writer w;
	int r;

	if (make_record(name, &record) < 0)
		return;
	r = index_writer_init(&w, note->index_fd, &note->header);
	if (r == 0)
		r = index_writer_put(&w, &record);
	/* If it fails, the index's length or time isn't what it says, and it is doubted. */
	if (r == 0)
		(void)index_writer_finish(&w, dirs, note->store->boot);
	index_writer_done(&w);
}

void maildir_note_end(struct maildir_note *note, const char *name)
{
	if (note->follows && name != NULL) {
		struct index_mark mark;

		maildir_watch_expect(&note->watch, MAILDIR_NEW, name);
		mark = maildir_stamp(note->new_fd);
		if (mark.mtime_ns != 0 && maildir_watch_alone(&note->watch))
			append(note, name, mark);
	}
	maildir_watch_end(&note->watch);
	sys_close(note->index_fd);
	if (note->locked)
		maildir_unlock_index(note->new_fd);
}
