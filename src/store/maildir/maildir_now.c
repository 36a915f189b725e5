/* SPDX-License-Identifier: MIT */
/*
 * What most sessions want, without ever waiting for the disk: a maildrop in which
 * nothing has changed, and a small message. A thread that has other things to do can
 * then do it by itself; to hand it to another thread and hear back costs more than all
 * of it. What the kernel hasn't in memory, what is odd and what fails is left to
 * maildir_open() and maildir_message(), which do the same and more.
 *
 * The kernel is asked in a way that it may only answer at once: RESOLVE_CACHED of
 * openat2(2) and RWF_NOWAIT of preadv2(2). File systems behind a network have to ask
 * somebody whenever a name is looked up, so there the answer is always no.
 */
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

/* A message that the kernel reads ahead as a whole: when its end is in memory, so is the rest. */
#define NOW_BYTES_MAX ((uint64_t)128 * 1024)

#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

/* ---- a maildrop ---- */

/* As it is known that no QUIT was interrupted. */
static bool no_journal(const struct maildir_drop *m)
{
	const int fd = sys_open_cached(m->root_fd, MAILDIR_JOURNAL, FILE_FLAGS);
	const bool missing = fd < 0 && errno == ENOENT;

	sys_close(fd);
	return missing;
}

/* The index is ours, whole, and of this boot. */
static bool read_index(struct maildir_drop *m, struct index_header *ret_header)
{
	char raw[INDEX_HEADER_SIZE];
	struct stat st;
	const int fd = sys_open_cached(m->root_fd, MAILDIR_INDEX, FILE_FLAGS);

	m->base.snapshot_fd = fd;
	return fd >= 0 && sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       maildir_is_private(&m->owner.o, &st) &&
	       sys_pread_cached(fd, raw, sizeof(raw), 0) == (ssize_t)sizeof(raw) &&
	       index_judge(raw, &st, maildir_store_of(m)->boot, ret_header) == INDEX_TRUSTED;
}

static bool is_unchanged(const struct maildir_drop *m, enum maildir_where where,
			 struct index_mark was)
{
	struct stat st;
	const int fd = sys_open_cached(m->root_fd, maildir_where_name(where), O_PATH | O_NOFOLLOW);
	const bool seen = fd >= 0 && sys_fstat(fd, &st) == 0;

	sys_close(fd);
	return seen && was.mtime_ns != 0 && index_mark_eq(was, maildir_mark_of(&st));
}

static bool open_now(struct maildir_drop *m)
{
	struct index_header h;

	/* Somebody who makes directories must be waited for: maildir_make_missing(). */
	if (atomic_load(&maildir_store_of(m)->making) > 0)
		return false;
	m->root_fd = sys_open_cached(AT_FDCWD, m->owner.path, O_RDONLY | O_DIRECTORY);
	if (m->root_fd < 0 || sys_flock(m->root_fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	if (!no_journal(m) || !read_index(m, &h) || h.views != 0 ||
	    !is_unchanged(m, MAILDIR_NEW, h.dirs[0]) || !is_unchanged(m, MAILDIR_CUR, h.dirs[1]))
		return false;
	m->base.count = h.count;
	m->base.octets = h.octets;
	m->base.growth = h.growth;
	return true;
}

int maildir_open_now(struct store *s, const struct store_owner *owner,
		     struct maildrop **ret_maildrop)
{
	struct maildir_drop *const m = maildir_drop_new(s, owner);
	struct owner_switch sw;
	bool opened = false;

	if (m == NULL)
		return -EAGAIN;
	if (owner_enter(&sw, owner, NULL) == 0) {
		opened = open_now(m);
		owner_leave(&sw);
	}
	if (!opened) {
		sys_close(m->base.snapshot_fd);
		maildir_drop_free(m);
		return -EAGAIN;
	}
	*ret_maildrop = &m->base;
	return 0;
}

/* ---- a message ---- */

/* The last octet, as a sample of all. */
static bool is_in_memory(int fd, uint64_t bytes)
{
	char octet;

	return bytes == 0 || sys_pread_cached(fd, &octet, 1, bytes - 1) == 1;
}

static int open_message(struct maildir_drop *m, const struct maildir_place *place, uint64_t bytes)
{
	struct stat st;
	int *const dir_fd = &m->dir_fd[place->where];
	int fd;

	if (*dir_fd < 0)
		*dir_fd = sys_open_cached(m->root_fd, maildir_where_name(place->where),
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (*dir_fd < 0)
		return -1;
	fd = sys_open_cached(*dir_fd, place->name, FILE_FLAGS);
	if (fd >= 0 && sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == bytes && is_in_memory(fd, bytes))
		return fd;
	sys_close(fd);
	return -1;
}

static bool message_now(struct maildir_drop *m, uint32_t n, struct store_message *ret_message)
{
	char raw[INDEX_RECORD_SIZE];
	struct index_record record;
	struct maildir_place place;
	const uint64_t at = INDEX_HEADER_SIZE + (uint64_t)(n - 1) * INDEX_RECORD_SIZE;

	if (sys_pread_cached(m->base.snapshot_fd, raw, sizeof(raw), at) != (ssize_t)sizeof(raw) ||
	    !index_record_decode(raw, &record) || (record.flags & INDEX_BROKEN) != 0 ||
	    record.bytes > NOW_BYTES_MAX || !maildir_place_of(&record, &place) ||
	    !maildir_is_counted(&record))
		return false;

	const int fd = open_message(m, &place, record.bytes);

	if (fd < 0)
		return false;
	*ret_message = (struct store_message){
		.fd = fd,
		.bytes = record.bytes,
		.octets = record.octets,
		.flags = record.flags & MAILDIR_FLAGS_FOR_SENDING,
		.counted = true,
	};
	return true;
}

int maildir_message_now(struct maildrop *maildrop, uint32_t n, struct store_message *ret_message)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct owner_switch sw;
	bool found;

	if (owner_enter(&sw, &m->owner.o, NULL) < 0)
		return -EAGAIN;
	found = message_now(m, n, ret_message);
	owner_leave(&sw);
	return found ? 0 : -EAGAIN;
}
