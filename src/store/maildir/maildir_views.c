/* SPDX-License-Identifier: MIT */
/*
 * restante.views/ - what views keep beside the messages:
 *
 *	deleted        messages that are hidden or in the trash
 *	had.DEVICE     messages that this device has deleted
 *	device.DEVICE  locked by its session; its modification time is when that began
 *	index.VIEW     the last snapshot of a view: a cache
 *
 * The directory itself is locked by who changes a list.
 */
#include <dirent.h>
#include <time.h>

#include "base/clock.h"
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"
#include "store/view/view_list.h"

#define DEVICE "device."
#define SNAPSHOT "index."
#define LIST_TMP "list.tmp"
#define NAME_SIZE 96

struct maildir_views {
	struct store_views base;
	struct maildir_owner owner;
	int root_fd;   /* of the maildrop. Owned */
	int dir_fd;    /* Owned; holds the lock of who changes lists */
	int device_fd; /* holds the lock of a device's session, else -1. Owned */
};

static struct maildir_views *of(struct store_views *v)
{
	return (struct maildir_views *)v;
}

static void name_of(char out[static NAME_SIZE], const char *kind, const char *name, const char *end)
{
	(void)snprintf(out, NAME_SIZE, "%s%s%s", kind, name, end);
}

/* ---- the directory ---- */

static int sync_dir(const struct maildir_views *v, int fd, struct err *err)
{
	return sys_fsync(fd) < 0
		       ? err_sys(err, errno, "cannot sync '%s/%s'", v->owner.path, MAILDIR_VIEWS)
		       : 0;
}

