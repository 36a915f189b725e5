/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "store/maildir/maildir_priv.h"

/*
 * All there is in both directories, by key. It is made when the first message is
 * missed and kept for the session: when a mail program marks a thousand messages
 * while they are being fetched, the directories are not read a thousand times.
 */
struct maildir_moved {
	struct maildir_files files; /* taken: a message of this session is there */
	uint32_t *buckets;          /* Owned */
	uint32_t *next;             /* Owned */
	uint32_t mask;
	uint64_t dir_ns[MAILDIR_DIRS]; /* as they were before they were read */
	uint64_t made_ns;
};

void maildir_moved_free(struct maildir_moved *moved)
{
	if (moved == NULL)
		return;
	maildir_files_done(&moved->files);
	free(moved->buckets);
	free(moved->next);
	free(moved);
}

static void dir_times(const struct maildir_drop *m, uint64_t ret_ns[MAILDIR_DIRS])
{
	for (int w = 0; w < MAILDIR_DIRS; w++) {
		struct stat st;

		ret_ns[w] = sys_fstatat(m->root_fd, maildir_where_name(w), &st) == 0
				    ? sys_ns(st.st_mtim)
				    : 0;
	}
}

/*
 * Here directories aren't marked, so their times say something only once they
 * are older than any tick: an unlucky miss costs another reading, not a message.
 */
#define SETTLED_NS UINT64_C(2000000000)

static bool is_current(const struct maildir_drop *m, const struct maildir_moved *moved)
{
	uint64_t now[MAILDIR_DIRS];
	bool same = true;

	dir_times(m, now);
	for (int w = 0; w < MAILDIR_DIRS; w++)
		same = same && now[w] == moved->dir_ns[w] && moved->made_ns > now[w] &&
		       moved->made_ns - now[w] > SETTLED_NS;
	return same;
}

static int fill_table(struct maildir_moved *moved)
{
	const uint32_t count = moved->files.count;
	size_t n = 64;

	while (n < count)
		n *= 2;
	moved->buckets = malloc(n * sizeof(*moved->buckets));
	moved->next = calloc((size_t)count + 1, sizeof(*moved->next));
	if (moved->buckets == NULL || moved->next == NULL)
		return -ENOMEM;
	memset(moved->buckets, 0xff, n * sizeof(*moved->buckets));
	moved->mask = (uint32_t)n - 1;
	for (uint32_t i = 0; i < count; i++) {
		struct maildir_key key;

		if (!maildir_key_make(maildir_file_name(&moved->files, i), &key))
			return -ENOMEM;
		moved->next[i] = moved->buckets[key.hash & moved->mask];
		moved->buckets[key.hash & moved->mask] = i;
	}
	return 0;
}

/* Files that are in the place where this session's index has a message are that one's. */
static int mark_taken(struct maildir_drop *m, struct maildir_moved *moved)
{
	struct index_reader reader;
	struct index_record record;
	int r;

	if (m->base.snapshot_fd < 0)
		return 0;
	r = index_reader_init(&reader, m->base.snapshot_fd, m->base.count);
	while (r == 0) {
		const int got = index_reader_next(&reader, &record);
		struct maildir_place place;
		struct maildir_key key;

		if (got == 0)
			break;
		if (got < 0 && got != -EBADMSG)
			r = got;
		if (got < 0 || !maildir_place_of(&record, &place))
			continue;
		if (!maildir_key_make(span_str(place.name), &key)) {
			r = -ENOMEM;
			continue;
		}
		for (uint32_t i = moved->buckets[key.hash & moved->mask]; i != MAILDIR_NOWHERE;
		     i = moved->next[i]) {
			if (moved->files.v[i].where == place.where &&
			    span_eq(maildir_file_name(&moved->files, i), key.name))
				moved->files.v[i].taken = true;
		}
	}
	index_reader_done(&reader);
	return r;
}

int maildir_survey(struct maildir_drop *m, struct err *err)
{
	struct maildir_moved *const moved = calloc(1, sizeof(*moved));
	int r = 0;

	if (moved == NULL)
		return err_sys(err, ENOMEM, "cannot search '%s'", m->owner.path);
	dir_times(m, moved->dir_ns);
	moved->made_ns = clock_wall_ns();
	for (int w = 0; w < MAILDIR_DIRS && r == 0; w++)
		r = maildir_scan(m, w, true, &moved->files, err);
	if (r == 0) {
		r = fill_table(moved);
		if (r == 0)
			r = mark_taken(m, moved);
		if (r < 0)
			(void)err_sys(err, -r, "cannot search '%s'", m->owner.path);
	}
	if (r < 0) {
		maildir_moved_free(moved);
		return r;
	}
	maildir_moved_free(m->moved);
	m->moved = moved;
	return 0;
}

