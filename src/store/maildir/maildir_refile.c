/* SPDX-License-Identifier: MIT */
/*
 * To another folder of the same user: the trash, and back. A file gets a second name and, when
 * that is on the disk, loses the first; its stem stays, and its UIDL with it. A machine that
 * loses its power in between leaves it both.
 */
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

/* What refiling works on. */
struct refiling {
	struct maildir_drop *m;
	const char *to; /* path, for messages */
	int to_fd;      /* its cur/. Owned */
	bool used[MAILDIR_DIRS];
	bool renamed; /* some have lost their first name by getting the second */
	int (*step)(struct refiling *w, int dir_fd, const char *name, const char *to);
};

/* In cur/ a name has an info, perhaps one that says nothing. */
static bool name_in_cur(const char *name, char out[static MAILDIR_NAME_MAX + 1])
{
	const struct span whole = span_str(name);
	const bool has_info = maildir_name_base(whole).n < whole.n;
	const int n = snprintf(out, MAILDIR_NAME_MAX + 1, "%s%s", name, has_info ? "" : ":2,");

	return n <= MAILDIR_NAME_MAX;
}

/* Is it there already, under this name? Who lost his power in between has left both. */
static int is_twin(int dir_fd, const char *name, int to_fd, const char *to)
{
	struct stat here;
	struct stat there;

	if (sys_fstatat(dir_fd, name, &here) < 0 || sys_fstatat(to_fd, to, &there) < 0)
		return -errno;
	return here.st_ino == there.st_ino && here.st_dev == there.st_dev ? 1 : 0;
}

