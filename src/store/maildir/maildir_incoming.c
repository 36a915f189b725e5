/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_incoming.h"

void incoming_close(struct incoming *in)
{
	if (in->tmp_fd >= 0 && in->tmp_name[0] != '\0')
		(void)sys_unlinkat(in->tmp_fd, in->tmp_name, 0);
	sys_close(in->fd);
	sys_close(in->tmp_fd);
	sys_close(in->new_fd);
	sys_close(in->root_fd);
	*in = (struct incoming)INCOMING_NONE;
}

/* Where there are no unnamed files: one with a name in tmp/, as Maildir always had it. */
static int open_named(struct incoming *in, const char *hostname)
{
	in->tmp_fd = sys_openat(in->root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (in->tmp_fd < 0)
		return -errno;
	for (int turn = 0; turn < 8; turn++) {
		maildir_name_make(hostname, 0, 0, in->tmp_name);
		in->fd = sys_openat(in->tmp_fd, in->tmp_name,
				    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		if (in->fd >= 0)
			return 0;
		in->tmp_name[0] = '\0';
		if (errno != EEXIST)
			break;
	}
	return -errno;
}

int incoming_open(struct maildir_store *s, const char *path, struct incoming *in, struct err *err)
{
	int r = maildir_root_open(s, path, true, err);

	if (r < 0)
		return r;
	in->root_fd = r;
	r = maildir_dir_open(in->root_fd, MAILDIR_NEW, path, err);
	if (r < 0) {
		incoming_close(in);
		return r;
	}
	in->new_fd = r;
	in->fd = sys_openat(in->new_fd, ".", O_RDWR | O_TMPFILE, 0600);
	r = in->fd < 0 ? -errno : 0;
	if (r == -EOPNOTSUPP || r == -EISDIR || r == -ENOENT || r == -EINVAL)
		r = open_named(in, s->base.hostname);
	if (r < 0)
		incoming_close(in);
	return r < 0 ? err_sys(err, -r, "cannot make a file in '%s'", path) : 0;
}

/*
 * Gives the file a name. One that is unnamed is reached through /proc, because
 * AT_EMPTY_PATH takes a capability on older kernels; it is tried where there is
 * no /proc.
 */
static int link_to(struct incoming *in, int new_fd, const char *name)
{
	char self[32];
	int r;

	if (in->tmp_name[0] != '\0')
		return sys_linkat(in->tmp_fd, in->tmp_name, new_fd, name, 0) < 0 ? -errno : 0;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", in->fd);
	r = sys_linkat(AT_FDCWD, self, new_fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
	if (r == -ENOENT && sys_linkat(in->fd, "", new_fd, name, AT_EMPTY_PATH) == 0)
		r = 0;
	return r;
}

/* A file system without hard links: the name in tmp/ becomes the one in new/. */
static int rename_to(struct incoming *in, int dir_fd, const char *name)
{
	if (sys_renameat(in->tmp_fd, in->tmp_name, dir_fd, name, RENAME_NOREPLACE) == 0 ||
	    (errno == EINVAL && sys_renameat(in->tmp_fd, in->tmp_name, dir_fd, name, 0) == 0)) {
		in->tmp_name[0] = '\0';
		return 0;
	}
	return -errno;
}

/* Once for all names that it gets. */
static int put_growth(struct incoming *in, char name[static MAILDIR_NAME_MAX + 1])
{
	if (!in->measured) {
		const int r = header_growth(in->fd, &in->growth);

		if (r < 0)
			return r;
		in->measured = true;
	}
	return in->growth.utf8 ? maildir_name_put_growth(name, in->growth.value) : 0;
}

int incoming_link(struct maildir_store *s, struct incoming *in, const struct incoming_place *to,
		  char ret_name[static MAILDIR_NAME_MAX + 1], struct err *err)
{
	struct maildir_note note;
	int r = 0;

	maildir_note_begin(&note, s, to->owner, to->root_fd, to->new_fd);
	if (maildrop_rules_has_quota(&to->owner->rules)) {
		/* Also where there is no index yet. */
		note.locked = note.locked || maildir_lock_index(to->new_fd);
		r = maildir_room(s, to->owner, to->root_fd, to->octets, err);
	}
	if (r < 0) {
		maildir_note_end(&note, NULL);
		return r;
	}
	for (int turn = 0; turn < 8; turn++) {
		maildir_name_make(s->base.hostname, to->octets, to->dot_lines, ret_name);
		r = put_growth(in, ret_name);
		if (r < 0)
			break;
		r = link_to(in, to->new_fd, ret_name);
		if (incoming_no_link(r) && to->new_fd == in->new_fd && in->tmp_name[0] != '\0')
			r = rename_to(in, in->new_fd, ret_name);
		if (r != -EEXIST)
			break;
	}
	maildir_note_end(&note, r == 0 ? ret_name : NULL);
	if (r == 0)
		return 0;
	/* Over a network it may be there all the same. The name is nobody else's. */
	if (r != -EEXIST)
		(void)sys_unlinkat(to->new_fd, ret_name, 0);
	return err_sys(err, -r, "cannot link a message into '%s/new'", to->owner->path);
}

static int put_info(char text[static MAILDIR_NAME_MAX + 1], const char *flags)
{
	const size_t used = strlen(text);
	const int n = snprintf(text + used, MAILDIR_NAME_MAX + 1 - used, ":2,%s", flags);

	return n > 0 && (size_t)n < MAILDIR_NAME_MAX + 1 - used ? 0 : -ENAMETOOLONG;
}

int incoming_link_as(struct incoming *in, int dir_fd, const struct incoming_name *name)
{
	char text[MAILDIR_NAME_MAX + 1];
	const int n = snprintf(text, sizeof(text), "%.*s,S=%llu,W=%llu,D=%llu", (int)name->stem.n,
			       name->stem.p, (unsigned long long)name->octets,
			       (unsigned long long)name->octets,
			       (unsigned long long)name->dot_lines);
	int r;

	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	r = put_growth(in, text);
	if (r == 0 && name->flags != NULL)
		r = put_info(text, name->flags);
	if (r < 0)
		return r;
	r = link_to(in, dir_fd, text);
	if (incoming_no_link(r) && in->tmp_name[0] != '\0')
		r = rename_to(in, dir_fd, text);
	return r;
}
