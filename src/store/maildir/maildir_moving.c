/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_moving.h"

#include "base/rand.h"
#include "store/owner.h"
#include "store/uidl_list.h"

static struct maildir_moving *of(struct moving *m)
{
	return (struct maildir_moving *)m;
}

static void close_moving(struct moving *base)
{
	struct maildir_moving *const m = of(base);
	struct owner_switch sw = {.switched = false};

	if (m->incoming.tmp_name[0] != '\0' && owner_enter(&sw, &m->drop->owner.o, NULL) < 0)
		m->incoming.tmp_name[0] = '\0';
	incoming_close(&m->incoming);
	owner_leave(&sw);
	maildir_given_done(&m->given);
	maildir_given_done(&m->awaited);
	maildir_files_done(&m->files);
	free(m->by_file);
	free(m->buckets);
	for (int w = 0; w < MAILDIR_DIRS; w++)
		sys_close(m->dir_fd[w]);
	maildir_drop_free(m->drop);
	free(m);
}

/* As it is. -ENOENT: there is no Maildir yet, and who only looks makes none. */
static int open_as_it_is(const struct maildir_drop *d, struct err *err)
{
	const char *const path = d->owner.path;
	const int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", path);
	for (int w = 0; w < MAILDIR_DIRS; w++) {
		if (sys_fstatat(fd, maildir_where_name(w), &st) < 0) {
			const int r = err_sys(err, errno, "cannot examine '%s'", path);

			sys_close(fd);
			return r;
		}
	}
	return fd;
}

static int begin_as_owner(struct maildir_moving *m, struct err *err)
{
	struct maildir_drop *const d = m->drop;
	int r = m->dry_run ? open_as_it_is(d, err)
			   : maildir_root_open(maildir_store_of(d), d->owner.path, true, err);

	if (r == -ENOENT && m->dry_run)
		return 0;
	d->root_fd = r;
	if (r >= 0)
		r = maildir_lock_session(d, err);
	/* What a QUIT has decided isn't to be taken for messages that are here. */
	if (r == 0 && !m->dry_run)
		r = maildir_replay(d, err);
	return r;
}

static int begin(struct store *s, const struct store_owner *owner, bool dry_run,
		 struct moving **ret_moving, struct err *err)
{
	struct maildir_moving *const m = calloc(1, sizeof(*m));
	struct owner_switch sw;
	int r;

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	*m = (struct maildir_moving){
		.base = {.store = s},
		.drop = maildir_drop_new(s, owner),
		.dry_run = dry_run,
		.incoming = INCOMING_NONE,
		.dir_fd = {-1, -1},
	};
	if (m->drop == NULL) {
		free(m);
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	}
	r = owner_enter(&sw, owner, err);
	if (r == 0) {
		r = begin_as_owner(m, err);
		owner_leave(&sw);
	}
	if (r < 0)
		close_moving(&m->base);
	else
		*ret_moving = &m->base;
	return r;
}