/* What is looked for: a name that was, or a locator; perhaps one file only. */
struct wanted {
	const struct maildir_place *was; /* NULL: not known */
	struct maildir_key key;          /* of its name, when that is known */
	struct span locator;             /* when it isn't */
	uint32_t hash;
	uint64_t inode; /* 0: any file that no other message has */
};

static bool is_wanted(const struct maildir_drop *m, const struct wanted *want, uint32_t i,
		      enum maildir_match how)
{
	const struct maildir_file *const file = &m->moved->files.v[i];
	const struct span name = maildir_file_name(&m->moved->files, i);
	const bool own = want->was != NULL && file->where == want->was->where &&
			 span_eq(name, want->key.name);
	struct maildir_key key;

	if (own)
		return true;
	if ((file->taken && want->inode == 0) || !maildir_key_make(name, &key))
		return false;
	if (maildir_is_pending(m, key.base) && want->inode == 0)
		return false;
	if (want->was == NULL)
		return key.hash == want->hash && maildir_locator_matches(want->locator, &key, how);
	if (how == MAILDIR_SAME_BASE)
		return span_eq(key.base, want->key.base);
	return span_eq(maildir_uidl_span(&key.uidl), maildir_uidl_span(&want->key.uidl));
}

/* 0 and the place, -ENOENT, or another error of the disk. */
static int search(struct maildir_drop *m, const struct wanted *want, enum maildir_match how,
		  struct maildir_place *ret_place, struct err *err)
{
	const struct maildir_moved *const moved = m->moved;

	for (uint32_t i = moved->buckets[want->hash & moved->mask]; i != MAILDIR_NOWHERE;
	     i = moved->next[i]) {
		const struct span name = maildir_file_name(&moved->files, i);
		struct maildir_place place = {.where = moved->files.v[i].where};
		struct stat st;
		int dir_fd;

		if (!is_wanted(m, want, i, how))
			continue;
		dir_fd = maildir_drop_dir(m, place.where, err);
		if (dir_fd < 0)
			return dir_fd;
		memcpy(place.name, name.p, name.n);
		place.name[name.n] = '\0';
		if (sys_fstatat(dir_fd, place.name, &st) < 0) {
			if (errno == ENOENT)
				continue;
			return err_sys(err, errno, "cannot examine '%s/%s/%s'", m->owner.path,
				       maildir_where_name(place.where), place.name);
		}
		if (want->inode == 0 || want->inode == st.st_ino) {
			*ret_place = place;
			return 0;
		}
	}
	return -ENOENT;
}

static int search_both(struct maildir_drop *m, const struct wanted *want,
		       struct maildir_place *ret_place, struct err *err)
{
	int r = search(m, want, MAILDIR_SAME_BASE, ret_place, err);

	if (r == -ENOENT)
		r = search(m, want, MAILDIR_SAME_KEY, ret_place, err);
	if (r == -ENOENT)
		(void)err_set(err, ENOENT, "'%s' has the message no longer", m->owner.path);
	return r;
}

int maildir_find_file(struct maildir_drop *m, const struct maildir_place *was, uint64_t inode,
		      struct maildir_place *ret_place, struct err *err)
{
	struct wanted want = {.was = was, .inode = inode};

	if (!maildir_key_make(span_str(was->name), &want.key))
		return err_sys(err, ENOMEM, "cannot search '%s'", m->owner.path);
	want.hash = want.key.hash;
	return search_both(m, &want, ret_place, err);
}

int maildir_locate(struct maildir_drop *m, const struct index_record *record,
		   struct maildir_place *ret_place, struct err *err)
{
	struct wanted want = {.locator = index_record_name(record)};
	struct maildir_place was;
	int r;

	if (maildir_place_of(record, &was)) {
		want.was = &was;
		if (!maildir_key_make(span_str(was.name), &want.key))
			return err_sys(err, ENOMEM, "cannot search '%s'", m->owner.path);
		want.hash = want.key.hash;
	} else if (!maildir_locator_hash(want.locator, &want.hash)) {
		return err_set(err, ENOENT, "the index of '%s' doesn't name the message",
			       m->owner.path);
	}
	/* Where it was when we looked last; and if not there, where it is now. */
	if (m->moved != NULL) {
		r = search(m, &want, MAILDIR_SAME_BASE, ret_place, err);
		if (r != -ENOENT)
			return r;
	}
	if (m->moved == NULL || !is_current(m, m->moved)) {
		r = maildir_survey(m, err);
		if (r < 0)
			return r;
	}
	/* Only by what stands there now: another file may have the same key. */
	return search_both(m, &want, ret_place, err);
}
