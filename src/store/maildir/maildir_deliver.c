/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"
#include "store/copy.h"
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

/* A file on its way into a maildrop. */
struct incoming {
	int new_fd; /* where it will be. Owned */
	int tmp_fd; /* tmp/, if it has a name there, else -1. Owned */
	int fd;     /* Owned */
	char tmp_name[MAILDIR_NAME_MAX + 1];
};

struct maildir_delivery {
	struct delivery base; /* fd is that of file: borrowed */
	struct maildir_owner owner;
	struct incoming file;
	bool synced;
	int sync_status; /* what that said, once synced */
};

#define INCOMING_NONE                                \
	{                                            \
		.new_fd = -1, .tmp_fd = -1, .fd = -1 \
	}

static void incoming_close(struct incoming *in)
{
	if (in->tmp_fd >= 0 && in->tmp_name[0] != '\0')
		(void)sys_unlinkat(in->tmp_fd, in->tmp_name, 0);
	sys_close(in->fd);
	sys_close(in->tmp_fd);
	sys_close(in->new_fd);
	*in = (struct incoming)INCOMING_NONE;
}

/* Where there are no unnamed files: one with a name in tmp/, as Maildir always had it. */
static int open_named(struct incoming *in, int root_fd, const char *hostname)
{
	in->tmp_fd = sys_openat(root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
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

static int incoming_open(struct maildir_store *s, const char *path, struct incoming *in,
			 struct err *err)
{
	const int root_fd = maildir_root_open(s, path, true, err);
	int r = 0;

	if (root_fd < 0)
		return root_fd;
	in->new_fd = maildir_dir_open(root_fd, MAILDIR_NEW, path, err);
	if (in->new_fd < 0) {
		sys_close(root_fd);
		return in->new_fd;
	}
	in->fd = sys_openat(in->new_fd, ".", O_RDWR | O_TMPFILE, 0600);
	if (in->fd < 0)
		r = -errno;
	if (r == -EOPNOTSUPP || r == -EISDIR || r == -ENOENT || r == -EINVAL)
		r = open_named(in, root_fd, s->base.hostname);
	sys_close(root_fd);
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
static int rename_to(struct incoming *in, const char *name)
{
	int r = -EINVAL;

	if (in->tmp_name[0] == '\0')
		return r;
	if (sys_renameat(in->tmp_fd, in->tmp_name, in->new_fd, name, RENAME_NOREPLACE) == 0 ||
	    (errno == EINVAL && sys_renameat(in->tmp_fd, in->tmp_name, in->new_fd, name, 0) == 0)) {
		in->tmp_name[0] = '\0';
		return 0;
	}
	return -errno;
}

struct wanted {
	const char *hostname;
	const char *path; /* the maildrop's */
	uint64_t octets;
	uint64_t dot_lines;
};

static bool no_link_here(int r)
{
	return r == -EXDEV || r == -EPERM || r == -EMLINK || r == -EOPNOTSUPP || r == -ENOSYS;
}

/*
 * Puts the file, which is synced, into new/. 0: durable. -EXDEV and its like
 * (no_link_here()): it can't be linked to there, and nothing was done.
 */
static int place(struct incoming *in, int new_fd, const struct wanted *want, struct err *err)
{
	char name[MAILDIR_NAME_MAX + 1];
	int r;

	for (int turn = 0; turn < 8; turn++) {
		maildir_name_make(want->hostname, want->octets, want->dot_lines, name);
		r = link_to(in, new_fd, name);
		if (no_link_here(r) && new_fd == in->new_fd && in->tmp_name[0] != '\0')
			r = rename_to(in, name);
		if (r != -EEXIST)
			break;
	}
	if (r < 0) {
		/* Over a network it may be there all the same. The name is nobody else's. */
		if (r != -EEXIST)
			(void)sys_unlinkat(new_fd, name, 0);
		return err_sys(err, -r, "cannot link a message into '%s/new'", want->path);
	}

	if (sys_fsync(new_fd) < 0) {
		r = err_sys(err, errno, "cannot sync '%s/new'", want->path);
		/*
		 * Perhaps on disk, perhaps not: so it wasn't accepted, and the sender
		 * will try again. Left here, it would then be there twice.
		 */
		(void)sys_unlinkat(new_fd, name, 0);
	}
	return r;
}

int maildir_deliver_begin(struct store *store, const struct store_owner *owner,
			  struct delivery **ret_delivery, struct err *err)
{
	struct maildir_delivery *const d = calloc(1, sizeof(*d));
	struct owner_switch sw;
	int r;

	if (d == NULL)
		return err_sys(err, ENOMEM, "cannot take a message for '%s'", owner->path);
	d->base = (struct delivery){.store = store, .fd = -1};
	d->file = (struct incoming)INCOMING_NONE;
	maildir_owner_copy(&d->owner, owner);
	r = owner_enter(&sw, owner, err);
	if (r == 0) {
		r = incoming_open((struct maildir_store *)store, owner->path, &d->file, err);
		owner_leave(&sw);
	}
	if (r < 0) {
		free(d);
		return r;
	}
	d->base.fd = d->file.fd;
	*ret_delivery = &d->base;
	return 0;
}

void maildir_deliver_free(struct delivery *delivery)
{
	struct maildir_delivery *const d = (struct maildir_delivery *)delivery;
	struct owner_switch sw = {.switched = false};

	/* Without its owner's rights the name stays in tmp/, until that is tidied up. */
	if (d->file.tmp_name[0] != '\0' && owner_enter(&sw, &d->owner.o, NULL) < 0)
		d->file.tmp_name[0] = '\0';
	incoming_close(&d->file);
	owner_leave(&sw);
	free(d);
}

/*
 * Once for all that share the file. A second try would be told that all is well,
 * though the kernel has given up the octets that the first could not write.
 */
static int sync_shared(struct maildir_delivery *d)
{
	if (!d->synced) {
		d->synced = true;
		d->sync_status = sys_fsync(d->file.fd) < 0 ? -errno : 0;
	}
	return d->sync_status;
}

/* A file of its own for this target: its prefix, and a copy of the message. */
static int deliver_copy(struct maildir_delivery *d, const struct delivery_info *info,
			const struct delivery_target *t, struct err *err)
{
	const char *const path = t->owner.path;
	struct maildir_store *const s = (struct maildir_store *)d->base.store;
	struct incoming own = INCOMING_NONE;
	struct dot_measure prefix = {0};
	int r = incoming_open(s, path, &own, err);

	if (r < 0)
		return r;
	dot_measure(&prefix, t->prefix);
	r = copy_message(own.fd, t->prefix, d->file.fd, info);
	if (r == 0 && sys_fsync(own.fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)err_sys(err, -r, "cannot write a message for '%s'", path);
	} else {
		const struct wanted want = {
			.hostname = s->base.hostname,
			.path = path,
			.octets = info->octets + t->prefix.n,
			.dot_lines = info->dot_lines + prefix.dot_lines,
		};

		r = place(&own, own.new_fd, &want, err);
	}
	incoming_close(&own);
	return r;
}

/* Another name for the file that the first target has, or is to have. */
static int deliver_link(struct maildir_delivery *d, const struct delivery_info *info,
			const struct delivery_target *t, bool first, struct err *err)
{
	struct maildir_store *const s = (struct maildir_store *)d->base.store;
	const struct wanted want = {
		.hostname = s->base.hostname,
		.path = t->owner.path,
		.octets = info->octets,
		.dot_lines = info->dot_lines,
	};
	int root_fd;
	int new_fd;
	int r;

	if (first)
		return place(&d->file, d->file.new_fd, &want, err);
	root_fd = maildir_root_open(s, t->owner.path, true, err);
	if (root_fd < 0)
		return root_fd;
	new_fd = maildir_dir_open(root_fd, MAILDIR_NEW, t->owner.path, err);
	sys_close(root_fd);
	if (new_fd < 0)
		return new_fd;
	r = place(&d->file, new_fd, &want, err);
	sys_close(new_fd);
	return r;
}

static int deliver_one(struct maildir_delivery *d, const struct delivery_info *info,
		       const struct delivery_target *t, bool first, struct err *err)
{
	const bool shared = t->prefix.n == 0 && (first || t->owner.uid == d->owner.o.uid);
	struct owner_switch sw;
	int r;

	/* What couldn't be written can't be copied either. */
	r = shared ? sync_shared(d) : d->synced ? d->sync_status : 0;
	if (r < 0)
		return err_sys(err, -r, "cannot sync a message for '%s'", t->owner.path);
	r = owner_enter(&sw, &t->owner, err);
	if (r < 0)
		return r;
	if (shared)
		r = deliver_link(d, info, t, first, err);
	if (!shared || (no_link_here(r) && !first))
		r = deliver_copy(d, info, t, err);
	owner_leave(&sw);
	return r;
}

void maildir_deliver_commit(struct delivery *delivery, const struct delivery_info *info,
			    struct delivery_target *targets, size_t n, struct err *err)
{
	struct maildir_delivery *const d = (struct maildir_delivery *)delivery;
	bool failed = false;

	for (size_t i = 0; i < n; i++) {
		struct err why;

		targets[i].status = deliver_one(d, info, &targets[i], i == 0, &why);
		if (targets[i].status < 0 && !failed) {
			failed = true;
			*err = why;
		}
	}
}