static bool is_place(const struct moving *base, uint64_t device, uint64_t inode)
{
	const struct maildir_moving *const m = (const struct maildir_moving *)base;
	struct stat st;

	return m->drop->root_fd >= 0 && sys_fstat(m->drop->root_fd, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

/* ---- what is here ---- */

static int index_files(struct maildir_moving *m)
{
	size_t n = 64;

	while (n < m->files.count)
		n *= 2;
	m->by_file = calloc((size_t)m->files.count + 1, sizeof(*m->by_file));
	m->buckets = malloc(n * sizeof(*m->buckets));
	if (m->by_file == NULL || m->buckets == NULL)
		return -ENOMEM;
	memset(m->buckets, 0xff, n * sizeof(*m->buckets));
	m->mask = (uint32_t)n - 1;
	for (uint32_t i = 0; i < m->files.count; i++) {
		struct maildir_key key;

		if (!maildir_key_make(maildir_file_name(&m->files, i), &key))
			return -ENOMEM;
		m->by_file[i].hash = key.hash;
		m->by_file[i].next = m->buckets[key.hash & m->mask];
		m->buckets[key.hash & m->mask] = i;
	}
	return 0;
}

static int read_drop(struct maildir_moving *m, struct err *err)
{
	int r = 0;

	if (m->drop->root_fd < 0)
		return 0;
	r = maildir_given_read(m->drop, MAILDIR_UIDL, &m->given, err);
	if (r == 0)
		r = maildir_given_read(m->drop, MAILDIR_MOVING, &m->awaited, err);
	for (int w = 0; w < MAILDIR_DIRS && r == 0; w++)
		r = maildir_scan(m->drop, w, false, &m->files, err);
	if (r == 0 && index_files(m) < 0)
		r = err_sys(err, ENOMEM, "cannot read '%s'", m->drop->owner.path);
	return r;
}

/* The file that has this name but for sizes and flags, or MAILDIR_NOWHERE. */
static uint32_t find_file(const struct maildir_moving *m, struct span name)
{
	struct maildir_key wanted;
	struct maildir_key key;

	if (m->buckets == NULL || !maildir_key_make(name, &wanted))
		return MAILDIR_NOWHERE;
	for (uint32_t i = m->buckets[wanted.hash & m->mask]; i != MAILDIR_NOWHERE;
	     i = m->by_file[i].next) {
		if (m->by_file[i].hash == wanted.hash &&
		    maildir_key_make(maildir_file_name(&m->files, i), &key) &&
		    span_eq(maildir_uidl_span(&key.uidl), maildir_uidl_span(&wanted.uidl)))
			return i;
	}
	return MAILDIR_NOWHERE;
}

/* ---- the plan ---- */

struct span maildir_moving_name(const struct maildir_moving *m, const struct moving_message *msg)
{
	if (msg->name.n > 0 && (m->in_place || msg->_line == MAILDIR_NOWHERE))
		return msg->name;
	return msg->_line != MAILDIR_NOWHERE ? m->given.v[msg->_line].name : span_str(msg->_stem);
}

/*
 * A name for a message that comes: its time is the old server's, so that other programs
 * sort it among the others, and the rest is chance.
 */
static void make_stem(struct moving_message *msg, size_t i)
{
	(void)snprintf(msg->_stem, sizeof(msg->_stem), "%llu.Q%zuR%016llx.moved",
		       (unsigned long long)msg->arrived, i + 1, (unsigned long long)rand_u64());
}

/* The line by UIDL, or for one that had another UIDL then, or none, by name. */
static uint32_t find_line(struct maildir_moving *m, const struct moving_message *msg)
{
	const uint32_t line = maildir_given_at(&m->given, msg->uidl);
	struct maildir_key key;

	if (line != MAILDIR_NOWHERE) {
		m->given.v[line].used = true;
		return line;
	}
	if (msg->name.n == 0 || !maildir_key_make(msg->name, &key))
		return MAILDIR_NOWHERE;
	return maildir_given_find(&m->given, &key);
}

static void plan_one(struct maildir_moving *m, size_t i)
{
	struct moving_message *const msg = &m->base.v[i];
	uint32_t file;

	msg->_line = find_line(m, msg);
	if (msg->_line == MAILDIR_NOWHERE && msg->name.n == 0)
		make_stem(msg, i);
	file = find_file(m, maildir_moving_name(m, msg));
	if (file != MAILDIR_NOWHERE)
		m->by_file[file].claimed = true;
	if (file != MAILDIR_NOWHERE || m->in_place)
		msg->state = MOVING_HERE;
	else if (msg->_line == MAILDIR_NOWHERE ||
		 maildir_given_has(&m->awaited, m->given.v[msg->_line].uidl))
		msg->state = MOVING_MISSING;
	else
		msg->state = MOVING_DELETED;
}

/* The file of a line that no message of the old server's has, if it is to stay; or NOWHERE. */
static uint32_t left_over(const struct maildir_moving *m, uint32_t line)
{
	const uint32_t file = m->given.v[line].used ? MAILDIR_NOWHERE
						    : find_file(m, m->given.v[line].name);

	return file != MAILDIR_NOWHERE && m->by_file[file].claimed ? MAILDIR_NOWHERE : file;
}

static int unlink_file(struct maildir_moving *m, uint32_t file, struct err *err)
{
	const int where = m->files.v[file].where;
	const int dir_fd = maildir_drop_dir(m->drop, where, err);
	char name[MAILDIR_NAME_MAX + 1];
	const struct span s = maildir_file_name(&m->files, file);

	if (dir_fd < 0)
		return dir_fd;
	memcpy(name, s.p, s.n);
	name[s.n] = '\0';
	if (sys_unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot delete '%s/%s/%s'", m->drop->owner.path,
			       maildir_where_name(where), name);
	m->drop->unlinked[where] = true;
	m->by_file[file].claimed = true;
	return 0;
}

/* Before their lines go: a file without its line would be a new message to every client. */
static int count_gone(struct maildir_moving *m, bool remove, struct moving_counts *counts,
		      struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < m->given.count && r == 0; i++) {
		const uint32_t file = left_over(m, i);

		if (file == MAILDIR_NOWHERE)
			continue;
		counts->gone++;
		if (remove && !m->dry_run)
			r = unlink_file(m, file, err);
	}
	if (r == 0 && remove && !m->dry_run)
		r = maildir_sync_dirs(m->drop, err);
	return r;
}

/* Lines that were there before and stay, from *at up to line number end. */
static int put_left_over(const struct maildir_moving *m, struct buf *b, uint32_t *at, uint32_t end,
			 uint32_t *count)
{
	int r = 0;

	for (; *at < end && r == 0; (*at)++) {
		if (left_over(m, *at) == MAILDIR_NOWHERE)
			continue;
		r = uidl_list_put(b, m->given.v[*at].uidl, m->given.v[*at].name);
		(*count)++;
	}
	return r;
}

static int make_list(const struct maildir_moving *m, struct buf *b)
{
	uint32_t at = 0;
	uint32_t count = 0;
	int r = uidl_list_begin(b);

	for (size_t i = 0; i < m->base.n && r == 0; i++) {
		const struct moving_message *const msg = &m->base.v[i];

		if (msg->_line != MAILDIR_NOWHERE)
			r = put_left_over(m, b, &at, msg->_line, &count);
		if (r == 0)
			r = uidl_list_put(b, msg->uidl, maildir_moving_name(m, msg));
		count++;
	}
	if (r == 0)
		r = put_left_over(m, b, &at, m->given.count, &count);
	return r == 0 ? uidl_list_end(b, count) : r;
}

/* ---- written ---- */

static int replace(struct maildir_moving *m, const char *file, const struct buf *b, struct err *err)
{
	const int root_fd = m->drop->root_fd;
	int fd;
	int r;

	(void)sys_unlinkat(root_fd, MAILDIR_UIDL_TMP, 0);
	fd = sys_openat(root_fd, MAILDIR_UIDL_TMP, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	r = fd < 0 || sys_pwrite_all(fd, b->p, b->n, 0) < 0 || sys_fsync(fd) < 0 ? -errno : 0;
	sys_close(fd);
	if (r == 0 && sys_renameat(root_fd, MAILDIR_UIDL_TMP, root_fd, file, 0) < 0)
		r = -errno;
	if (r == 0 && sys_fsync(root_fd) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	(void)sys_unlinkat(root_fd, MAILDIR_UIDL_TMP, 0);
	return err_sys(err, -r, "cannot write '%s/%s'", m->drop->owner.path, file);
}

/* The index goes first: what it knows would keep the UIDLs that it had without the list. */
static int forget_index(struct maildir_moving *m, struct err *err)
{
	if (sys_unlinkat(m->drop->root_fd, MAILDIR_INDEX, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot remove '%s/%s'", m->drop->owner.path,
			       MAILDIR_INDEX);
	if (sys_fsync(m->drop->root_fd) < 0)
		return err_sys(err, errno, "cannot sync '%s'", m->drop->owner.path);
	return 0;
}

int maildir_moving_await(struct maildir_moving *m, struct err *err)
{
	struct buf b;
	uint32_t count = 0;
	int r = uidl_list_begin(&b);

	for (size_t i = 0; i < m->base.n && r == 0; i++) {
		if (m->base.v[i].state != MOVING_MISSING)
			continue;
		r = uidl_list_put(&b, m->base.v[i].uidl, maildir_moving_name(m, &m->base.v[i]));
		count++;
	}
	if (r == 0)
		r = uidl_list_end(&b, count);
	if (r < 0)
		(void)err_sys(err, -r, "cannot write '%s/%s'", m->drop->owner.path, MAILDIR_MOVING);
	else if (count > 0)
		r = replace(m, MAILDIR_MOVING, &b, err);
	else if (sys_unlinkat(m->drop->root_fd, MAILDIR_MOVING, 0) < 0 && errno != ENOENT)
		r = err_sys(err, errno, "cannot remove '%s/%s'", m->drop->owner.path,
			    MAILDIR_MOVING);
	buf_done(&b);
	return r;
}

/* The same as before, or there was none and is nothing: sessions go on as they were. */
static bool is_news(const struct maildir_moving *m, const struct buf *b)
{
	return m->given.file != NULL
		       ? !span_eq(buf_span(b), span_of(m->given.file, m->given.file_n))
		       : m->base.n > 0;
}

static int write_list(struct maildir_moving *m, struct err *err)
{
	struct buf b;
	int r = make_list(m, &b);

	if (r < 0) {
		(void)err_sys(err, -r, "cannot write '%s/%s'", m->drop->owner.path, MAILDIR_UIDL);
	} else if (is_news(m, &b)) {
		r = forget_index(m, err);
		if (r == 0)
			r = replace(m, MAILDIR_UIDL, &b, err);
	}
	buf_done(&b);
	return r;
}

static int plan_as_owner(struct maildir_moving *m, bool remove_gone, struct moving_counts *counts,
			 struct err *err)
{
	int r = read_drop(m, err);

	for (size_t i = 0; i < m->base.n && r == 0; i++) {
		plan_one(m, i);
		counts->here += m->base.v[i].state == MOVING_HERE;
		counts->missing += m->base.v[i].state == MOVING_MISSING;
		counts->deleted += m->base.v[i].state == MOVING_DELETED;
	}
	if (r == 0)
		r = count_gone(m, remove_gone, counts, err);
	if (r == 0 && !m->dry_run && (counts->missing > 0 || m->awaited.file != NULL))
		r = maildir_moving_await(m, err);
	if (r == 0 && !m->dry_run)
		r = write_list(m, err);
	return r;
}

static int plan(struct moving *base, const struct moving_wish *wish,
		struct moving_counts *ret_counts, struct err *err)
{
	struct maildir_moving *const m = of(base);
	struct moving_counts counts = {0};
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->drop->owner.o, err);

	if (r < 0)
		return r;
	m->in_place = wish->in_place;
	r = plan_as_owner(m, wish->remove_gone, &counts, err);
	owner_leave(&sw);
	if (r == 0)
		*ret_counts = counts;
	return r;
}

const struct moving_driver maildir_moving_driver = {
	.begin = begin,
	.is_place = is_place,
	.plan = plan,
	.fd = maildir_moving_fd,
	.arrive = maildir_moving_arrive,
	.commit = maildir_moving_commit,
	.close = close_moving,
};