static int open_dir(struct maildir_views *v, bool make, struct err *err)
{
	struct maildir_store *const s = (struct maildir_store *)v->base.store;
	struct stat st;

	v->root_fd = make ? maildir_root_open(s, v->owner.path, false, err)
			  : sys_openat(AT_FDCWD, v->owner.path, O_RDONLY | O_DIRECTORY, 0);
	if (v->root_fd < 0)
		return make ? v->root_fd : err_sys(err, errno, "cannot open '%s'", v->owner.path);
	if (make && sys_mkdirat(v->root_fd, MAILDIR_VIEWS) < 0 && errno != EEXIST)
		return err_sys(err, errno, "cannot make '%s/%s'", v->owner.path, MAILDIR_VIEWS);
	v->dir_fd = sys_openat(v->root_fd, MAILDIR_VIEWS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (v->dir_fd < 0 || sys_fstat(v->dir_fd, &st) < 0)
		return err_sys(err, errno, "cannot open '%s/%s'", v->owner.path, MAILDIR_VIEWS);
	return maildir_is_private(&v->owner.o, &st)
		       ? 0
		       : err_set(err, EPERM, "'%s/%s' belongs to somebody else", v->owner.path,
				 MAILDIR_VIEWS);
}

static void views_close(struct store_views *views)
{
	struct maildir_views *const v = of(views);

	sys_close(v->device_fd);
	sys_close(v->dir_fd);
	sys_close(v->root_fd);
	free(v);
}

static int views_open(struct store *s, const struct store_owner *owner, bool make,
		      struct store_views **ret_views, struct err *err)
{
	struct maildir_views *const v = calloc(1, sizeof(*v));
	struct owner_switch sw;
	int r;

	if (v == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	v->base.store = s;
	v->root_fd = v->dir_fd = v->device_fd = -1;
	maildir_owner_copy(&v->owner, owner);
	r = owner_enter(&sw, &v->owner.o, err);
	if (r == 0) {
		r = open_dir(v, make, err);
		owner_leave(&sw);
	}
	if (r < 0) {
		views_close(&v->base);
		return r;
	}
	*ret_views = &v->base;
	return 0;
}

/* Some seconds: others hold it while they make a snapshot or a list. Or some milliseconds. */
#define WAITS 2500
#define WAITS_IMPATIENT 5

static int views_lock(struct store_views *views, bool patient, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	const struct maildir_views *const v = of(views);

	for (int turn = 0; sys_flock(v->dir_fd, LOCK_EX | LOCK_NB) < 0; turn++) {
		if (errno != EWOULDBLOCK)
			return err_sys(err, errno, "cannot lock '%s/%s'", v->owner.path,
				       MAILDIR_VIEWS);
		if (turn == (patient ? WAITS : WAITS_IMPATIENT))
			return err_set(err, patient ? EBUSY : EAGAIN,
				       "'%s/%s' is in use by another session", v->owner.path,
				       MAILDIR_VIEWS);
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static void views_unlock(struct store_views *views)
{
	(void)sys_flock(of(views)->dir_fd, LOCK_UN);
}

static uint64_t views_boot(const struct store_views *v)
{
	return ((const struct maildir_store *)v->store)->boot;
}

/* ---- devices ---- */

static int device_open(const struct maildir_views *v, const char *device, bool make)
{
	char name[NAME_SIZE];
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | (make ? O_CREAT : 0);

	name_of(name, DEVICE, device, "");

	const int fd = sys_openat(v->dir_fd, name, flags, 0600);

	return fd < 0 ? -errno : fd;
}

/* 1: it is a device; 0: something else. One that is passed over would be counted out. */
static int read_device(const struct maildir_views *v, const char *file, struct store_device *ret)
{
	struct stat st;

	if (strncmp(file, DEVICE, strlen(DEVICE)) != 0 ||
	    strlen(file) - strlen(DEVICE) >= sizeof(ret->name))
		return 0;
	if (sys_fstatat(v->dir_fd, file, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	(void)snprintf(ret->name, sizeof(ret->name), "%s", file + strlen(DEVICE));
	ret->seen = sys_ns(st.st_mtim) / 1000000000U;
	return 1;
}

static int list_devices(const struct maildir_views *v, struct store_device *ret, size_t max)
{
	const int fd = sys_openat(v->dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;
	int r = 1;

	if (dir == NULL) {
		r = -errno;
		sys_close(fd);
		return r;
	}
	while (r >= 0 && n < max) {
		const struct dirent *e;

		errno = 0;
		e = store_step("readdir", false) ? readdir(dir) : NULL;
		r = e == NULL ? -errno : read_device(v, e->d_name, &ret[n]);
		n += r > 0 ? 1 : 0;
		if (e == NULL)
			break;
	}
	(void)closedir(dir);
	return r < 0 ? r : (int)n;
}

/*
 * It is known for good when its file isn't empty: so whoever finds a file that was just
 * made syncs the directories himself, and needn't know who made it.
 */
static int device_settle(struct maildir_views *v, int fd, struct err *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, sys_timespec(clock_wall_ns())};
	struct stat st;
	int r = 0;

	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot examine a device of '%s'", v->owner.path);
	if (st.st_size == 0) {
		r = sync_dir(v, v->dir_fd, err);
		if (r == 0)
			r = sync_dir(v, v->root_fd, err);
		if (r == 0 && sys_pwrite_all(fd, "1\n", 2, 0) < 0)
			r = err_sys(err, errno, "cannot write a device of '%s'", v->owner.path);
	}
	/* Only for the list of devices, and for those that are forgotten by themselves. */
	if (r == 0)
		(void)sys_futimens(fd, times);
	return r;
}

/* Whoever had mail before there were devices is one of them. */
static int take_plain_in(const struct maildir_views *v)
{
	struct store_device any;
	const int known = list_devices(v, &any, 1);
	const int fd = known == 0 ? device_open(v, "", true) : -1;

	sys_close(fd);
	return known == 0 && fd < 0 ? fd : known < 0 ? known : 0;
}

static int take(struct maildir_views *v, const char *device, bool make, struct err *err)
{
	int r = make ? take_plain_in(v) : 0;

	v->device_fd = r < 0 ? r : device_open(v, device, make);
	if (v->device_fd < 0)
		return err_sys(err, -v->device_fd, "cannot open device '%s' of '%s'", device,
			       v->owner.path);
	r = sys_flock(v->device_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (r == -EWOULDBLOCK)
		r = err_set(err, EBUSY, "'%s' is in use by another session of device '%s'",
			    v->owner.path, device);
	else if (r < 0)
		(void)err_sys(err, -r, "cannot lock device '%s' of '%s'", device, v->owner.path);
	return r == 0 ? device_settle(v, v->device_fd, err) : r;
}

static int views_take(struct store_views *views, const char *device, bool make, struct err *err)
{
	struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = take(v, device, make, err);
	if (r < 0) {
		sys_close(v->device_fd);
		v->device_fd = -1;
	}
	owner_leave(&sw);
	return r;
}

static int views_devices(struct store_views *views, struct store_device *ret, size_t max,
			 struct err *err)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = list_devices(v, ret, max);
	owner_leave(&sw);
	return r >= 0 ? r : err_sys(err, -r, "cannot read '%s/%s'", v->owner.path, MAILDIR_VIEWS);
}

static int forget(struct maildir_views *v, const char *device, struct err *err)
{
	const int fd = device_open(v, device, false);
	char name[NAME_SIZE];
	int r = fd < 0 ? fd : 0;

	name_of(name, DEVICE, device, "");
	if (r == 0 && sys_flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r == 0 && sys_unlinkat(v->dir_fd, name, 0) < 0)
		r = -errno;
	sys_close(fd);
	if (r == -EWOULDBLOCK)
		return err_set(err, EBUSY, "device '%s' of '%s' has a session", device,
			       v->owner.path);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "'%s' has no device '%s'", v->owner.path, device);
	return r < 0 ? err_sys(err, -r, "cannot forget device '%s' of '%s'", device, v->owner.path)
		     : sync_dir(v, v->dir_fd, err);
}

static int views_forget(struct store_views *views, const char *device, struct err *err)
{
	struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = forget(v, device, err);
	owner_leave(&sw);
	return r;
}

/* ---- lists ---- */

static int list_error(const struct maildir_views *v, const char *list, int r, const char *what,
		      struct err *err)
{
	return err_sys(err, -r, "cannot %s '%s/%s/%s'", what, v->owner.path, MAILDIR_VIEWS, list);
}

/* What others may have written is believed as little as a journal of theirs. */
static int list_open(const struct maildir_views *v, const char *list, struct stat *ret_st,
		     struct err *err)
{
	const int fd = maildir_file_open(v->dir_fd, list, ret_st);

	if (fd < 0)
		return fd == -ENOENT ? fd : list_error(v, list, fd, "open", err);
	if (maildir_is_private(&v->owner.o, ret_st))
		return fd;
	sys_close(fd);
	return list_error(v, list, -EPERM, "believe", err);
}

static int list_read(const struct maildir_views *v, const char *list, char **ret_p, size_t *ret_n,
		     struct err *err)
{
	struct stat st;
	const int fd = list_open(v, list, &st, err);
	int r;

	*ret_p = NULL;
	*ret_n = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = maildir_read_all(fd, st.st_size, VIEW_LIST_BYTES_MAX, ret_p);
	sys_close(fd);
	if (r < 0)
		return list_error(v, list, r, "read", err);
	*ret_n = (size_t)st.st_size;
	return 0;
}

static int views_read(struct store_views *views, const char *list, char **ret_p, size_t *ret_n,
		      struct err *err)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = list_read(v, list, ret_p, ret_n, err);
	owner_leave(&sw);
	return r;
}

static int list_peek(const struct maildir_views *v, const char *list, char *p, size_t n,
		     uint64_t *ret_size, struct err *err)
{
	struct stat st;
	const int fd = list_open(v, list, &st, err);
	ssize_t got;

	*ret_size = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	memset(p, 0, n);
	got = sys_pread(fd, p, n, 0);
	if (got < 0)
		got = list_error(v, list, -errno, "read", err);
	sys_close(fd);
	*ret_size = (uint64_t)st.st_size;
	return got < 0 ? (int)got : 0;
}

static int views_peek(struct store_views *views, const char *list, char *p, size_t n,
		      uint64_t *ret_size, struct err *err)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = list_peek(v, list, p, n, ret_size, err);
	owner_leave(&sw);
	return r;
}

static int list_append(const struct maildir_views *v, const char *list, uint64_t at, struct span s)
{
	const int fd = sys_openat(v->dir_fd, list, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		r = -EIO;
	/* Somebody died while he wrote. */
	if (r == 0 && (uint64_t)st.st_size > at && sys_ftruncate(fd, at) < 0)
		r = -errno;
	if (r == 0 && (sys_pwrite_all(fd, s.p, s.n, at) < 0 || sys_fsync(fd) < 0)) {
		r = -errno;
		/* If this fails too, it may count: all of it, then. */
		(void)sys_ftruncate(fd, at);
	}
	sys_close(fd);
	return r;
}

static int views_append(struct store_views *views, const char *list, uint64_t at, struct span s,
			struct err *err)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = list_append(v, list, at, s);
	owner_leave(&sw);
	return r < 0 ? list_error(v, list, r, "write", err) : 0;
}

static int list_replace(const struct maildir_views *v, const char *list, struct span s)
{
	int fd;
	int r = 0;

	(void)sys_unlinkat(v->dir_fd, LIST_TMP, 0);
	fd = sys_openat(v->dir_fd, LIST_TMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (sys_pwrite_all(fd, s.p, s.n, 0) < 0 || sys_fsync(fd) < 0 ||
	    sys_renameat(v->dir_fd, LIST_TMP, v->dir_fd, list, 0) < 0)
		r = -errno;
	sys_close(fd);
	if (r < 0)
		(void)sys_unlinkat(v->dir_fd, LIST_TMP, 0);
	return r;
}

static int views_replace(struct store_views *views, const char *list, struct span s,
			 struct err *err)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = list_replace(v, list, s);
	owner_leave(&sw);
	return r < 0 ? list_error(v, list, r, "write", err) : sync_dir(v, v->dir_fd, err);
}

static int views_remove(struct store_views *views, const char *list, struct err *err)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, err);

	if (r < 0)
		return r;
	r = sys_unlinkat(v->dir_fd, list, 0) < 0 ? -errno : 0;
	owner_leave(&sw);
	if (r < 0)
		return r == -ENOENT ? 0 : list_error(v, list, r, "remove", err);
	return sync_dir(v, v->dir_fd, err);
}

/* ---- snapshots ---- */

static int snapshot(const struct maildir_views *v, const char *name,
		    struct index_header *ret_header)
{
	char raw[INDEX_HEADER_SIZE];
	char file[NAME_SIZE];
	struct stat st;
	int fd;

	name_of(file, SNAPSHOT, name, "");
	fd = maildir_file_open(v->dir_fd, file, &st);
	if (fd < 0)
		return fd;
	if (maildir_is_private(&v->owner.o, &st) && sys_pread_all(fd, raw, sizeof(raw), 0) == 0 &&
	    index_header_decode(raw, ret_header) && ret_header->boot == views_boot(&v->base) &&
	    ret_header->made_ns == sys_ns(st.st_mtim))
		return fd;
	sys_close(fd);
	return -ESTALE;
}

static int views_snapshot(struct store_views *views, const char *name,
			  struct index_header *ret_header)
{
	struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, NULL);

	if (r < 0)
		return r;
	r = snapshot(v, name, ret_header);
	owner_leave(&sw);
	return r;
}

