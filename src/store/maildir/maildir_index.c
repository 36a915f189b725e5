/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/mman.h>

#include "store/maildir/maildir_priv.h"

_Static_assert(INDEX_TEXT_MAX - LIMIT_UIDL >= MAILDIR_LOCATOR, "a locator fits behind each UIDL");

/* The name goes in as what follows the UIDL, or whole, or as a locator: as it fits. */
int maildir_index_record(const struct maildir_catalog *c, const struct maildir_message *m,
			 struct index_record *r)
{
	const struct span uidl = maildir_message_uidl(c, m);
	struct span name = maildir_message_name(c, m);
	struct maildir_locator locator;
	struct maildir_key key;

	*r = (struct index_record){
		.octets = m->octets,
		.bytes = m->bytes,
		.flags = m->flags | (m->where == MAILDIR_CUR ? INDEX_IN_CUR : 0U),
		.uidl_len = m->uidl_len,
		.growth = m->growth,
	};
	if (name.n >= uidl.n && memcmp(name.p, uidl.p, uidl.n) == 0 && name.n <= INDEX_TEXT_MAX) {
		r->flags |= INDEX_NAME_DERIVED;
		span_skip(&name, uidl.n);
	} else if (name.n == 0) {
		r->flags |= INDEX_NAME_ELSEWHERE;
		name = span_of(c->text.p + m->name, MAILDIR_LOCATOR);
	} else if (name.n > INDEX_TEXT_MAX - uidl.n) {
		if (!maildir_key_make(name, &key) || !maildir_locator_make(&key, &locator))
			return -ENOMEM;
		r->flags |= INDEX_NAME_ELSEWHERE;
		name = span_of(locator.text, MAILDIR_LOCATOR);
	}
	r->name_len = (uint8_t)name.n;
	memcpy(r->text, uidl.p, uidl.n);
	if (name.n > 0)
		memcpy(r->text + uidl.n, name.p, name.n);
	return 0;
}

static int put_records(struct index_writer *w, const struct maildir_catalog *c, uint32_t first)
{
	struct index_record record;
	int r = 0;

	for (uint32_t i = first; i < c->count && r == 0; i++) {
		if (c->v[i].state == MAILDIR_GONE)
			continue;
		r = maildir_index_record(c, &c->v[i], &record);
		if (r == 0)
			r = index_writer_put(w, &record);
	}
	return r;
}

/* Writes records first and up behind those of old, or all into a new file. */
static int write_to(struct maildir_drop *m, int fd, const struct maildir_catalog *c, uint32_t first,
		    const struct index_header *old, const struct index_mark dirs[MAILDIR_DIRS],
		    struct index_header *ret_header)
{
	struct index_writer w;
	int r = index_writer_init(&w, fd, old);

	w.header.views = m->has_views;
	if (r == 0)
		r = put_records(&w, c, first);
	if (r == 0)
		r = index_writer_finish(&w, dirs, maildir_store_of(m)->boot);
	if (r == 0)
		*ret_header = w.header;
	index_writer_done(&w);
	return r;
}

/* True when the old records stay as they are, so that new ones need only be appended. */
static bool can_append(const struct maildir_catalog *c, const struct index_header *old)
{
	if (c->damaged || c->old != old->count)
		return false;
	for (uint32_t i = 0; i < c->old; i++) {
		if (c->v[i].changed || c->v[i].state == MAILDIR_GONE)
			return false;
	}
	return true;
}

/*
 * Opens the index, which is the file that fd is: a name can be given to something
 * else by others who may write here. -ESTALE when that has happened.
 */
static int reopen(int root_fd, int fd, int how)
{
	struct stat is;
	struct stat st;
	int again;

	if (sys_fstat(fd, &is) < 0)
		return -errno;
	again = sys_openat(root_fd, MAILDIR_INDEX, how | O_NOFOLLOW | O_NONBLOCK, 0);
	if (again < 0)
		return -errno;
	if (sys_fstat(again, &st) == 0 && st.st_ino == is.st_ino && st.st_dev == is.st_dev)
		return again;
	sys_close(again);
	return -ESTALE;
}

static int append(struct maildir_drop *m, const struct maildir_catalog *c, int old_fd,
		  const struct index_header *old, const struct index_mark dirs[MAILDIR_DIRS],
		  struct index_header *ret_header)
{
	const int fd = reopen(m->root_fd, old_fd, O_RDWR);
	int r;

