/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"
#include "store/copy.h"
#include "store/maildir/maildir_incoming.h"
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

struct maildir_delivery {
	struct delivery base; /* fd is that of file: borrowed */
	struct maildir_owner owner;
	struct incoming file;
	bool synced;
	int sync_status; /* what that said, once synced */
};

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

/* What one target has in new/, and isn't durable yet. */
struct arrival {
	int new_fd; /* Owned by who has put it there, while the status is 0 */
	char name[MAILDIR_NAME_MAX + 1];
	struct err err; /* why it has none */
};

static struct maildir_store *store_of(const struct maildir_delivery *d)
{
	return (struct maildir_store *)d->base.store;
}

/* A file of its own for this target: its prefix, and a copy of the message. */
static int deliver_copy(struct maildir_delivery *d, const struct delivery_info *info,
			const struct delivery_target *t, struct arrival *a, struct err *err)
{
	struct incoming own = INCOMING_NONE;
	struct dot_measure prefix = {0};
	int r = incoming_open(store_of(d), t->owner.path, &own, err);

	if (r < 0)
		return r;
	dot_measure(&prefix, t->prefix);
	r = copy_message(own.fd, t->prefix, d->file.fd, info);
	if (r == 0 && sys_fsync(own.fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)err_sys(err, -r, "cannot write a message for '%s'", t->owner.path);
	} else {
		const struct incoming_place to = {
			.owner = &t->owner,
			.root_fd = own.root_fd,
			.new_fd = own.new_fd,
			.octets = info->octets + t->prefix.n,
			.dot_lines = info->dot_lines + prefix.dot_lines,
		};

		r = incoming_link(store_of(d), &own, &to, a->name, err);
	}
	if (r == 0) {
		a->new_fd = own.new_fd;
		own.new_fd = -1;
	}
	incoming_close(&own);
	return r;
}

/* The file itself, for whom it was begun. */
static int deliver_first(struct maildir_delivery *d, const struct delivery_info *info,
			 const struct delivery_target *t, struct arrival *a, struct err *err)
{
	const struct incoming_place to = {
		.owner = &t->owner,
		.root_fd = d->file.root_fd,
		.new_fd = d->file.new_fd,
		.octets = info->octets,
		.dot_lines = info->dot_lines,
	};
	const int r = incoming_link(store_of(d), &d->file, &to, a->name, err);

	if (r == 0) {
		a->new_fd = d->file.new_fd;
		d->file.new_fd = -1;
	}
	return r;
}

/* Another name for the same file. */
static int deliver_link(struct maildir_delivery *d, const struct delivery_info *info,
			const struct delivery_target *t, struct arrival *a, struct err *err)
{
	struct incoming_place to = {
		.owner = &t->owner,
		.octets = info->octets,
		.dot_lines = info->dot_lines,
	};
	int r = maildir_root_open(store_of(d), t->owner.path, true, err);

	if (r < 0)
		return r;
	to.root_fd = r;
	r = to.new_fd = maildir_dir_open(to.root_fd, MAILDIR_NEW, t->owner.path, err);
	if (r >= 0)
		r = incoming_link(store_of(d), &d->file, &to, a->name, err);
	sys_close(to.root_fd);
	if (r == 0)
		a->new_fd = to.new_fd;
	else
		sys_close(to.new_fd);
	return r;
}

static int deliver_one(struct maildir_delivery *d, const struct delivery_info *info,
		       const struct delivery_target *t, bool first, struct arrival *a)
{
	struct err *const err = &a->err;
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
		r = first ? deliver_first(d, info, t, a, err) : deliver_link(d, info, t, a, err);
	if (!shared || (incoming_no_link(r) && !first))
		r = deliver_copy(d, info, t, a, err);
	owner_leave(&sw);
	return r;
}

static int arrival_sync(struct arrival *a, const struct delivery_target *t)
{
	struct owner_switch sw;
	int r = 0;

	if (sys_fsync(a->new_fd) < 0) {
		r = err_sys(&a->err, errno, "cannot sync '%s/new'", t->owner.path);
		/*
		 * Perhaps on disk, perhaps not: so it wasn't accepted, and the sender
		 * will try again. Left here, it would then be there twice.
		 */
		if (owner_enter(&sw, &t->owner, NULL) == 0) {
			(void)sys_unlinkat(a->new_fd, a->name, 0);
			owner_leave(&sw);
		}
	}
	sys_close(a->new_fd);
	return r;
}

/*
 * So many targets get their names, and then the directories are synced: the first sync
 * writes what the others have to wait for as well. More would be more descriptors.
 */
#define TOGETHER 16

void maildir_deliver_commit(struct delivery *delivery, const struct delivery_info *info,
			    struct delivery_target *targets, size_t n, struct err *err)
{
	struct maildir_delivery *const d = (struct maildir_delivery *)delivery;
	struct arrival arrivals[TOGETHER];
	bool failed = false;

	for (size_t from = 0; from < n; from += TOGETHER) {
		const size_t count = n - from < TOGETHER ? n - from : TOGETHER;
		struct delivery_target *const t = targets + from;

		for (size_t i = 0; i < count; i++)
			t[i].status = deliver_one(d, info, &t[i], from + i == 0, &arrivals[i]);
		for (size_t i = 0; i < count; i++) {
			if (t[i].status == 0)
				t[i].status = arrival_sync(&arrivals[i], &t[i]);
			if (t[i].status < 0 && !failed) {
				failed = true;
				*err = arrivals[i].err;
			}
		}
	}
}