static int views_snapshot_make(struct store_views *views, const char *name)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	char file[NAME_SIZE];
	int r = owner_enter(&sw, &v->owner.o, NULL);

	if (r < 0)
		return r;
	name_of(file, SNAPSHOT, name, ".tmp");
	(void)sys_unlinkat(v->dir_fd, file, 0);
	r = sys_openat(v->dir_fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	r = r < 0 ? -errno : r;
	owner_leave(&sw);
	return r;
}

static int snapshot_keep(const struct maildir_views *v, const char *name, int fd)
{
	char tmp[NAME_SIZE];
	char file[NAME_SIZE];
	char self[32];
	int again;

	name_of(tmp, SNAPSHOT, name, ".tmp");
	name_of(file, SNAPSHOT, name, "");
	if (sys_renameat(v->dir_fd, tmp, v->dir_fd, file, 0) < 0) {
		const int r = -errno;

		(void)sys_unlinkat(v->dir_fd, tmp, 0);
		return r;
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	again = sys_openat(AT_FDCWD, self, O_RDONLY, 0);
	return again < 0 ? -errno : again;
}

static int views_snapshot_keep(struct store_views *views, const char *name, int fd)
{
	const struct maildir_views *const v = of(views);
	struct owner_switch sw;
	int r = owner_enter(&sw, &v->owner.o, NULL);

	if (r < 0)
		return r;
	r = snapshot_keep(v, name, fd);
	owner_leave(&sw);
	return r;
}

const struct store_views_row maildir_views_row = {
	.open = views_open,
	.close = views_close,
	.lock = views_lock,
	.unlock = views_unlock,
	.take = views_take,
	.devices = views_devices,
	.forget = views_forget,
	.read = views_read,
	.peek = views_peek,
	.append = views_append,
	.replace = views_replace,
	.remove = views_remove,
	.snapshot = views_snapshot,
	.snapshot_make = views_snapshot_make,
	.snapshot_keep = views_snapshot_keep,
	.boot = views_boot,
};