	if (fd < 0)
		return fd;
	r = write_to(m, fd, c, c->old, old, dirs, ret_header);
	if (r == 0)
		r = reopen(m->root_fd, fd, O_RDONLY);
	sys_close(fd);
	return r;
}

int maildir_index_renew(struct maildir_drop *m, int index_fd, const struct index_header *h)
{
	const int fd = reopen(m->root_fd, index_fd, O_RDWR);
	struct index_writer w;
	int r;

	if (fd < 0)
		return fd;
	r = index_writer_init(&w, fd, h);
	w.header.views = m->has_views;
	if (r == 0)
		r = index_writer_finish(&w, h->dirs, maildir_store_of(m)->boot);
	index_writer_done(&w);
	sys_close(fd);
	return r;
}

/* A descriptor of a new file, or negative errno. */
static int open_tmp(struct maildir_drop *m)
{
	int fd;

	/* Somebody's who died. The lock is ours, so nobody is writing it. */
	(void)sys_unlinkat(m->root_fd, MAILDIR_INDEX_TMP, 0);
	fd = sys_openat(m->root_fd, MAILDIR_INDEX_TMP, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
			0600);
	return fd < 0 ? -errno : fd;
}

/*
 * r: how writing it went. It becomes the index, or goes. fd stays open.
 *
 * Not synced: after a crash a file that isn't whole has a length or a time that
 * doesn't fit, or records that don't decode, and is made again.
 */
static int finish_tmp(struct maildir_drop *m, int fd, int r)
{
	if (r == 0 && sys_renameat(m->root_fd, MAILDIR_INDEX_TMP, m->root_fd, MAILDIR_INDEX, 0) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		(void)sys_unlinkat(m->root_fd, MAILDIR_INDEX_TMP, 0);
	return r;
}

static int replace(struct maildir_drop *m, const struct maildir_catalog *c,
		   const struct index_mark dirs[MAILDIR_DIRS], struct index_header *ret_header)
{
	const int fd = open_tmp(m);
	int r = fd;

	if (fd >= 0)
		r = write_to(m, fd, c, 0, NULL, dirs, ret_header);
	r = finish_tmp(m, fd, r);
	if (r == 0)
		r = reopen(m->root_fd, fd, O_RDONLY);
	sys_close(fd);
	return r;
}

/* Who can't write to his disk can still read his mail. */
static int in_memory(struct maildir_drop *m, const struct maildir_catalog *c,
		     const struct index_mark dirs[MAILDIR_DIRS], struct index_header *ret_header)
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char self[32];
	int r;

	if (fd < 0)
		return -errno;
	r = write_to(m, fd, c, 0, NULL, dirs, ret_header);
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r == 0) {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		r = sys_openat(AT_FDCWD, self, O_RDONLY, 0);
		r = r < 0 ? -errno : r;
	}
	sys_close(fd);
	return r;
}

int maildir_index_write(struct maildir_drop *m, const struct maildir_catalog *c, int old_fd,
			const struct index_header *old, const struct index_mark dirs[MAILDIR_DIRS],
			struct err *err)
{
	const struct index_mark never[MAILDIR_DIRS] = {{0, 0}, {0, 0}};
	struct index_header h;
	int r = old_fd >= 0 && can_append(c, old) ? append(m, c, old_fd, old, dirs, &h)
						  : replace(m, c, dirs, &h);

	if (r < 0) {
		store_say(m->base.store, m->owner.path, "cannot write '%s': %s, will retry",
			  MAILDIR_INDEX, sys_reason(-r));
		r = in_memory(m, c, never, &h);
	}
	if (r < 0)
		return err_sys(err, -r, "cannot make the index of '%s'", m->owner.path);
	m->base.snapshot_fd = r;
	m->base.count = h.count;
	m->base.octets = h.octets;
	m->base.growth = h.growth;
	return 0;
}

static int compare_corrections(const void *a, const void *b)
{
	const struct maildir_correction *const x = a;
	const struct maildir_correction *const y = b;

	return x->n < y->n ? -1 : x->n > y->n;
}