/* 0; -ENOENT: it isn't there; -EEXIST: another file has the name there. */
static int add_name(struct refiling *w, int dir_fd, const char *name, const char *to)
{
	int r = sys_linkat(dir_fd, name, w->to_fd, to, 0) < 0 ? -errno : 0;

	if (r == -EEXIST) {
		r = is_twin(dir_fd, name, w->to_fd, to);
		r = r == 0 ? -EEXIST : r > 0 ? 0 : r;
	}
	/* A file system without second names: there a renaming is all there is. */
	if (r == -EPERM || r == -EOPNOTSUPP || r == -EMLINK) {
		r = sys_renameat(dir_fd, name, w->to_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
		w->renamed = w->renamed || r == 0;
	}
	return r;
}

static int drop_name(struct refiling *w, int dir_fd, const char *name, const char *to)
{
	const int r = is_twin(dir_fd, name, w->to_fd, to);

	if (r == -ENOENT && w->renamed)
		return 0;
	/* One that couldn't be moved stays what it is. */
	if (r <= 0)
		return r;
	return sys_unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

static int work_on(struct refiling *w, const struct maildir_place *place, struct err *err)
{
	const int dir_fd = maildir_drop_dir(w->m, place->where, err);
	char to[MAILDIR_NAME_MAX + 1];
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (!name_in_cur(place->name, to))
		return err_set(err, ENAMETOOLONG, "cannot move '%s/%s/%s': its name is too long",
			       w->m->owner.path, maildir_where_name(place->where), place->name);
	w->used[place->where] = true;
	r = w->step(w, dir_fd, place->name, to);
	return r == 0 ? 0
		      : err_sys(err, -r, "cannot move '%s/%s/%s' to '%s'", w->m->owner.path,
				maildir_where_name(place->where), place->name, w->to);
}

/* Where the record has it, or else where it is. 0, also when it is nowhere. */
static int work_on_number(struct refiling *w, uint32_t n, struct err *err)
{
	struct index_record record;
	struct maildir_place place;
	int r = index_read_record(w->m->base.snapshot_fd, n, &record);

	if (r < 0)
		return err_sys(err, r == -EBADMSG ? EIO : -r, "cannot read the index of '%s'",
			       w->m->owner.path);
	r = maildir_place_of(&record, &place) ? work_on(w, &place, err) : -ENOENT;
	if (r != -ENOENT)
		return r;
	r = maildir_locate(w->m, &record, &place, err);
	if (r == 0)
		r = work_on(w, &place, err);
	return r == -ENOENT ? 0 : r;
}

/* All that can be; the first error. */
static int for_marked(struct refiling *w,
		      int (*step)(struct refiling *w, int dir_fd, const char *name, const char *to),
		      struct err *err)
{
	struct err why;
	int first = 0;

	w->step = step;
	for (uint32_t n = 1; n <= w->m->base.count; n++) {
		if (!maildrop_is_marked(&w->m->base, n))
			continue;

		const int r = work_on_number(w, n, first == 0 ? err : &why);

		first = first == 0 ? r : first;
	}
	return first;
}

static int sync_used(struct refiling *w, struct err *err)
{
	for (int i = 0; i < MAILDIR_DIRS; i++) {
		if (w->used[i] && sys_fsync(w->m->dir_fd[i]) < 0)
			return err_sys(err, errno, "cannot sync '%s/%s'", w->m->owner.path,
				       maildir_where_name(i));
	}
	return 0;
}

static int refile_marked(struct refiling *w, struct err *err)
{
	struct err why;
	const int first = for_marked(w, add_name, err);
	int r = 0;

	if (sys_fsync(w->to_fd) < 0)
		return first < 0 ? first : err_sys(err, errno, "cannot sync '%s/cur'", w->to);
	r = for_marked(w, drop_name, first == 0 ? err : &why);
	if (r == 0)
		r = sync_used(w, first == 0 ? err : &why);
	return first < 0 ? first : r;
}

int maildir_refile(struct maildrop *maildrop, const struct store_owner *to, struct err *err)
{
	struct refiling w = {.m = (struct maildir_drop *)maildrop, .to = to->path, .to_fd = -1};
	struct owner_switch sw;
	int r = owner_enter(&sw, to, err);

	if (r < 0)
		return r;

	const int root_fd = maildir_root_open(maildir_store_of(w.m), to->path, true, err);

	r = root_fd;
	if (root_fd >= 0)
		r = w.to_fd = maildir_dir_open(root_fd, MAILDIR_CUR, to->path, err);
	if (r >= 0)
		r = refile_marked(&w, err);
	sys_close(w.to_fd);
	sys_close(root_fd);
	owner_leave(&sw);
	return r;
}

static bool locate_name(struct maildir_drop *m, const struct index_record *r,
			struct maildir_place *ret_place)
{
	return maildir_place_of(r, ret_place) || maildir_locate(m, r, ret_place, NULL) == 0;
}

/* By the name that the file was delivered under, or else by the file. */
uint64_t maildir_came(struct maildrop *maildrop, uint32_t n, const struct index_record *r)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct maildir_order order = {0};
	struct maildir_place place;
	struct owner_switch sw;
	struct stat st;

	(void)n;
	if (maildir_place_of(r, &place))
		maildir_name_order(span_str(place.name), &order);
	if (order.seconds > 0 || owner_enter(&sw, &m->owner.o, NULL) < 0)
		return order.seconds;
	if (locate_name(m, r, &place)) {
		const int dir_fd = maildir_drop_dir(m, place.where, NULL);

		maildir_name_order(span_str(place.name), &order);
		if (order.seconds == 0 && dir_fd >= 0 && sys_fstatat(dir_fd, place.name, &st) == 0)
			order.seconds = sys_ns(st.st_mtim) / 1000000000U;
	}
	owner_leave(&sw);
	return order.seconds;
}

int maildir_key_of(struct maildrop *maildrop, uint32_t n, const struct index_record *r,
		   char ret_key[static LIMIT_UIDL + 1], struct err *err)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct maildir_place place;
	struct owner_switch sw;
	struct maildir_key key;
	bool known = maildir_place_of(r, &place);

	if (!known && owner_enter(&sw, &m->owner.o, NULL) == 0) {
		known = locate_name(m, r, &place);
		owner_leave(&sw);
	}
	/* One that somebody has deleted moves nowhere. */
	if (!known)
		return err_set(err, ENOENT, "'%s' has message %u no longer", m->owner.path, n);
	if (!maildir_key_make(span_str(place.name), &key))
		return err_sys(err, ENOMEM, "cannot list '%s'", m->owner.path);
	memcpy(ret_key, key.uidl.text, key.uidl.len);
	ret_key[key.uidl.len] = '\0';
	return 0;
}
