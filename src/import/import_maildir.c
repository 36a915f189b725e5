/* SPDX-License-Identifier: MIT */
#include "import/import_maildir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/text_file.h"
#include "store/owner.h"

static const char *const dirs[2] = {"new", "cur"};

struct maildir_source {
	struct import_source base;
	const struct import_flavour *flavour;
	const char *uidl_format;   /* Borrowed */
	struct import_place place; /* its path is the one that follows */
	char path[LIMIT_PATH];
	int root_fd; /* -1: there is no such Maildir. Owned */
};

static struct maildir_source *of(struct import_source *s)
{
	return (struct maildir_source *)s;
}

/* From here to owner_leave() the disk is reached with the rights that the operator has chosen. */
static int enter(const struct import_place *place, struct owner_switch *sw, struct err *err)
{
	const struct store_owner as = {
		.user = "", .path = place->path, .uid = place->uid, .gid = place->gid};

	return owner_enter(sw, &as, err);
}

uint64_t import_maildir_seconds(struct span name)
{
	uint64_t seconds = 0;
	size_t n = 0;

	while (n < name.n && name.p[n] >= '0' && name.p[n] <= '9')
		n++;
	(void)num_parse_u64(span_of(name.p, n), INT64_MAX, &seconds);
	return seconds;
}

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct span x = import_name(ctx, a);
	const struct span y = import_name(ctx, b);
	const int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return r != 0 ? r : (x.n > y.n) - (x.n < y.n);
}

size_t import_maildir_find(const struct import_listing *l, struct span name)
{
	size_t from = 0;
	size_t to = l->n;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;
		const struct span at = import_name(l, &l->v[middle]);
		const int r = memcmp(at.p, name.p, at.n < name.n ? at.n : name.n);

		if (r < 0 || (r == 0 && at.n < name.n))
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->n && span_eq(import_name(l, &l->v[from]), name) ? from : l->n;
}

static int add_file(struct import_listing *l, int dir_fd, const char *file, uint8_t where)
{
	const struct span whole = span_str(file);
	const size_t n = span_find(whole, ':');
	struct import_message m = {.where = where};
	struct stat st;

	if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	m.arrived = st.st_mtim.tv_sec < 0 ? 0 : (uint64_t)st.st_mtim.tv_sec;
	m.bytes = (uint64_t)st.st_size;
	/* ":2," and flags. */
	if (whole.n - n >= 3)
		import_flags(span_of(whole.p + n + 3, whole.n - n - 3), m.flags);
	return import_listing_add(l, &m, span_of(whole.p, n));
}

static int scan(struct import_listing *l, int root_fd, uint8_t where)
{
	const int fd = openat(root_fd, dirs[where],
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (dir == NULL) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r == -ENOENT ? 0 : r;
	}
	while (r == 0) {
		const struct dirent *e;

		errno = 0;
		e = readdir(dir);
		if (e == NULL) {
			r = -errno;
			break;
		}
		if (e->d_name[0] != '.')
			r = add_file(l, dirfd(dir), e->d_name, where);
	}
	(void)closedir(dir);
	return r;
}

/* A file in both, because it was moved meanwhile, is one message: the one in cur/. */
static void drop_doubles(struct import_listing *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (n > 0 && span_eq(import_name(l, &l->v[n - 1]), import_name(l, &l->v[i]))) {
			if (l->v[i].where > l->v[n - 1].where)
				l->v[n - 1] = l->v[i];
		} else {
			l->v[n++] = l->v[i];
		}
	}
	l->n = n;
}

static int apply_list(const struct maildir_source *s, struct import_listing *l, struct err *err)
{
	char path[LIMIT_PATH + 64];
	struct text_file file;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", s->place.path,
		       s->flavour->list_file != NULL ? s->flavour->list_file : "");
	if (s->flavour->list_file == NULL)
		return s->flavour->apply(l, span_of("", 0), path, s->uidl_format, err);
	r = text_file_read(path, IMPORT_LIST_FILE_MAX, &file, err);
	/* The old server has never looked into it: there is nothing that a client knows. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = s->flavour->apply(l, span_of(file.text, file.n), path, s->uidl_format, err);
	free(file.text);
	return r;
}

static int list_as_owner(struct maildir_source *s, struct import_listing *l, struct err *err)
{
	int r = 0;

	for (uint8_t where = 0; where < 2 && r == 0; where++)
		r = scan(l, s->root_fd, where);
	if (r < 0)
		return err_sys(err, -r, "cannot read '%s'", s->place.path);
	if (l->n > 0)
		qsort_r(l->v, l->n, sizeof(*l->v), by_name, l);
	drop_doubles(l);
	/* What the list doesn't have comes behind what it has, by the times in the names. */
	for (size_t i = 0; i < l->n; i++)
		l->v[i].order = (UINT64_C(1) << 63) |
				import_maildir_seconds(import_name(l, &l->v[i]));
	return apply_list(s, l, err);
}