/* n is asked for in rising order, *at is where the last one stopped. */
static void correct(const struct maildir_drop *m, uint32_t n, size_t *at, struct index_record *r)
{
	while (*at < m->n_corrections && m->corrections[*at].n < n)
		(*at)++;
	if (*at == m->n_corrections || m->corrections[*at].n != n)
		return;

	const struct maildir_correction *const c = &m->corrections[*at];

	r->octets = c->octets;
	r->bytes = c->bytes;
	r->growth = c->growth;
	r->flags = (r->flags & ~(uint32_t)INDEX_FLAGS_OF_CONTENT) | c->flags;
}

/* All there are: behind this session's own, deliveries may have put others. */
static int copy_records(struct maildir_drop *m, struct index_writer *w, uint32_t count,
			bool deleted)
{
	size_t at = 0;
	struct index_reader reader;
	struct index_record record;
	int r = index_reader_init(&reader, m->base.snapshot_fd, count);

	for (uint32_t n = 1; r == 0 && n <= count; n++) {
		const int got = index_reader_next(&reader, &record);

		if (got <= 0)
			r = got == 0 ? -ENODATA : got;
		if (r < 0 || (deleted && n <= m->base.count && maildrop_is_marked(&m->base, n)))
			continue;
		correct(m, n, &at, &record);
		r = index_writer_put(w, &record);
	}
	index_reader_done(&reader);
	return r;
}

/* Another session may have put another one in its place. */
static bool is_current(const struct maildir_drop *m, const struct stat *is)
{
	struct stat st;

	return !m->let_go || (sys_fstatat(m->root_fd, MAILDIR_INDEX, &st) == 0 &&
			      st.st_ino == is->st_ino && st.st_dev == is->st_dev);
}

bool maildir_index_header(struct maildir_drop *m, struct index_header *ret_header)
{
	const int fd = m->base.snapshot_fd;
	enum index_trust trust;
	struct stat st;

	return sys_fstat(fd, &st) == 0 && is_current(m, &st) &&
	       index_read_header(fd, &st, maildir_store_of(m)->boot, ret_header, &trust) == 0 &&
	       trust == INDEX_TRUSTED;
}

static int update(struct maildir_drop *m, bool deleted)
{
	struct index_writer w = {.fd = -1};
	struct index_header old;
	int fd;
	int r;

	/* In doubt it stays in doubt. */
	if (!maildir_index_header(m, &old))
		return 0;
	fd = open_tmp(m);
	r = fd < 0 ? fd : index_writer_init(&w, fd, NULL);
	w.header.views = old.views;
	if (r == 0)
		r = copy_records(m, &w, old.count, deleted);
	/* Where we weren't alone, the mark from before: the directory has another one now. */
	for (int i = 0; i < MAILDIR_DIRS && deleted; i++) {
		if (m->after[i].mtime_ns != 0)
			old.dirs[i] = m->after[i];
	}
	if (r == 0)
		r = index_writer_finish(&w, old.dirs, maildir_store_of(m)->boot);
	index_writer_done(&w);
	r = finish_tmp(m, fd, r);
	sys_close(fd);
	return r;
}

void maildir_index_update(struct maildir_drop *m, bool deleted)
{
	const int new_fd = maildir_drop_dir(m, MAILDIR_NEW, NULL);
	const bool locked = new_fd >= 0 && maildir_lock_index(new_fd);
	int r;

	if (m->n_corrections > 0)
		qsort(m->corrections, m->n_corrections, sizeof(*m->corrections),
		      compare_corrections);
	r = update(m, deleted);
	if (r < 0)
		store_say(m->base.store, m->owner.path, "cannot write '%s': %s, will retry",
			  MAILDIR_INDEX, sys_reason(-r));
	m->n_corrections = 0;
	if (locked)
		maildir_unlock_index(new_fd);
}

/*
 * A time that isn't the one in the header: as if somebody had written to it. On
 * the open file, which may no longer have the name.
 */
void maildir_index_doubt(struct maildir_drop *m)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, sys_timespec(index_stamp_ns())};
	const int new_fd = maildir_drop_dir(m, MAILDIR_NEW, NULL);
	const bool locked = new_fd >= 0 && maildir_lock_index(new_fd);

	(void)sys_futimens(m->base.snapshot_fd, times);
	if (locked)
		maildir_unlock_index(new_fd);
}
