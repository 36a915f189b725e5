/* SPDX-License-Identifier: MIT */
#include <dirent.h>

#include "store/maildir/maildir_priv.h"

uint32_t maildir_pool_put(struct maildir_pool *pool, struct span s)
{
	if (pool->n + s.n >= MAILDIR_NOWHERE)
		return MAILDIR_NOWHERE;
	if (pool->p == NULL || pool->cap - pool->n < s.n) {
		size_t cap = pool->cap == 0 ? 4096 : pool->cap;

		while (cap - pool->n < s.n)
			cap *= 2;

		char *const p = realloc(pool->p, cap);

		if (p == NULL)
			return MAILDIR_NOWHERE;
		pool->p = p;
		pool->cap = cap;
	}

	const uint32_t at = (uint32_t)pool->n;

	if (s.n > 0)
		memcpy(pool->p + pool->n, s.p, s.n);
	pool->n += s.n;
	return at;
}

void maildir_files_done(struct maildir_files *files)
{
	free(files->names.p);
	free(files->v);
	*files = (struct maildir_files){0};
}

static int files_add(struct maildir_files *files, struct span name, enum maildir_where where)
{
	if (files->count == files->cap) {
		const uint32_t cap = files->cap == 0 ? 64 : files->cap * 2;
		struct maildir_file *v;

		if (cap > INDEX_COUNT_MAX)
			return -ENOMEM;
		v = realloc(files->v, cap * sizeof(*v));
		if (v == NULL)
			return -ENOMEM;
		files->v = v;
		files->cap = cap;
	}

	const uint32_t at = maildir_pool_put(&files->names, name);

	if (at == MAILDIR_NOWHERE)
		return -ENOMEM;
	files->v[files->count++] = (struct maildir_file){
		.name = at, .name_len = (uint8_t)name.n, .where = (uint8_t)where};
	return 0;
}

/* A fifo would hang who opens it, a link could lead out of the maildrop. */
static bool is_message(int dir_fd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	/* Gone already: let it be found gone by who opens it. */
	return sys_fstatat(dir_fd, e->d_name, &st) < 0 || S_ISREG(st.st_mode);
}

static int scan_dir(struct maildir_drop *m, DIR *dir, enum maildir_where where, bool quiet,
		    struct maildir_files *files)
{
	for (;;) {
		const struct dirent *e;
		struct span name;
		int r;

		errno = 0;
		e = store_step("readdir", false) ? readdir(dir) : NULL;
		if (e == NULL)
			return -errno;
		name = span_str(e->d_name);
		if (name.p[0] == '.' || name.n > MAILDIR_NAME_MAX)
			continue;
		if (!is_message(dirfd(dir), e)) {
			if (!quiet)
				maildir_say_odd(m, "'%s/%s' is not a regular file, ignored",
						maildir_where_name(where), e->d_name);
			continue;
		}
		r = files_add(files, name, where);
		if (r < 0)
			return r;
	}
}

int maildir_scan(struct maildir_drop *m, enum maildir_where where, bool quiet,
		 struct maildir_files *files, struct err *err)
{
	const char *const path = m->owner.path;
	const int fd = maildir_dir_open(m->root_fd, where, path, err);
	DIR *dir;
	int r;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (dir == NULL) {
		r = err_sys(err, errno, "cannot read '%s/%s'", path, maildir_where_name(where));
		sys_close(fd);
		return r;
	}
	r = scan_dir(m, dir, where, quiet, files);
	(void)closedir(dir);
	return r < 0 ? err_sys(err, -r, "cannot read '%s/%s'", path, maildir_where_name(where)) : 0;
}

/*
 * How changes are noticed exactly. The kernel's own times can't do it: another
 * program may change the directory right after we have read it and within the
 * same tick, and leave the time that we saw. So before a directory is read, its
 * time is set to one that the kernel gives to nothing (index_stamp_ns()), and
 * that is what the index remembers:
 *
 *   mark  ->  look at the mark  ->  read  ->  remember the mark
 *
 * A change before the mark is in what we read, and the mark hides its time, which
 * is right. A change between mark and look replaces the mark: what we look at
 * isn't it, and nothing is trusted this time. A change after the look, whether
 * our reading sees it or not, replaces the mark with another time: the next open
 * finds that and reads again. A change that is made by another session's mark
 * can't be: sessions exclude each other. Who dies between mark and remember has
 * left a mark that no index knows: the next open reads.
 *
 * Marking after the reading, or remembering a time that was not set by us, would
 * both leave a hole. Reading the mark back also catches file systems that round
 * times (then two changes could have one time) or ignore the request, and a
 * directory that belongs to somebody else (EPERM).
 *
 * The kernel's own time of change (ctime) belongs to the mark, because nobody can set
 * that: a backup that is played back over a maildrop sets old modification times, and
 * with them old marks.
 */
struct index_mark maildir_stamp(int dir_fd)
{
	const uint64_t stamp = index_stamp_ns();
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, sys_timespec(stamp)};
	struct stat st;

	if (sys_futimens(dir_fd, times) == 0 && sys_fstat(dir_fd, &st) == 0 &&
	    sys_ns(st.st_mtim) == stamp)
		return maildir_mark_of(&st);
	return (struct index_mark){0};
}