static int list(struct import_source *base, struct import_listing *l, struct err *err)
{
	struct maildir_source *const s = of(base);
	struct owner_switch sw;
	int r;

	if (s->root_fd < 0)
		return 0;
	r = enter(&s->place, &sw, err);
	if (r < 0)
		return r;
	r = list_as_owner(s, l, err);
	owner_leave(&sw);
	if (r == 0)
		import_listing_sort(l);
	return r;
}

/* ---- one message ---- */

/* The name in a directory that begins with base and has nothing but an info behind it. */
static bool find_name(int dir_fd, struct span base, char ret_name[static 256])
{
	const int fd = dup(dir_fd);
	DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool found = false;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	rewinddir(dir);
	while (!found && (e = readdir(dir)) != NULL) {
		const struct span name = span_str(e->d_name);

		found = name.n < 256 && name.n >= base.n && memcmp(name.p, base.p, base.n) == 0 &&
			(name.n == base.n || name.p[base.n] == ':');
		if (found)
			memcpy(ret_name, name.p, name.n + 1);
	}
	(void)closedir(dir);
	return found;
}

/*
 * Names change with every flag that a mail reader sets, and come from new/ to cur/; so a
 * directory is searched, which is quick where the name is as it was.
 */
static int open_message(const struct maildir_source *s, struct span base,
			const struct import_message *m)
{
	char name[256];
	int fd = -1;

	/* Where it was when it was listed, and the flags that it had. */
	if (base.n + 4 + IMPORT_FLAGS_MAX < sizeof(name)) {
		char path[sizeof(name) + 8];

		(void)snprintf(path, sizeof(path), m->where == 1 ? "%s/%.*s:2,%s" : "%s/%.*s",
			       dirs[m->where], (int)base.n, base.p, m->flags);
		fd = openat(s->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	}
	for (int where = 1; where >= 0 && fd < 0; where--) {
		const int dir_fd = openat(s->root_fd, dirs[where],
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (dir_fd < 0)
			continue;
		if (find_name(dir_fd, base, name))
			fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		(void)close(dir_fd);
	}
	return fd;
}

static int copy(int fd, struct import_text *to, bool *ret_compressed)
{
	static const char gzip[2] = {'\x1f', '\x8b'};
	char buf[1 << 16];
	bool first = true;

	for (;;) {
		const ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		*ret_compressed = first && n >= 2 && memcmp(buf, gzip, 2) == 0;
		if (*ret_compressed)
			return 0;
		first = false;
		import_text_put(to, span_of(buf, (size_t)n));
	}
}

static int fetch(struct import_source *base, const struct import_listing *l,
		 const struct import_message *m, struct import_text *to, uint64_t *ret_arrived,
		 struct err *err)
{
	struct maildir_source *const s = of(base);
	const struct span name = import_name(l, m);
	bool compressed = false;
	struct owner_switch sw;
	int fd;
	int r = enter(&s->place, &sw, err);

	if (r < 0)
		return r;
	*ret_arrived = m->arrived;
	errno = ENOENT;
	fd = open_message(s, name, m);
	r = fd < 0 ? -errno : copy(fd, to, &compressed);
	if (fd >= 0)
		(void)close(fd);
	owner_leave(&sw);
	if (r < 0)
		return err_sys(err, -r, "cannot read '%.*s' in '%s'", (int)name.n, name.p,
			       s->place.path);
	if (compressed)
		return err_set(err, EBADMSG,
			       "'%.*s' in '%s' is compressed: \"import doveadm\" can read it",
			       (int)name.n, name.p, s->place.path);
	return 0;
}

static void close_source(struct import_source *base)
{
	struct maildir_source *const s = of(base);

	if (s->root_fd >= 0)
		(void)close(s->root_fd);
	free(s);
}

static const struct import_source_ops ops = {.list = list, .fetch = fetch, .close = close_source};

static int open_root(struct maildir_source *s, struct err *err)
{
	struct owner_switch sw;
	struct stat st;
	int r = enter(&s->place, &sw, err);

	if (r < 0)
		return r;
	s->root_fd = open(s->place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root_fd < 0 && errno != ENOENT)
		r = err_sys(err, errno, "cannot open '%s'", s->place.path);
	if (s->root_fd >= 0 && fstat(s->root_fd, &st) < 0)
		r = err_sys(err, errno, "cannot examine '%s'", s->place.path);
	owner_leave(&sw);
	if (r == 0 && s->root_fd >= 0) {
		s->base.is_maildir = true;
		s->base.device = st.st_dev;
		s->base.inode = st.st_ino;
	}
	return r;
}

int import_maildir_open(const struct import_place *place, const struct import_flavour *flavour,
			const char *uidl_format, struct import_source **ret_source, struct err *err)
{
	struct maildir_source *const s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", place->path);
	*s = (struct maildir_source){
		.base = {.ops = &ops},
		.flavour = flavour,
		.uidl_format = uidl_format,
		.place = *place,
		.root_fd = -1,
	};
	(void)snprintf(s->path, sizeof(s->path), "%s", place->path);
	s->place.path = s->path;
	r = open_root(s, err);
	if (r < 0) {
		close_source(&s->base);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}
