/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_priv.h"

static struct store *maildir_new(void)
{
	struct maildir_store *const s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->boot = index_boot();
	atomic_init(&s->making, 0);
	if (pthread_mutex_init(&s->make_lock, NULL) != 0)
		goto free_store;
	if (pthread_mutex_init(&s->watch_lock, NULL) != 0)
		goto destroy_make_lock;
	return &s->base;

destroy_make_lock:
	(void)pthread_mutex_destroy(&s->make_lock);
free_store:
	free(s);
	return NULL;
}

static void maildir_free(struct store *store)
{
	struct maildir_store *const s = (struct maildir_store *)store;

	while (s->n_watches > 0)
		sys_close(s->watches[--s->n_watches]);
	(void)pthread_mutex_destroy(&s->watch_lock);
	(void)pthread_mutex_destroy(&s->make_lock);
	free(s);
}

void maildir_owner_copy(struct maildir_owner *to, const struct store_owner *from)
{
	const size_t n = strlen(from->path);

	/* store.c has checked the length. */
	memcpy(to->path, from->path, n + 1);
	to->o = (struct store_owner){
		.user = "",
		.path = to->path,
		.uid = from->uid,
		.gid = from->gid,
		.rules = from->rules,
	};
}

/* Makes the entry of a directory durable: syncs the directory that it stands in. */
static int sync_parent(char *path)
{
	char *const slash = strrchr(path, '/');
	int fd;
	int r = 0;

	if (slash == path) {
		fd = sys_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
	} else {
		*slash = '\0';
		fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
		*slash = '/';
	}
	if (fd >= 0) {
		r = sys_fsync(fd) < 0 ? -errno : 0;
		sys_close(fd);
		return r;
	}
	if (errno != EACCES)
		return -errno;

	/* A parent that one may write to and not read (mode 1733): sync all there is. */
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return -errno;
	r = sys_syncfs(fd) < 0 ? -errno : 0;
	sys_close(fd);
	return r;
}

/* Makes path, whose parent exists. 0 when it is there, whoever made it. */
static int make_one(char *path)
{
	if (sys_mkdirat(AT_FDCWD, path) < 0)
		return errno == EEXIST ? 0 : -errno;

	const int r = sync_parent(path);

	/* If it stayed, the next try would find it and not sync its parent. */
	if (r < 0)
		(void)sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	return r;
}

/* Makes path, which has no slash at its end, and what is missing above it. */
static int make_path(char *path)
{
	const size_t end = strlen(path);
	int r = make_one(path);

	/* Up to a directory whose parent exists: each slash on the way becomes an end … */
	for (char *slash; r == -ENOENT && (slash = strrchr(path, '/')) != path;) {
		*slash = '\0';
		r = make_one(path);
	}
	/* … and down again. */
	while (r == 0 && strlen(path) < end) {
		path[strlen(path)] = '/';
		r = make_one(path);
	}
	return r;
}

static int make_subdirs(int root_fd)
{
	/* new/ comes last: where it is, the others are. */
	static const char *const names[] = {"tmp", "cur", "new"};
	bool made[3] = {false, false, false};
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < 3 && r == 0; i++) {
		made[i] = sys_mkdirat(root_fd, names[i]) == 0;
		if (!made[i] && errno != EEXIST)
			r = -errno;
		any = any || made[i];
	}
	if (any && r == 0 && sys_fsync(root_fd) < 0)
		r = -errno;
	for (size_t i = 0; i < 3 && r < 0; i++) {
		if (made[i])
			(void)sys_unlinkat(root_fd, names[i], AT_REMOVEDIR);
	}
	return r;
}

static int make_locked(const char *path, struct err *err)
{
	char copy[LIMIT_PATH];
	size_t n = 0;
	int r;

	/* One slash between names, none at the end. */
	for (size_t i = 0; path[i] != '\0'; i++) {
		if (path[i] != '/' || (path[i + 1] != '/' && path[i + 1] != '\0') || i == 0)
			copy[n++] = path[i];
	}
	copy[n] = '\0';
	r = make_path(copy);
	if (r < 0)
		return err_sys(err, -r, "cannot make '%s'", path);

	const int root_fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	if (root_fd < 0)
		return err_sys(err, errno, "cannot open '%s'", path);
	r = make_subdirs(root_fd);
	sys_close(root_fd);
	return r < 0 ? err_sys(err, -r, "cannot make '%s/new'", path) : 0;
}

/*
 * A directory is seen by others as soon as it is made, and durable only when its
 * parent was synced. Who finds one and delivers into it must not be done before
 * that: so whoever finds somebody making directories waits for him (see
 * wait_for_makers()). Between processes the file system's own order does it: a
 * journal that has the message has the older directory too.
 */
int maildir_make_missing(struct maildir_store *s, const char *path, struct err *err)
{
	int r;

	(void)atomic_fetch_add(&s->making, 1);
	(void)pthread_mutex_lock(&s->make_lock);
	r = make_locked(path, err);
	(void)pthread_mutex_unlock(&s->make_lock);
	(void)atomic_fetch_sub(&s->making, 1);
	return r;
}

static void wait_for_makers(struct maildir_store *s)
{
	if (atomic_load(&s->making) > 0) {
		(void)pthread_mutex_lock(&s->make_lock);
		(void)pthread_mutex_unlock(&s->make_lock);
	}
}

int maildir_root_open(struct maildir_store *s, const char *path, bool make, struct err *err)
{
	struct stat st;

	for (int turn = 0;; turn++) {
		const int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
		const bool missing = fd < 0 ? errno == ENOENT
					    : make && sys_fstatat(fd, "new", &st) < 0 &&
						      errno == ENOENT;

		if (!missing || turn == 1) {
			wait_for_makers(s);
			return fd >= 0 ? fd : err_sys(err, errno, "cannot open '%s'", path);
		}
		sys_close(fd);

		const int r = maildir_make_missing(s, path, err);

		if (r < 0)
			return r;
	}
}

int maildir_dir_open(int root_fd, enum maildir_where where, const char *path, struct err *err)
{
	const char *const name = maildir_where_name(where);
	const int fd = sys_openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	return fd >= 0 ? fd : err_sys(err, errno, "cannot open '%s/%s'", path, name);
}

const struct store_driver store_maildir_driver = {
	.name = "maildir",
	.store_new = maildir_new,
	.store_free = maildir_free,
	.open = maildir_open,
	.open_now = maildir_open_now,
	.message_now = maildir_message_now,
	.close = maildir_close,
	.writes_at_close = maildir_writes_at_close,
	.message = maildir_message,
	.check = maildir_check,
	.commit = maildir_commit,
	.mark_older = maildir_mark_older,
	.usage = maildir_usage,
	.let_go = maildir_let_go,
	.take_again = maildir_take_again,
	.refile = maildir_refile,
	.came = maildir_came,
	.key = maildir_key_of,
	.views = &maildir_views_row,
	.deliver_begin = maildir_deliver_begin,
	.deliver_commit = maildir_deliver_commit,
	.deliver_free = maildir_deliver_free,
	.moving = &maildir_moving_driver,
};
