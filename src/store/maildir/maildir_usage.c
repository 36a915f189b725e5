/* SPDX-License-Identifier: MIT */
/*
 * How much a maildrop holds. The index says it, as long as nobody but us has put
 * something in or taken something out; otherwise the names do, which have their
 * sizes in them, or the files. Nothing is written: the next session makes the index.
 */
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

static bool is_unchanged(int root_fd, enum maildir_where where, struct index_mark was)
{
	struct stat st;

	return was.mtime_ns != 0 && sys_fstatat(root_fd, maildir_where_name(where), &st) == 0 &&
	       index_mark_eq(was, maildir_mark_of(&st));
}

static bool usage_by_index(struct maildir_store *s, const struct store_owner *owner, int root_fd,
			   struct store_usage *ret_usage)
{
	struct index_header h;
	enum index_trust trust;
	struct stat st;
	const int fd = maildir_file_open(root_fd, MAILDIR_INDEX, &st);

	if (fd < 0)
		return false;

	const bool good = maildir_is_private(owner, &st) &&
			  index_read_header(fd, &st, s->boot, &h, &trust) == 0 &&
			  trust == INDEX_TRUSTED && is_unchanged(root_fd, MAILDIR_NEW, h.dirs[0]) &&
			  is_unchanged(root_fd, MAILDIR_CUR, h.dirs[1]);

	sys_close(fd);
	if (good)
		*ret_usage = (struct store_usage){.messages = h.count - h.away, .octets = h.octets};
	return good;
}

static void add_file(int dir_fd, struct span name, struct store_usage *usage)
{
	struct maildir_name parts;
	char path[MAILDIR_NAME_MAX + 1];
	struct stat st;

	maildir_name_parse(name, &parts);
	if (!parts.has_sizes) {
		memcpy(path, name.p, name.n);
		path[name.n] = '\0';
		if (sys_fstatat(dir_fd, path, &st) < 0)
			return;
		parts.octets = (uint64_t)st.st_size;
	}
	usage->messages++;
	/* A name can say anything. */
	usage->octets = parts.octets > UINT64_MAX - usage->octets ? UINT64_MAX
								  : usage->octets + parts.octets;
}

static int add_directory(struct maildir_drop *m, enum maildir_where where,
			 struct store_usage *usage, struct err *err)
{
	struct maildir_files files = {0};
	int r = maildir_drop_dir(m, where, err);

	if (r < 0)
		return r;
	r = maildir_scan(m, where, true, &files, err);
	for (uint32_t i = 0; i < files.count && r == 0; i++)
		add_file(m->dir_fd[where], maildir_file_name(&files, i), usage);
	maildir_files_done(&files);
	return r;
}

static int usage_by_names(struct maildir_store *s, const struct store_owner *owner, int root_fd,
			  struct store_usage *ret_usage, struct err *err)
{
	struct maildir_drop *const m = maildir_drop_new(&s->base, owner);
	struct store_usage usage = {0};
	int r = 0;

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot count '%s'", owner->path);
	m->root_fd = root_fd;
	for (int w = 0; w < MAILDIR_DIRS && r == 0; w++)
		r = add_directory(m, w, &usage, err);
	m->root_fd = -1;
	maildir_drop_free(m);
	if (r == 0)
		*ret_usage = usage;
	return r;
}

static int usage_at(struct maildir_store *s, const struct store_owner *owner, int root_fd,
		    struct store_usage *ret_usage, struct err *err)
{
	return usage_by_index(s, owner, root_fd, ret_usage)
		       ? 0
		       : usage_by_names(s, owner, root_fd, ret_usage, err);
}

int maildir_usage(struct store *store, const struct store_owner *owner,
		  struct store_usage *ret_usage, struct err *err)
{
	struct owner_switch sw;
	struct stat st;
	int r = owner_enter(&sw, owner, err);

	if (r < 0)
		return r;

	const int root_fd = sys_openat(AT_FDCWD, owner->path, O_RDONLY | O_DIRECTORY, 0);

	if (root_fd < 0 ? errno == ENOENT : sys_fstatat(root_fd, "new", &st) < 0 && errno == ENOENT)
		*ret_usage = (struct store_usage){0};
	else if (root_fd < 0)
		r = err_sys(err, errno, "cannot open '%s'", owner->path);
	else
		r = usage_at((struct maildir_store *)store, owner, root_fd, ret_usage, err);
	sys_close(root_fd);
	owner_leave(&sw);
	return r;
}

int maildir_room(struct maildir_store *s, const struct store_owner *owner, int root_fd,
		 uint64_t octets, struct err *err)
{
	struct store_usage used;
	const int r = usage_at(s, owner, root_fd, &used, err);

	return r < 0 ? r : store_room(owner, &used, octets, err);
}
